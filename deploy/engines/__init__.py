"""Real servers without Docker: Kafka, OpenSearch, OPA, a MongoDB server, toxiproxy.

They are for tests, CI and developers. Jars and binaries are fetched once, by name and
pinned version, into a cache outside of the checkout. For production use the vendors'
packages, or `docker-compose.yml`.
"""
