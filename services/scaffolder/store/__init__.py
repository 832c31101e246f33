"""The store of runs (MongoDB), and the adapters of catalog, sources and Git."""
