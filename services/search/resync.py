"""Synchronizes the index with the snapshots of catalog and techdocs.

Events can be lost (retention, a restart of the embedded broker). Checksums show whether
the index agrees with its sources; if not, their snapshots are read and the differences
are written.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from services.search.api_operations import with_operations
from services.search.model import (
    Change,
    Checksum,
    EntityRemoval,
    EntityUpsert,
    SiteRemoval,
    SiteUpsert,
    Version,
)
from services.search.ports import Alias, IndexVersion, Owners
from shared.contracts.errors import Unavailable

BATCH = 2_000
BATCH_TEXT = 4_000_000
#: The sources change while their snapshots are read, so it is tried several times.
ATTEMPTS = 6
#: No event is later than this, so an older tombstone is not needed any more.
TOMBSTONE_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class OwnedRecords:
    """One part of the index, with the data of one source (catalog or techdocs)."""

    name: str
    source: Callable[[Owners], Awaitable[Checksum]]
    changes: Callable[[IndexVersion, Owners], AsyncIterator[Change]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The checksums of one part in the index (`ours`) and at its source (`theirs`)."""

    indexed: Checksum
    source: Checksum

    @property
    def reached(self) -> bool:
        """Whether the index equals its source."""
        return self.indexed == self.source


async def compare(
    index_version: IndexVersion, owners: Owners, part: OwnedRecords
) -> Agreement:
    """Compare the checksums of a part with those of its source.

    Raises:
        Unavailable: if the source does not answer.
    """
    source = await part.source(owners)
    return Agreement((await index_version.checksums())[part.name], source)


async def repair(
    index_version: IndexVersion, owners: Owners, part: OwnedRecords
) -> AsyncIterator[int]:
    """Write the differences; yields the number of applied changes after each batch.

    Objects that change meanwhile are left to their events.
    """
    batch: list[Change] = []
    size = 0
    async for change in part.changes(index_version, owners):
        batch.append(change)
        if isinstance(change, SiteUpsert):
            size += sum(len(section.text) for section in change.sections)
        if len(batch) >= BATCH or size >= BATCH_TEXT:
            yield await index_version.apply(await with_operations(owners, batch))
            batch, size = [], 0
    if batch:
        yield await index_version.apply(await with_operations(owners, batch))


async def _entity_changes(
    index_version: IndexVersion, owners: Owners
) -> AsyncIterator[Change]:
    indexed = await index_version.indexed_versions()
    entities, tombstones = indexed.entities, indexed.tombstones
    started_at = time.time()
    snapshot_refs: set[str] = set()
    async for put in owners.entities():
        snapshot_refs.add(put.ref)
        indexed_version = entities.get(put.ref)
        if indexed_version is None or not _is_same(indexed_version, put.version):
            version = replace(put.version, at=started_at)
            # The index has another version, or a tombstone of an existing entity.
            replaced = indexed_version or tombstones.get(put.ref)
            yield EntityUpsert(put.ref, version, put.entity, replaced)
    for ref in entities.keys() - snapshot_refs:
        indexed_version = entities[ref]
        yield EntityRemoval(
            ref, replace(indexed_version, at=started_at), indexed_version
        )


def _is_same(first: Version, second: Version) -> bool:
    return (first.uid, first.revision) == (second.uid, second.revision)


async def _site_changes(
    index_version: IndexVersion, owners: Owners
) -> AsyncIterator[Change]:
    sites = (await index_version.indexed_versions()).sites
    snapshot_refs: set[str] = set()
    async for put in owners.sites():
        snapshot_refs.add(put.ref)
        if sites.get(put.ref) != put.site:
            yield put
    for ref in sites.keys() - snapshot_refs:
        # An event may have brought another site while the snapshot was read.
        yield SiteRemoval(ref, sites[ref])


ENTITIES = OwnedRecords(
    "entities",
    lambda owners: owners.entity_checksum(),
    _entity_changes,
)
SITES = OwnedRecords(
    "sites",
    lambda owners: owners.site_checksum(),
    _site_changes,
)
PARTS = (ENTITIES, SITES)


async def catch_up(alias: Alias, owners: Owners, part: OwnedRecords) -> int:
    """Repair a part of the live version until it agrees with its source.

    Returns the number of applied changes. The version answers queries as soon as it has
    the entities; pages follow. If several processes share an index, one repairs it.

    Raises:
        Unavailable: if the source does not answer; applied changes stay.
    """
    index_version, total = alias.live, 0
    for _ in range(ATTEMPTS):
        if (await compare(index_version, owners, part)).reached:
            break
        async with alias.turn() as is_our_turn:
            if not is_our_turn:
                return total
            async for applied in repair(index_version, owners, part):
                total += applied
    # The source may change faster than its snapshot is read; events bring the rest, and
    # the reconciler compares again.
    if part is ENTITIES:
        await alias.completed()
        await index_version.forget_tombstones(time.time() - TOMBSTONE_SECONDS)
    return total


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """Progress of a rebuild: `done` of about `total` records are in the new index."""

    step: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The agreement of each part of the new index, and the old checksums."""

    agreements: Mapping[str, Agreement]
    live: Mapping[str, Checksum]
    seconds: float


async def rebuild(
    alias: Alias, owners: Owners, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[RebuildProgress | Rebuilt]:
    """Build a new index beside the live one, verify its checksums, and switch to it.

    The last yielded item is the result.

    Raises:
        Conflict: if a rebuild is running.
        Unavailable: if a source is unavailable, or agreement was not reached; the live
            index stays.
    """
    started_at = clock()
    candidate = await alias.begin()
    try:
        for part in PARTS:
            async for step in _fill(candidate, owners, part):
                yield step
        agreements = await _prove(candidate, owners)
        live = await alias.live.checksums()
        await alias.switch()
    except BaseException:
        # Cancellation and GeneratorExit, if the caller hangs up, are no Exceptions.
        await alias.abandon()
        raise
    yield Rebuilt(agreements, live, clock() - started_at)


async def _fill(
    candidate: IndexVersion, owners: Owners, part: OwnedRecords
) -> AsyncIterator[RebuildProgress]:
    done = 0
    for _ in range(ATTEMPTS):
        agreement = await compare(candidate, owners, part)
        yield RebuildProgress(part.name, done, agreement.source.count)
        if agreement.reached:
            return
        async for applied in repair(candidate, owners, part):
            done += applied
            yield RebuildProgress(part.name, done, max(done, agreement.source.count))


async def _prove(candidate: IndexVersion, owners: Owners) -> dict[str, Agreement]:
    """The agreements, with checksums that are computed from the index itself."""
    for _ in range(ATTEMPTS):
        counted = await candidate.recomputed_checksums()
        agreements = {
            part.name: Agreement(counted[part.name], await part.source(owners))
            for part in PARTS
        }
        if all(agreement.reached for agreement in agreements.values()):
            return agreements
        for part in PARTS:
            async for _done in repair(candidate, owners, part):
                pass
    raise Unavailable("The new index does not agree with its owners; kept the old")
