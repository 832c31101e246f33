"""Catching up with the owners: what events did not tell is read from their snapshots.

The event log may forget (retention, a restart of the embedded broker). Checksums say
whether the index agrees with its owners; if not, their snapshot is walked and only what
differs is written.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace

from services.search.alias import Alias
from services.search.generation import Generation
from services.search.ledger import Ledger
from services.search.model import (
    Change,
    EntityGone,
    EntityPut,
    SiteGone,
    SitePut,
    Sum,
    Version,
)
from services.search.ports import Owners
from shared.contracts.errors import Unavailable

BATCH = 2_000
BATCH_TEXT = 4_000_000
#: The owners move on while their snapshots are walked: so often it is tried again.
TRIES = 6
#: No event comes later than this; then a tombstone has done its work.
TOMB_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """Ours beside theirs."""

    entities: Sum
    sites: Sum
    owner_entities: Sum
    owner_sites: Sum

    @property
    def reached(self) -> bool:
        """Whether the index shows exactly what the owners hold."""
        return self.entities == self.owner_entities and self.sites == self.owner_sites


async def compare(generation: Generation, owners: Owners) -> Agreement:
    """Ask the owners for their checksums and put ours beside them.

    Raises:
        Unavailable: if an owner does not answer.
    """
    theirs = await owners.entity_sum()
    their_sites = await owners.site_sum()
    ledger = generation.ledger
    return Agreement(ledger.entity_sum, ledger.site_sum, theirs, their_sites)


async def repair(
    generation: Generation, owners: Owners, agreement: Agreement
) -> AsyncIterator[int]:
    """Write what differs; yields how many changes were applied after each batch.

    Events may arrive meanwhile: a state that changed since the walk began is left to
    them.
    """
    if agreement.entities != agreement.owner_entities:
        async for done in _apply(generation, _entity_changes(generation, owners)):
            yield done
    if agreement.sites != agreement.owner_sites:
        async for done in _apply(generation, _site_changes(generation, owners)):
            yield done


async def _entity_changes(
    generation: Generation, owners: Owners
) -> AsyncIterator[Change]:
    before: Mapping[str, Version] = dict(generation.ledger.entities)
    tombs: Mapping[str, Version] = dict(generation.ledger.gone)
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
    before = dict(generation.ledger.sites)
    seen: set[str] = set()
    async for put in owners.sites():
        seen.add(put.ref)
        if before.get(put.ref) != put.site:
            yield put
    for ref in before.keys() - seen:
        # An event may have brought this site while the snapshot was on its way.
        if generation.ledger.sites.get(ref) == before[ref]:
            yield SiteGone(ref)


async def _apply(
    generation: Generation, changes: AsyncIterator[Change]
) -> AsyncIterator[int]:
    batch: list[Change] = []
    size = 0
    async for change in changes:
        batch.append(change)
        if isinstance(change, SitePut):
            size += sum(len(section.text) for section in change.sections)
        if len(batch) >= BATCH or size >= BATCH_TEXT:
            yield await generation.apply(batch)
            batch, size = [], 0
    if batch:
        yield await generation.apply(batch)


async def catch_up(alias: Alias, owners: Owners) -> int:
    """Bring the live generation up to its owners; how many changes that took.

    Raises:
        Unavailable: if an owner does not answer; what was applied stays.
    """
    generation, total = alias.live, 0
    for _ in range(TRIES):
        agreement = await compare(generation, owners)
        if agreement.reached:
            break
        async for done in repair(generation, owners, agreement):
            total += done
    await generation.forget_tombs(time.time() - TOMB_SECONDS)
    # The owners may be moving faster than their snapshots can be walked; the rest
    # comes by events, and the next look compares again.
    await alias.completed(generation)
    return total


@dataclass(frozen=True, slots=True)
class Progress:
    """A rebuild as it goes: `done` of about `total` records are in the new index."""

    step: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The proof: checksums of the new index, of the old one, and of the owners."""

    agreement: Agreement
    live_entities: Sum
    live_sites: Sum
    seconds: float


async def rebuild(
    alias: Alias, owners: Owners, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[Progress | Rebuilt]:
    """Build a fresh index beside the live one, prove it equal to the owners, switch.

    The last thing yielded is the proof.

    Raises:
        Conflict: if a rebuild is going on.
        Unavailable: if an owner is away, or agreement was not reached; the live index
            stays as it was.
    """
    begun, done = clock(), 0
    rising = await alias.begin()
    try:
        for _ in range(TRIES):
            agreement = await compare(rising, owners)
            total = agreement.owner_entities.count + agreement.owner_sites.count
            yield Progress("reading", done, total)
            if agreement.reached:
                break
            async for applied in repair(rising, owners, agreement):
                done += applied
                yield Progress("reading", done, total)
        yield Progress("proving", done, done)
        agreement = await _proven(rising, agreement)
        live = alias.live.ledger
        old = (live.entity_sum, live.site_sum)
        await alias.switch()
    except BaseException:
        await alias.abandon()
        raise
    yield Rebuilt(agreement, *old, clock() - begun)


async def _proven(rising: Generation, agreement: Agreement) -> Agreement:
    """The agreement again, counted in the index itself and not in our books."""
    counted = Ledger.of(await rising.index.holdings())
    same = (counted.entity_sum, counted.site_sum) == (
        agreement.owner_entities,
        agreement.owner_sites,
    )
    if not same:
        raise Unavailable("The new index does not agree with its owners; kept the old")
    return agreement
