"""Real servers without Docker: Kafka, OpenSearch, OPA, a MongoDB server, toxiproxy.

For tests, for CI and for a developer. Their jars and binaries are fetched once, by name
and pinned version, into a cache outside the checkout. Who runs Callboard for others
uses the vendors' own packages, or `docker-compose.yml`.
"""
