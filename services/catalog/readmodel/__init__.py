"""The catalog in memory: what every read is answered from; never the truth itself."""

from services.catalog.readmodel.entities import ReadModel

__all__ = ["ReadModel"]
