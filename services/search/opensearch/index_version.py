"""A version of the index on the server, which several processes write to.

A process may die at any point: first a change is written, then the pages that depend on
it, then the change is settled, so that it counts in the checksums. An unsettled change
is missing in the next comparison, and is applied again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from services.search.model import (
    Change,
    EntityRemoval,
    EntityUpsert,
    IndexedVersions,
    SiteRemoval,
    SiteUpsert,
)
from services.search.opensearch import checksums, entities, sites
from services.search.opensearch.bulk import Write, bulk
from services.search.opensearch.client import MissingIndex, OpenSearchClient
from services.search.opensearch.index import ServerIndex
from services.search.opensearch.pages import write_pages
from services.search.ports import Checksums

TOMBSTONES_LIMIT = 2_000
T = TypeVar("T")


class ServerIndexVersion:
    """What lies behind one alias of the server.

    `prompt`: what is applied is searchable at once; else only before it is counted.
    `begin` makes what the alias stands for, if it is not there.
    """

    edition = None

    def __init__(
        self,
        client: OpenSearchClient,
        target: str,
        index: ServerIndex,
        *,
        prompt: bool,
        begin: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._client = client
        self._target = target
        self._index = index
        self._prompt = prompt
        self._begin = begin
        # One batch at a time: what waits here is what the server need not queue.
        self._turn = asyncio.Lock()

    @property
    def index(self) -> ServerIndex:
        return self._index

    async def apply(self, changes: Sequence[Change]) -> int:
        async with self._turn:
            return await self._on_existing_index(lambda: self._apply(changes))

    async def _apply(self, changes: Sequence[Change]) -> int:
        if not changes:
            return 0
        client, target = self._client, self._target
        entity_changes, site_changes = _newest(changes)
        written = await entities.write(client, target, entity_changes)
        applied, missing_pages = await sites.write(client, target, site_changes)
        applied += sum(not document_write.again for document_write in written)
        refs = dict.fromkeys(
            [*(document_write.change.ref for document_write in written), *missing_pages]
        )
        pages = await write_pages(client, target, list(refs))
        await sites.settle(client, target, pages)
        await entities.settle(
            client,
            target,
            [document_write for document_write in written if document_write.open],
        )
        if self._prompt:
            # Without changes of this process too: a process that died may have written
            # documents and not refreshed the index.
            await self._refresh()
        return applied

    async def checksums(self) -> Checksums:
        return await self._on_existing_index(self._sums)

    async def recomputed_checksums(self) -> Checksums:
        return await self._on_existing_index(self._sums)

    async def _sums(self) -> Checksums:
        if not self._prompt:
            await self._refresh()
        return await checksums.read_checksums(self._client, self._target)

    async def indexed_versions(self) -> IndexedVersions:
        return await self._on_existing_index(
            lambda: checksums.read_versions(self._client, self._target)
        )

    async def sites_of(self, refs: Sequence[str]) -> dict[str, str]:
        return await self._on_existing_index(
            lambda: sites.settled_sites(self._client, self._target, refs)
        )

    async def forget_tombstones(self, before: float) -> int:
        """At most some thousands at a time; the next look goes on."""
        tombstones = await checksums.find_tombstones(
            self._client, self._target, before, TOMBSTONES_LIMIT
        )
        writes = [
            Write(identity, None, expected=tomb.place)
            for identity, tomb in tombstones.items()
        ]
        if writes:
            await bulk(self._client, self._target, writes)
            await self._refresh()
        return len(writes)

    async def _refresh(self) -> None:
        with self._client.calls() as server:
            await server.indices.refresh(index=self._target)

    async def _on_existing_index(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await ask()
        except MissingIndex:
            if self._begin is None:
                raise
            await self._begin()
            return await ask()


def _newest(
    changes: Sequence[Change],
) -> tuple[dict[str, entities.EntityChange], dict[str, sites.SiteChange]]:
    """The last state of each thing: entities by their versions, sites as told."""
    entity_changes: dict[str, entities.EntityChange] = {}
    site_changes: dict[str, sites.SiteChange] = {}
    for change in changes:
        match change:
            case SiteUpsert() | SiteRemoval():
                site_changes[change.ref] = change
            case EntityUpsert() | EntityRemoval():
                previous = entity_changes.get(change.ref)
                if previous is None or change.version.is_newer_than(previous.version):
                    entity_changes[change.ref] = change
    return entity_changes, site_changes
