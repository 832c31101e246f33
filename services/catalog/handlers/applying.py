"""Candidates to changes of the catalog: what is new, what differs, whose it is.

First registrant wins: an entity may be changed by the location that brought it, until
that location lets it go. Writers that meet on one entity find each other by revision.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.ingest.candidates import (
    Candidate,
    etag_of,
    is_restricted,
    status_item,
    taken_error,
)
from services.catalog.model import EntityJson, StoredChange, StoredEntity
from services.catalog.ports import EntityStore
from shared.contracts.annotations import MANAGED_BY_ORIGIN
from shared.contracts.catalog import Cause
from shared.contracts.errors import CallboardError, Conflict

TRIES = 5
#: So many documents are unpacked and compared before others get their turn.
CHUNK = 150
#: The same where new documents are made of them.
UPSERTS = 50


class Overtaken(Exception):
    """An entity was changed since its source was read: the source must be read anew."""


class Applier:
    """Writes candidates and shows what was written.

    What the candidates were made of was read after this was made.
    """

    def __init__(self, store: EntityStore, state: CatalogState, actor: str) -> None:
        self._store = store
        self._state = state
        self._actor = actor
        self._began = state.clock
        self._mark = object()

    async def upsert(
        self,
        candidates: Sequence[Candidate],
        cause_of: Callable[[Candidate], Cause],
        *,
        adopt: Callable[[StoredEntity], bool] | None = None,
    ) -> list[Candidate]:
        """Store what differs; the candidates that belong to another location.

        `adopt` tells of such an entity whether its owner has just let it go.

        Raises:
            Overtaken: if others changed an entity meanwhile: they may have read a
                newer source, which must not be undone.
        """
        waiting = list(candidates)
        foreign: list[Candidate] = []
        for _ in range(TRIES):
            changes: list[StoredChange] = []
            own: list[Candidate] = []
            for count, candidate in enumerate(waiting, 1):
                if count % UPSERTS == 0:
                    await asyncio.sleep(0)
                held = self._state.get(candidate.ref)
                if _is_foreign(held, candidate, adopt):
                    foreign.append(candidate)
                    continue
                cause = cause_of(candidate)
                after = after_of(held, candidate, cause)
                if after is not None:
                    self.check_not_overtaken(candidate.ref)
                    own.append(candidate)
                    changes.append(
                        StoredChange(candidate.ref, held, after, self._actor, cause)
                    )
            lost = set(await self.write(changes))
            waiting = [candidate for candidate in own if candidate.ref in lost]
            if not waiting:
                return foreign
        raise _contended(waiting[0].ref)

    def check_not_overtaken(self, *refs: str) -> None:
        """Raise Overtaken if others changed one of these since this was made."""
        for ref in refs:
            if self._state.overtaken(ref, self._began, self._mark):
                raise Overtaken(ref)

    async def write(self, changes: Sequence[StoredChange]) -> Sequence[str]:
        """Write changes, show them, and learn what the lost ones met."""
        if not changes:
            return ()
        written = await self._store.write(changes)
        await self._state.show(written, self._mark)
        if written.lost:
            await learn(self._store, self._state, written.lost)
        return written.lost

    async def settle(
        self, refs: Sequence[str], step: Callable[[StoredEntity], StoredChange | None]
    ) -> None:
        """Make one change to each of these entities, whatever others do meanwhile."""
        for start in range(0, len(refs), CHUNK):
            waiting: Sequence[str] = refs[start : start + CHUNK]
            for _ in range(TRIES):
                held = [stored for ref in waiting if (stored := self._state.get(ref))]
                changes = [made for item in held if (made := step(item)) is not None]
                waiting = await self.write(changes)
                if not waiting:
                    break
            if waiting:
                raise _contended(waiting[0])
            await asyncio.sleep(0)

    async def refuse(self, ref: str, errors: Sequence[Any], cause: Cause) -> None:
        """Show problems in an entity's status; the rest stays as it last was good."""

        def step(held: StoredEntity) -> StoredChange | None:
            after = with_errors(held, tuple(errors), cause)
            if after is None:
                return None
            return StoredChange(ref, held, after, self._actor, cause)

        await self.settle([ref], step)

    async def report(
        self, items: Mapping[str, Sequence[Any]], location: str, cause: Cause
    ) -> None:
        """Show problems of one location in the statuses of what it provides."""

        def step(held: StoredEntity) -> StoredChange | None:
            if held.location_key != location:
                return None
            after = with_errors(held, tuple(items[held.ref]), cause)
            if after is None:
                return None
            return StoredChange(held.ref, held, after, self._actor, cause)

        await self.settle(list(items), step)

    async def delete(self, refs: Sequence[str], cause: Cause) -> None:
        """Remove entities."""

        def step(held: StoredEntity) -> StoredChange:
            return StoredChange(held.ref, held, None, self._actor, cause)

        await self.settle(refs, step)

    async def reparent(self, ref: str, parents: tuple[str, ...], cause: Cause) -> None:
        """Leave an entity to those that still emit it."""

        def step(held: StoredEntity) -> StoredChange:
            left = tuple(p for p in held.parents if p in parents)
            over = self._state.get(left[0]) if left else None
            origin = over.origin if over else held.origin
            after = moved(held, left, origin, cause)
            return StoredChange(held.ref, held, after, self._actor, cause)

        await self.settle([ref], step)


def _is_foreign(
    held: StoredEntity | None,
    candidate: Candidate,
    adopt: Callable[[StoredEntity], bool] | None,
) -> bool:
    if held is None or held.location_key == candidate.location:
        return False
    return adopt is None or not adopt(held)


async def learn(store: EntityStore, state: CatalogState, refs: Sequence[str]) -> None:
    """Look at what the store holds of some entities, and show that."""
    there = await store.load(refs)
    state.put_many(list(there.values()))
    for ref in refs:
        if ref not in there:
            state.drop(ref)


def _contended(ref: str) -> CallboardError:
    return Conflict(f"{ref}: changed by others {TRIES} times meanwhile; try again")


def foreign_error(candidate: Candidate, held: StoredEntity | None) -> CallboardError:
    """What a location is told whose entity belongs to another."""
    # Where something restricted comes from is not for everybody who wants its name.
    named = held is not None and not is_restricted(held.entity)
    owner = held.location_key if held is not None and named else "another location"
    return taken_error(candidate.ref, owner)


def after_of(
    held: StoredEntity | None,
    candidate: Candidate,
    cause: Cause,
) -> StoredEntity | None:
    """What a candidate makes of an entity; None: nothing changes."""
    own = candidate.parents
    now = datetime.now(UTC)
    if held is None:
        identity = str(uuid.uuid4())
        return StoredEntity(
            ref=candidate.ref,
            uid=identity,
            revision=0,
            entity=_identified(candidate.entity, identity, candidate.etag),
            relations=candidate.relations,
            location=candidate.location,
            origin=candidate.origin,
            location_key=candidate.location,
            created=now,
            updated=now,
            cause=cause,
            errors=candidate.errors,
            parents=own,
        )
    adopted = held.location_key != candidate.location
    parents = own if adopted else tuple(dict.fromkeys((*held.parents, *own)))
    if parents[:1] != own[:1] and candidate.origin != held.origin:
        # Who provided it first stays its origin until they let it go.
        candidate = candidate.with_origin(held.origin)
    if held.entity["metadata"]["etag"] == candidate.etag and parents == held.parents:
        return None
    return replace(
        held,
        entity=_identified(candidate.entity, held.uid, candidate.etag),
        relations=candidate.relations,
        location=candidate.location,
        origin=candidate.origin,
        location_key=candidate.location,
        cause=cause,
        errors=candidate.errors,
        parents=parents,
    )


def with_errors(
    held: StoredEntity, errors: tuple[Any, ...], cause: Cause
) -> StoredEntity | None:
    """The entity with these items in its status; None if it has them already."""
    if held.errors == errors:
        return None
    etag = etag_of(_anonymous(held.entity), held.relations, errors)
    entity = _identified(held.entity, held.uid, etag)
    return replace(held, entity=entity, errors=errors, cause=cause)


def moved(
    held: StoredEntity, parents: tuple[str, ...], origin: str, cause: Cause
) -> StoredEntity:
    """The entity under other parents, whose root is its origin now."""
    metadata = held.entity["metadata"]
    annotations = {**metadata.get("annotations", {}), MANAGED_BY_ORIGIN: origin}
    entity = _anonymous(
        {**held.entity, "metadata": {**metadata, "annotations": annotations}}
    )
    etag = etag_of(entity, held.relations, held.errors)
    return replace(
        held,
        entity=_identified(entity, held.uid, etag),
        parents=parents,
        origin=origin,
        cause=cause,
    )


def _identified(entity: EntityJson, identity: str, etag: str) -> dict[str, Any]:
    metadata = {**entity["metadata"], "uid": identity, "etag": etag}
    return {**entity, "metadata": metadata}


def _anonymous(entity: EntityJson) -> dict[str, Any]:
    metadata = {
        key: value
        for key, value in entity["metadata"].items()
        if key not in {"uid", "etag"}
    }
    return {**entity, "metadata": metadata}


def conflict_item(candidate: Candidate, held: StoredEntity | None) -> dict[str, Any]:
    """The conflict as it stands in the status of the location that lost."""
    return status_item(foreign_error(candidate, held))
