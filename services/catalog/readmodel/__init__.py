"""The read model: the catalog in memory, which answers every read."""

from services.catalog.readmodel.entities import ReadModel

__all__ = ["ReadModel"]
