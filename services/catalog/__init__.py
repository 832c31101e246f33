"""The catalog owns entities, their relations and locations, and their history.

It says `entity-changed` (created, updated, deleted) and hears `git-push`. Start reading
at `handlers/ingestion.py`: how what a source says becomes what the catalog holds.
"""
