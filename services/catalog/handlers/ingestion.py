"""One root: read it, and make the catalog hold what it says.

Order of writing: entities as they are read, in batches; then moves and deletions; then
Location entities with their status; last the root's own state. A crash anywhere leaves
a root whose files look changed, so that the next reading makes the rest good.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain

from services.catalog.descriptor.definitions import reference_of
from services.catalog.handlers.applying import Applier, Overtaken, conflict_item
from services.catalog.handlers.catalog import CatalogContext, CommandContext
from services.catalog.handlers.effort import Effort
from services.catalog.handlers.problem_reports import ProblemReports
from services.catalog.handlers.reading_ahead import ahead
from services.catalog.handlers.removal import Edge, orphan_deletion
from services.catalog.handlers.source_rights import Admission
from services.catalog.handlers.walk import Key, Target, TargetReading, Walk
from services.catalog.ingest.candidates import (
    RESTRICTED,
    Candidate,
    is_restricted,
    location_entity,
    status_item,
    targets_of,
)
from services.catalog.ingest.problems import FILE_ITEMS, REFUSED_NAMES
from services.catalog.model import FileState, LocationRef, Root, parse_location
from services.catalog.ports import SourceSnapshot
from shared.contracts.annotations import VISIBILITY
from shared.contracts.catalog import Cause
from shared.contracts.errors import CallboardError, Conflict, Unavailable

BATCH = 1000
#: So many targets are read while the ones before them are being stored.
AHEAD = 8
TRIES = 5
#: One reading deletes at most this share of a root's entities, if they are many:
#: a source that suddenly says nothing is more likely broken than empty.
GUARD_SHARE = 0.5
GUARD_ABOVE = 25


async def ingest(
    catalog: CatalogContext,
    root: Root,
    order: CommandContext,
    *,
    only: Collection[Key] | None = None,
    force: bool = False,
) -> Root:
    """Read a root (or the targets `only` of it) and store what it says.

    `force` reads those targets even if they look unchanged. The root's new state; the
    scan leaves out a root whose last reading was too dear.

    Raises:
        Unavailable: if the store, or after a push the Git host, does not answer.
        Conflict: if others keep reading the same root.
    """
    if order.cause.kind == "scan" and catalog.rests.is_resting(root.name):
        return catalog.state.roots.get(root.name, root)
    async with catalog.lock(root):
        # One for all tries: a reading that was overtaken costs as well.
        effort = catalog.effort(str(root.location))
        for _ in range(TRIES):
            current = catalog.state.roots.get(root.name, root)
            stored = None
            try:
                stored = await _Ingestion(catalog, current, order, effort).run(
                    only, force
                )
            except Overtaken:
                # What was read may be older than what is there now.
                pass
            finally:
                catalog.written()
                catalog.rests.note(root.name, effort)
            if stored is not None:
                catalog.state.put_root(stored)
                return stored
            # Another process read the same root meanwhile: look again, it may be newer.
            for other in await catalog.roots.load([root.name]):
                catalog.state.put_root(other)
        raise Conflict(f"{root.location}: is being read by others; try again")


class _Ingestion:
    """One attempt; its fields are what is gathered on the way."""

    def __init__(
        self, catalog: CatalogContext, root: Root, order: CommandContext, effort: Effort
    ) -> None:
        self._catalog = catalog
        self._state = catalog.state
        self._root = root
        self._order = order
        self._reading: SourceSnapshot = catalog.sources.reading(root.location)
        admission = Admission(catalog.rights, root, order.reader)
        self._walk = Walk(
            root,
            self._reading,
            catalog.rules,
            catalog.state,
            admission,
            effort=effort,
        )
        self._applier = Applier(catalog.store, catalog.state, order.actor)
        self._states: dict[Key, FileState] = {}
        self._waiting: list[Candidate] = []
        self._locations: dict[str, Candidate] = {}
        self._foreign: list[Candidate] = []
        self._problems = ProblemReports(catalog.state, self._applier)
        self._lost: set[Edge] = set()
        self._cause = order.cause.model_copy(update={"location": str(root.location)})
        self._causes: dict[str, Cause] = {}

    async def run(self, only: Collection[Key] | None, force: bool) -> Root | None:
        own = self._own_entity()
        if only is None:
            self._locations[own.ref] = own
            walk = self._walk.whole()
        else:
            walk = self._walk.below(self._targets(only), force=force)
        async for found in ahead(walk, AHEAD):
            await self._take(found)
        await self._flush()
        self._drop_unnamed()
        await self._delete_orphans()
        await self._tell_locations()
        return await self._keep(whole=only is None)

    def _own_entity(self, *, restricted: bool = False) -> Candidate:
        location = self._root.location
        links = self._reading.links(location)
        mark = {VISIBILITY: RESTRICTED} if restricted else {}
        return location_entity(location, {**links, **mark})

    def _targets(self, only: Collection[Key]) -> list[Target]:
        targets = []
        for parent, text in only:
            held = self._state.get(parent)
            optional = held is not None and targets_of(held.entity)[2]
            kind, _, target = text.partition(":")
            location = LocationRef(kind, target)
            named_in = None
            if held is not None and parent != self._root.location.entity_ref:
                named_in = parse_location(held.location)
            targets.append(Target(parent, location, optional, origin=named_in))
        return targets

    def _cause_of(self, candidate: Candidate) -> Cause:
        return self._causes.get(candidate.location, self._cause)

    async def _take(self, found: TargetReading) -> None:
        """Gather what one target came to; write when a batch is full."""
        if isinstance(found.error, Unavailable) and self._order.cause.kind == "push":
            raise found.error
        key = found.target.key
        self._states[key] = found.state
        if found.gone:
            gone = self._state.emitted(*key)
            self._lost.update((key[0], ref) for ref in gone)
        if found.unchanged or found.gone:
            return
        if found.error is not None:
            await self._report_failure(found)
            return
        location = found.target.location
        self._cause = await self._reading.described(location, self._order.cause)
        self._causes[str(location)] = self._cause
        missing = self._problems.missing(found)
        self._lost.update((key[0], ref) for ref in missing)
        for candidate in await self._apart(found.candidates):
            if candidate.entity["kind"] == "Location":
                self._merge(self._locations, candidate)
            else:
                self._waiting.append(candidate)
        await self._problems.report_refusals(found, self._cause)
        if len(self._waiting) >= BATCH:
            await self._flush()

    async def _report_failure(self, found: TargetReading) -> None:
        cause = self._cause
        with suppress(CallboardError):
            location = found.target.location
            cause = await self._reading.described(location, self._order.cause)
        await self._problems.report_failure(found, cause)

    async def _apart(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates once their long definitions are stored.

        Definitions come first: no entity ever refers to a text that is not there.
        """
        light = []
        for candidate in candidates:
            reference = reference_of(candidate.entity)
            if candidate.definition is not None and reference is not None:
                await self._catalog.definitions.put(
                    reference.hash, candidate.definition
                )
            light.append(replace(candidate, definition=None))
        return light

    async def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        unique: dict[str, Candidate] = {}
        for candidate in waiting:
            self._merge(unique, candidate)
        self._foreign += await self._applier.upsert(
            list(unique.values()), self._cause_of
        )

    def _merge(self, into: dict[str, Candidate], candidate: Candidate) -> None:
        """Gather a candidate; the same file's again only has one parent more."""
        first = into.get(candidate.ref)
        if first is None:
            into[candidate.ref] = candidate
        elif first.location == candidate.location:
            into[candidate.ref] = first.merged(candidate)
        else:
            self._foreign.append(candidate)

    def _drop_unnamed(self) -> None:
        """What Location entities name no longer is lost, with the state of its file."""
        for parent, keys in self._walk.named.items():
            if parent in self._walk.uncertain:
                continue
            for key in self._root.files:
                if key[0] == parent and key not in keys:
                    refs = self._state.emitted(*key)
                    self._lost.update((parent, ref) for ref in refs)

    def _is_root(self, ref: str) -> bool:
        name = ref.rpartition("/")[2]
        return name in self._state.roots or name == self._root.name

    async def _delete_orphans(self) -> None:
        """Give away what moved, delete what nobody emits any more."""
        deletion = await orphan_deletion(self._state, self._lost, self._is_root)
        leaving = set(deletion.deleted)
        candidates, self._foreign = self._foreign, []
        self._foreign = await self._applier.upsert(
            candidates, self._cause_of, adopt=lambda held: held.ref in leaving
        )
        adopted = {item.ref for item in candidates} - {c.ref for c in self._foreign}
        taken = adopted | self._locations.keys()
        doomed = [ref for ref in deletion.deleted if ref not in taken]
        if self._too_many(doomed):
            self._hold_back(doomed)
            return
        self._applier.check_not_overtaken(*doomed, *deletion.kept)
        cause = self._cause
        if cause.commit is None and (doomed or deletion.kept):
            cause = await self._reading.described(self._root.location, cause)
        for ref, parents in deletion.kept.items():
            if ref not in adopted:
                await self._applier.reparent(ref, parents, cause)
        await self._applier.delete(doomed, cause)

    def _too_many(self, doomed: Sequence[str]) -> bool:
        if len(doomed) <= GUARD_ABOVE:
            return False
        held = {
            ref
            for parent, location in self._root.files
            for ref in self._state.emitted(parent, location)
        }
        return len(doomed) > GUARD_SHARE * len(held)

    def _hold_back(self, doomed: Sequence[str]) -> None:
        """Keep everything and say so; what was read counts as not read."""
        error = Conflict(
            f"{self._root.location}: no longer names {len(doomed)} entities, more than "
            "half of it; nothing was deleted. Unregister it if that is meant"
        )
        parents = {
            parent for ref in doomed for parent in self._state.parents(ref) or ()
        }
        item = status_item(error)
        for key, old in self._root.files.items():
            if key[0] in parents:
                state = self._states.get(key, old)
                self._states[key] = replace(
                    state, digest=None, errors=(*state.errors, item)
                )

    def _veil(self) -> None:
        """The root's own Location entity is as restricted as all that it brought.

        It names where that lies, which would tell of its existence.
        """
        ref = self._root.location.entity_ref
        brought = (
            held.entity
            for key in self._merged()
            if key[0] == ref
            for held in map(self._state.get, self._state.emitted(*key))
            if held is not None
        )
        first = next(brought, None)
        restricted = first is not None and all(
            map(is_restricted, chain([first], brought))
        )
        held = self._state.get(ref)
        changed = held is not None and is_restricted(held.entity) != restricted
        if changed or ref in self._locations:
            self._locations[ref] = self._own_entity(restricted=restricted)

    async def _tell_locations(self) -> None:
        """Store Location entities, each with what its targets had to complain of."""
        self._veil()
        for candidate in self._foreign:
            self._complain(candidate)
        errors = self._problems.of_locations(self._merged())
        own = [
            candidate.with_items(errors.get(ref, ()))
            for ref, candidate in self._locations.items()
        ]
        for foreign in await self._applier.upsert(own, self._cause_of):
            self._complain(foreign)
            errors = self._problems.of_locations(self._merged())
        parents = {parent for parent, _ in self._states} | self._problems.locations
        for ref in sorted(parents - self._locations.keys()):
            await self._applier.refuse(ref, errors.get(ref, ()), self._cause)

    def _complain(self, candidate: Candidate) -> None:
        """Put a conflict into the state of the file that lost it."""
        for parent in candidate.parents:
            key = (parent, candidate.location)
            state = self._states.get(key)
            if state is None or len(state.errors) > FILE_ITEMS + REFUSED_NAMES:
                continue
            item = conflict_item(candidate, self._state.get(candidate.ref))
            self._states[key] = replace(
                state, digest=None, errors=(*state.errors, item)
            )

    def _merged(self) -> dict[Key, FileState]:
        """The root's states after this reading: those of targets that still count."""
        merged = {**self._root.files, **self._states}
        named = self._walk.named
        return {
            key: state
            for key, state in merged.items()
            if (key[0] not in named or key in named[key[0]])
            or key[0] in self._walk.uncertain
        }

    async def _keep(self, *, whole: bool) -> Root | None:
        files = {
            key: state
            for key, state in self._merged().items()
            if self._state.get(key[0]) is not None
        }
        rules = self._catalog.rules.fingerprint if whole else self._root.rules
        following = replace(
            self._root, files=files, settled=self._root.settled or whole, rules=rules
        )
        if following == self._root:
            return self._root
        return await self._catalog.roots.put(following)
