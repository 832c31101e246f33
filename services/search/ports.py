"""What search needs from outside: an index, and the owners of what is in it.

An index is embedded, one of this process' own, or on a server that all processes of
the service write to. Both are generations behind an alias.
"""

from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.search.model import (
    Change,
    Document,
    EntityPut,
    HitPage,
    Holdings,
    IndexRecord,
    SitePut,
    Sum,
)
from services.search.query import SearchRequest

Kept = tuple[Document, Mapping[str, object]]
#: Of each part, by its name (`entities`, `sites`), what is held of it.
Sums = Mapping[str, Sum]


class SearchIndex(Protocol):
    """Where questions are answered. Raises Unavailable while it cannot be asked."""

    async def find(self, question: SearchRequest) -> HitPage:
        """A page of hits, best first, equals in a fixed order; the exact total."""

    async def count(self) -> int:
        """How many records there are."""


class RecordIndex(SearchIndex, Protocol):
    """Records by group, searchable as soon as a call that writes returns."""

    async def replace(self, groups: Mapping[str, Sequence[IndexRecord]]) -> None:
        """Each group holds exactly these records from now on: all of it, or nothing."""

    async def stored_values(self, groups: Sequence[str]) -> dict[str, list[Kept]]:
        """The documents and kept values of these groups, in the order written."""

    async def holdings(self) -> list[tuple[str, str, Mapping[str, object]]]:
        """Role, ref and kept values of every entity's and every site's record."""

    async def close(self) -> None:
        """Let go of files and connections."""


class Generation(Protocol):
    """One filling of the index, and what it knows of the versions in it."""

    @property
    def index(self) -> SearchIndex:
        """Where it is asked."""

    @property
    def edition(self) -> Hashable | None:
        """Another one whenever answers may be; None if only the server can tell."""

    async def apply(self, changes: Sequence[Change]) -> int:
        """Make the index show these changes; how many of them were news.

        Idempotent, and in any order: what is older than what the index holds is
        passed over. Searchable when this returns.
        """

    async def sums(self) -> Sums:
        """What it holds, for comparing with the owners."""

    async def counted(self) -> Sums:
        """The same, counted in the index itself and not in any books."""

    async def holdings(self) -> Holdings:
        """Every version it holds now."""

    async def sites_of(self, refs: Sequence[str]) -> Mapping[str, str]:
        """The sites it shows of these entities, of those that have one."""

    async def forget_tombs(self, before: float) -> int:
        """Drop tombstones of deletions told before this time; how many."""


class Alias(Protocol):
    """What answers and takes changes, whichever generation that is."""

    @property
    def live(self) -> Generation:
        """The generation that takes changes.

        Raises:
            Unavailable: if none is open.
        """

    @property
    def answering(self) -> Generation:
        """The generation that answers, once it has all there is to find.

        Raises:
            Unavailable: while the first one is being built.
        """

    @property
    def put_aside(self) -> str | None:
        """What was wrong with the index that was found at start, if anything."""

    async def open(self) -> None:
        """Take up what is there, or begin anew."""

    async def close(self) -> None:
        """Let go of what is open."""

    async def check(self) -> None:
        """Raise Unavailable unless questions are answered now."""

    async def apply(self, changes: Sequence[Change]) -> int:
        """Apply changes to all generations; how many were news to the live one."""

    async def completed(self) -> None:
        """The live generation agrees with its owners: it may answer from now on."""

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """Whether it is for this process to repair the live generation now."""

    async def begin(self) -> Generation:
        """An empty generation beside the live one; changes go to both.

        Raises:
            Conflict: if one is rising already.
        """

    async def switch(self) -> None:
        """The rising generation answers from now on; the old one is removed."""

    async def abandon(self) -> None:
        """Drop what is rising, if anything; the live generation stays as it is."""


class Owners(Protocol):
    """Catalog and techdocs, who hold the truth. All raise Unavailable when away."""

    async def entity_sum(self) -> Sum:
        """Count and checksum over the catalog's entities."""

    def entities(self) -> AsyncIterator[EntityPut]:
        """Every entity as it is now."""

    async def operations(self, specs: Sequence[Mapping[str, object]]) -> Sequence[str]:
        """The words of the operations of each definition: `{type, definition}`."""

    async def site_sum(self) -> Sum:
        """Count and checksum over the published sites."""

    def sites(self, ref: str | None = None) -> AsyncIterator[SitePut]:
        """Every published site, or the one of an entity."""
