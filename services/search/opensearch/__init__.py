"""The index on an OpenSearch server, which all processes of search share."""
