"""The catalog owns entities, their relations and locations, and their history.

It publishes `entity-changed` (created, updated, deleted) and consumes `git-push`. Start
reading at `handlers/ingestion.py`: it reads a location, plans what changes in the
catalog, and writes that. The command line may use the modules in `__all__` alone.
"""

__all__ = ["configuration", "descriptor_checks", "location_types"]
