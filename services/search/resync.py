"""Catching up with the owners: what events did not tell is read from their snapshots.

The event log may forget (retention, a restart of the embedded broker). Checksums say
whether the index agrees with its owners; if not, their snapshot is walked and only what
differs is written.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from services.search.described_apis import with_operations
from services.search.model import (
    Change,
    EntityGone,
    EntityPut,
    SiteGone,
    SitePut,
    Sum,
    Version,
)
from services.search.ports import Alias, Generation, Owners
from shared.contracts.errors import Unavailable

BATCH = 2_000
BATCH_TEXT = 4_000_000
#: The owners move on while their snapshots are walked: so often it is tried again.
TRIES = 6
#: No event comes later than this; then a tombstone has done its work.
TOMB_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class OwnedRecords:
    """What one owner holds: compared and repaired without asking the other one."""

    name: str
    theirs: Callable[[Owners], Awaitable[Sum]]
    changes: Callable[[Generation, Owners], AsyncIterator[Change]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Ours beside theirs, of one part."""

    ours: Sum
    theirs: Sum

    @property
    def reached(self) -> bool:
        """Whether the index shows exactly what the owner holds."""
        return self.ours == self.theirs


async def compare(
    generation: Generation, owners: Owners, part: OwnedRecords
) -> Agreement:
    """Ask the owner for its checksum and put ours beside it.

    Raises:
        Unavailable: if the owner does not answer.
    """
    theirs = await part.theirs(owners)
    return Agreement((await generation.sums())[part.name], theirs)


async def repair(
    generation: Generation, owners: Owners, part: OwnedRecords
) -> AsyncIterator[int]:
    """Write what differs; yields how many changes were applied after each batch.

    Events may arrive meanwhile: a state that changed since the walk began is left to
    them.
    """
    batch: list[Change] = []
    size = 0
    async for change in part.changes(generation, owners):
        batch.append(change)
        if isinstance(change, SitePut):
            size += sum(len(section.text) for section in change.sections)
        if len(batch) >= BATCH or size >= BATCH_TEXT:
            yield await generation.apply(await with_operations(owners, batch))
            batch, size = [], 0
    if batch:
        yield await generation.apply(await with_operations(owners, batch))


async def _entity_changes(
    generation: Generation, owners: Owners
) -> AsyncIterator[Change]:
    held = await generation.holdings()
    before, tombs = held.entities, held.gone
    begun = time.time()
    seen: set[str] = set()
    async for put in owners.entities():
        seen.add(put.ref)
        known = before.get(put.ref)
        if known is None or not _same(known, put.version):
            version = replace(put.version, at=begun)
            # What we believed dead is alive, or in another state than we believed.
            believed = known or tombs.get(put.ref)
            yield EntityPut(put.ref, version, put.entity, believed)
    for ref in before.keys() - seen:
        known = before[ref]
        yield EntityGone(ref, replace(known, at=begun), known)


def _same(known: Version, theirs: Version) -> bool:
    return (known.uid, known.revision) == (theirs.uid, theirs.revision)


async def _site_changes(
    generation: Generation, owners: Owners
) -> AsyncIterator[Change]:
    before = (await generation.holdings()).sites
    seen: set[str] = set()
    async for put in owners.sites():
        seen.add(put.ref)
        if before.get(put.ref) != put.site:
            yield put
    for ref in before.keys() - seen:
        # An event may have brought another site while the snapshot was on its way.
        yield SiteGone(ref, before[ref])


ENTITIES = OwnedRecords(
    "entities",
    lambda owners: owners.entity_sum(),
    _entity_changes,
)
SITES = OwnedRecords(
    "sites",
    lambda owners: owners.site_sum(),
    _site_changes,
)
PARTS = (ENTITIES, SITES)


async def catch_up(alias: Alias, owners: Owners, part: OwnedRecords) -> int:
    """Bring a part of the live generation up to its owner; how many changes it took.

    The generation answers from when it has the entities: pages follow. Where several
    processes share an index, one repairs it and the others go on.

    Raises:
        Unavailable: if the owner does not answer; what was applied stays.
    """
    generation, total = alias.live, 0
    for _ in range(TRIES):
        if (await compare(generation, owners, part)).reached:
            break
        async with alias.turn() as ours:
            if not ours:
                return total
            async for done in repair(generation, owners, part):
                total += done
    # The owner may be moving faster than its snapshot can be walked; the rest comes
    # by events, and the next look compares again.
    if part is ENTITIES:
        await alias.completed()
        await generation.forget_tombs(time.time() - TOMB_SECONDS)
    return total


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """A rebuild as it goes: `done` of about `total` records are in the new index."""

    step: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The proof: of each part, by name, the new index beside its owner, and the old."""

    agreements: Mapping[str, Agreement]
    live: Mapping[str, Sum]
    seconds: float


async def rebuild(
    alias: Alias, owners: Owners, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[RebuildProgress | Rebuilt]:
    """Build a fresh index beside the live one, prove it equal to the owners, switch.

    The last thing yielded is the proof.

    Raises:
        Conflict: if a rebuild is going on.
        Unavailable: if an owner is away, or agreement was not reached; the live index
            stays as it was.
    """
    begun = clock()
    rising = await alias.begin()
    try:
        for part in PARTS:
            async for step in _filled(rising, owners, part):
                yield step
        agreements = await _proven(rising, owners)
        live = await alias.live.sums()
        await alias.switch()
    except BaseException:
        # A caller that hangs up cancels or closes this: neither is an Exception.
        await alias.abandon()
        raise
    yield Rebuilt(agreements, live, clock() - begun)


async def _filled(
    rising: Generation, owners: Owners, part: OwnedRecords
) -> AsyncIterator[RebuildProgress]:
    done = 0
    for _ in range(TRIES):
        agreement = await compare(rising, owners, part)
        yield RebuildProgress(part.name, done, agreement.theirs.count)
        if agreement.reached:
            return
        async for applied in repair(rising, owners, part):
            done += applied
            yield RebuildProgress(part.name, done, max(done, agreement.theirs.count))


async def _proven(rising: Generation, owners: Owners) -> dict[str, Agreement]:
    """Counted in the index itself and not in our books, beside the owners' sums."""
    for _ in range(TRIES):
        counted = await rising.counted()
        found = {
            part.name: Agreement(counted[part.name], await part.theirs(owners))
            for part in PARTS
        }
        if all(agreement.reached for agreement in found.values()):
            return found
        for part in PARTS:
            async for _done in repair(rising, owners, part):
                pass
    raise Unavailable("The new index does not agree with its owners; kept the old")
