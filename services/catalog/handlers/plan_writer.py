"""Writes plans to the store, and shows what was written.

Each write expects the revision that it was planned for. Where another writer was first,
it is planned once more; a change that was made from an older source is given up.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.handlers.root_follower import RootFollower, learn
from services.catalog.model import RootLocation, StoredChange
from services.catalog.planning.entities import plan_entities
from services.catalog.planning.plan import (
    EntityWrite,
    IngestionPlan,
    NameRefusal,
    Step,
)
from services.catalog.ports import EntityStore, RootLocationStore
from shared.contracts.errors import CallboardError, Conflict

TRIES = 5
#: So many entities are written at once.
BATCH = 1000
#: So many documents are unpacked and changed before others get their turn.
CHUNK = 150


class Overtaken(Exception):
    """Something was changed since its source was read: the source must be read anew."""


class PlanWriter:
    """Where plans of one reading are applied: the store and the state.

    What is planned was read after this was made.
    """

    def __init__(
        self,
        store: EntityStore,
        roots: RootLocationStore,
        state: CatalogState,
        root_follower: RootFollower,
        actor: str,
    ) -> None:
        self._store = store
        self._roots = roots
        self._state = state
        self._root_follower = root_follower
        self._actor = actor
        self._start_clock = state.clock
        self._mark = object()
        self._stored_root: RootLocation | None = None

    async def apply(self, plan: IngestionPlan) -> Sequence[NameRefusal]:
        """Write a plan; names that another location took since it was made.

        Raises:
            Overtaken: if others changed an entity, or the root, meanwhile: they may
                have read a newer source, which must not be undone.
        """
        refusals: list[NameRefusal] = []
        for start in range(0, len(plan.writes), BATCH):
            refusals += await self._write_entities(plan.writes[start : start + BATCH])
        await self._write_steps(plan.problems)
        self._check_not_overtaken((*plan.moves, *plan.deletions))
        for move in plan.moves:
            # Its origin is that of its parent, which may have moved just before.
            await self._write_steps([move], is_removing=True)
        await self._write_steps(plan.deletions, is_removing=True)
        if plan.root is not None:
            await self._write_root(plan.root)
        return refusals

    async def _write_entities(
        self, writes: Sequence[EntityWrite]
    ) -> Sequence[NameRefusal]:
        causes = {write.ref: write.after.cause for write in writes}
        leaving = {write.ref for write in writes if write.takes_over}
        refusals: list[NameRefusal] = []
        for _ in range(TRIES):
            self._check_not_overtaken(writes)
            lost_refs = await self._write(
                [
                    StoredChange(w.ref, w.before, w.after, self._actor, w.after.cause)
                    for w in writes
                ]
            )
            if not lost_refs:
                return refusals
            new_plan = await plan_entities(
                self._state,
                [write.candidate for write in writes if write.ref in lost_refs],
                lambda candidate: causes[candidate.ref],
                leaving=leaving,
            )
            writes = new_plan.writes
            refusals += new_plan.refusals
        if writes:
            raise _contention_error(writes[0].ref)
        return refusals

    async def _write_steps(
        self, steps: Sequence[Step], *, is_removing: bool = False
    ) -> None:
        """Change each of these entities.

        With `is_removing` only those that nobody else changes meanwhile: another
        Location entity may have come to emit one, or have let it go.
        """
        for start in range(0, len(steps), CHUNK):
            pending_steps = {step.ref: step for step in steps[start : start + CHUNK]}
            for _ in range(TRIES):
                if is_removing:
                    self._check_not_overtaken(pending_steps.values())
                lost_refs = await self._write(self._changes(pending_steps.values()))
                pending_steps = {ref: pending_steps[ref] for ref in lost_refs}
                if not pending_steps:
                    break
            else:
                raise _contention_error(next(iter(pending_steps)))
            await asyncio.sleep(0)

    def _changes(self, steps: Iterable[Step]) -> list[StoredChange]:
        changes = []
        for step in steps:
            before = self._state.get(step.ref)
            if before is None:
                continue
            after = step.after(before, self._state)
            if after is not before:
                changes.append(
                    StoredChange(step.ref, before, after, self._actor, step.cause)
                )
        return changes

    async def _write(self, changes: Sequence[StoredChange]) -> frozenset[str]:
        """Write changes, show them, and learn what the lost ones met."""
        if not changes:
            return frozenset()
        result = await self._store.write(changes)
        await self._state.apply(result, self._mark)
        if result.lost:
            await learn(self._store, self._root_follower, self._state, result.lost)
        return frozenset(result.lost)

    def _check_not_overtaken(self, changes: Iterable[EntityWrite | Step]) -> None:
        """Raise Overtaken if others changed one of these since this was made."""
        for change in changes:
            if self._state.is_overtaken(change.ref, self._start_clock, self._mark):
                raise Overtaken(change.ref)

    async def _write_root(self, root: RootLocation) -> None:
        if self._stored_root is not None:
            # It was planned before this reading wrote it.
            root = replace(root, version=self._stored_root.version)
        self._stored_root = await self._roots.put(root)
        if self._stored_root is None:
            raise Overtaken(root.name)
        self._state.put_root(self._stored_root)


async def differing_since(
    store: EntityStore, state: CatalogState, moment: datetime
) -> list[str]:
    """The refs that were written since a moment, and that the state shows otherwise."""
    revisions = await store.changed_since(moment)
    return sorted(
        ref for ref, revision in revisions.items() if state.revision(ref) != revision
    )


def _contention_error(ref: str) -> CallboardError:
    return Conflict(f"{ref}: changed by others {TRIES} times meanwhile; try again")
