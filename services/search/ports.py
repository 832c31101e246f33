"""What search needs from outside: an index, and the owners of what is in it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from services.search.model import Document, EntityPut, Found, Record, SitePut, Sum
from services.search.query import Question

Kept = tuple[Document, Mapping[str, object]]


class SearchIndex(Protocol):
    """Records by group, searchable as soon as a call that writes returns."""

    async def replace(self, groups: Mapping[str, Sequence[Record]]) -> None:
        """Each group holds exactly these records from now on: all of it, or nothing."""

    async def find(self, question: Question) -> Found:
        """A page of hits, best first, equals in a fixed order; the exact total."""

    async def kept(self, groups: Sequence[str]) -> dict[str, list[Kept]]:
        """The documents and kept values of these groups, in the order written."""

    async def holdings(self) -> list[tuple[str, str, Mapping[str, object]]]:
        """Role, ref and kept values of every entity's and every site's record."""

    async def count(self) -> int:
        """How many records there are."""

    async def close(self) -> None:
        """Let go of files and connections."""


class Owners(Protocol):
    """Catalog and techdocs, who hold the truth. All raise Unavailable when away."""

    async def entity_sum(self) -> Sum:
        """Count and checksum over the catalog's entities."""

    def entities(self) -> AsyncIterator[EntityPut]:
        """Every entity as it is now."""

    async def site_sum(self) -> Sum:
        """Count and checksum over the published sites."""

    def sites(self, ref: str | None = None) -> AsyncIterator[SitePut]:
        """Every published site, or the one of an entity."""
