"""Search owns an index and no truth: all of it can be dropped and rebuilt.

Hears `entity-changed` and `docs-built` (consumer group `search`), says nothing. Asks
the owners, catalog and techdocs, for their snapshots when it is behind: at start, at
every look (their checksum beside ours), and for a rebuild.

HTTP: `/query` (Backstage's), `/suggest?term=&limit=` for a box that completes while
one types, and for services `/rebuild` and `/snapshot/checksum`.
"""
