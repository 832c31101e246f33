"""Search's ports: the index, and the services that own the indexed data.

The index is embedded in this process, or on a server that all replicas write to. In
both forms, an alias points to the live version of the index.
"""

from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.search.model import (
    Change,
    Checksum,
    Document,
    EntityUpsert,
    HitPage,
    IndexedVersions,
    IndexRecord,
    SiteUpsert,
)
from services.search.query import SearchRequest

StoredRecord = tuple[Document, Mapping[str, object]]
#: The checksum of each part by its name (`entities`, `sites`).
Checksums = Mapping[str, Checksum]


class SearchIndex(Protocol):
    """Answers queries. Raises Unavailable if it cannot."""

    async def find(self, question: SearchRequest) -> HitPage:
        """A page of hits, best first in a stable order, and the exact total."""

    async def count(self) -> int:
        """The number of records."""


class RecordIndex(SearchIndex, Protocol):
    """An index of records in groups; writes are searchable when they return."""

    async def replace(self, groups: Mapping[str, Sequence[IndexRecord]]) -> None:
        """Replace the records of each group, all groups or none."""

    async def stored_values(
        self, groups: Sequence[str]
    ) -> dict[str, list[StoredRecord]]:
        """The documents and stored values of these groups, in their written order."""

    async def indexed_versions(self) -> list[tuple[str, str, Mapping[str, object]]]:
        """Role, ref and stored values of the records of all entities and sites."""

    async def close(self) -> None:
        """Close files and connections."""


class IndexVersion(Protocol):
    """One version of the index, and the versions of the entities and sites in it."""

    @property
    def index(self) -> SearchIndex:
        """The index that answers queries."""

    @property
    def edition(self) -> Hashable | None:
        """A value that changes whenever answers may change; None if it is unknown."""

    async def apply(self, changes: Sequence[Change]) -> int:
        """Apply changes to the index; returns the number of new ones.

        It is idempotent and accepts any order: changes that are older than the index
        are skipped. Changes are searchable when this returns.
        """

    async def checksums(self) -> Checksums:
        """The checksums, to be compared with those of catalog and techdocs."""

    async def recomputed_checksums(self) -> Checksums:
        """The checksums, computed from the index itself and not from the ledger."""

    async def indexed_versions(self) -> IndexedVersions:
        """All versions in the index."""

    async def sites_of(self, refs: Sequence[str]) -> Mapping[str, str]:
        """The indexed sites of these entities."""

    async def forget_tombstones(self, before: float) -> int:
        """Delete tombstones of deletions before this time; returns their number."""


class Alias(Protocol):
    """Passes queries and changes to the current version of the index."""

    @property
    def live(self) -> IndexVersion:
        """The version that takes changes.

        Raises:
            Unavailable: if none is open.
        """

    @property
    def answering(self) -> IndexVersion:
        """The version that answers queries, once it is complete.

        Raises:
            Unavailable: while the first version is being built.
        """

    @property
    def quarantine_reason(self) -> str | None:
        """Why the index was quarantined at the start, if it was."""

    async def open(self) -> None:
        """Open the live version, or create an empty one."""

    async def close(self) -> None:
        """Close all versions."""

    async def check(self) -> None:
        """Raise Unavailable unless queries are answered now."""

    async def apply(self, changes: Sequence[Change]) -> int:
        """Apply changes to all versions; returns the number new to the live one."""

    async def completed(self) -> None:
        """Mark the live version as complete, so that it answers queries."""

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """Whether this process may repair the live version while the block runs."""

    async def begin(self) -> IndexVersion:
        """Create an empty version beside the live one; changes go to both.

        Raises:
            Conflict: if a rebuild is running.
        """

    async def switch(self) -> None:
        """Make the new version live, and delete the old one."""

    async def abandon(self) -> None:
        """Delete the new version, if any; the live version stays."""


class Owners(Protocol):
    """Catalog and techdocs, which own the indexed data; all raise Unavailable."""

    async def entity_checksum(self) -> Checksum:
        """Number and checksum of the catalog's entities."""

    def entities(self) -> AsyncIterator[EntityUpsert]:
        """Every entity in its current version."""

    async def operations(self, specs: Sequence[Mapping[str, object]]) -> Sequence[str]:
        """The words of the operations of each `{type, definition}`."""

    async def site_checksum(self) -> Checksum:
        """Number and checksum of the published sites."""

    def sites(self, ref: str | None = None) -> AsyncIterator[SiteUpsert]:
        """Every published site, or the site of one entity."""
