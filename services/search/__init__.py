"""Search stores an index of other services' data; it can be dropped and rebuilt.

It consumes `entity-changed` and `docs-built` (consumer group `search`) and publishes
nothing. At its start and regularly it compares checksums with catalog and techdocs, and
reads their snapshots where they differ, and for a rebuild.

HTTP: `/query` (Backstage's), `/suggest?term=&limit=` for a search box that completes
input, and for services `/rebuild` and `/snapshot/checksum`.
"""
