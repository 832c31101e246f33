"""Walks over a root and all that it leads to.

Yields one `TargetReading` per target. `services.catalog.planning` decides what follows
for existing entities and other roots; nothing is stored here.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace

from services.catalog.handlers.admission import Admission
from services.catalog.handlers.effort import Effort
from services.catalog.handlers.target_reader import TargetReader
from services.catalog.ingest.location_targets import (
    MOST_TARGETS,
    targets_of,
    without_own_file,
)
from services.catalog.ingest.rules import Rules
from services.catalog.model import (
    FileState,
    LocationRef,
    RootLocation,
    TargetKey,
)
from services.catalog.planning.reading import Target, TargetReading
from services.catalog.planning.view import CatalogView
from services.catalog.ports import SourceSnapshot
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, NotFound
from shared.guards.budgets import BudgetExceeded

AT_ONCE = 4
#: Targets that Location entities name in one reading, also those that are met again.
NAMED_LIMIT = 50_000
#: How many of them are looked up between two turns of others.
TURN = 50


class Walk:
    """One reading of a root: all of it, or some targets and what is below them."""

    def __init__(
        self,
        root: RootLocation,
        sources: SourceSnapshot,
        rules: Rules,
        state: CatalogView | None,
        admission: Admission,
        *,
        effort: Effort,
    ) -> None:
        self._root = root
        self._sources = sources
        self._reader = TargetReader(
            root, sources, rules, admission, effort=effort, is_dry_run=state is None
        )
        self._state = state
        self._admission = admission
        self._visited_keys: set[TargetKey] = set()
        self._named = 0
        self._effort = effort
        #: The targets that each Location entity names now, if all of them are known.
        self.named: dict[str, set[TargetKey]] = {}
        #: Location entities whose patterns could not be resolved: their targets stay.
        self.uncertain: set[str] = set()
        #: The file of each Location entity that was followed.
        self._named_in: dict[str, str] = {}
        #: Location entities whose names other files have, with the target they are in.
        self.passed_over: dict[str, TargetKey] = {}
        self._trusts_states = state is not None and root.rules == rules.fingerprint

    async def whole(self) -> AsyncIterator[TargetReading]:
        """Everything, from the root's own target down."""
        start = Target(self._root.location.entity_ref, self._root.location)
        targets = await self._spread(start)
        self.named[start.parent] = {target.key for target in targets}
        async for reading in self.below(targets, deep=True):
            yield reading

    async def below(
        self, targets: Collection[Target], *, force: bool = False, deep: bool = False
    ) -> AsyncIterator[TargetReading]:
        """These targets and what they newly lead to; `deep`: all they lead to."""
        queue = deque(self._new(targets))
        while queue:
            batch = [queue.popleft() for _ in range(min(AT_ONCE, len(queue)))]
            readings = await asyncio.gather(*(self._examine(t, force) for t in batch))
            for reading in readings:
                yield reading
                if reading.is_unchanged and not deep:
                    continue
                for ref, entity in self._locations(reading):
                    targets = await self._targets(ref, entity, reading)
                    queue.extend(self._new(targets))

    def _new(self, targets: Collection[Target]) -> list[Target]:
        new_targets = [
            target for target in targets if target.key not in self._visited_keys
        ]
        if len(self._visited_keys) + len(new_targets) > MOST_TARGETS:
            new_targets = self._over_limit(new_targets)
        self._visited_keys.update(target.key for target in new_targets)
        return new_targets

    def _over_limit(self, targets: Sequence[Target]) -> list[Target]:
        """One target with the error, for all of them; what they brought stays."""
        self.uncertain.update(target.parent for target in targets)
        error = BudgetExceeded(
            f"{self._root.location}: leads to over {MOST_TARGETS:,} targets"
        )
        return [replace(target, error=error) for target in targets[:1]]

    async def _spread(self, target: Target) -> list[Target]:
        """A target that is a pattern is as many as match it now."""
        try:
            await self._admission.require_spread(target)
            self._effort.check()
            compute = self._effort.compute
            locations = await self._sources.matching(target.location, compute)
            if list(locations) != [target.location]:
                # A pattern that means hidden files alone matches nothing.
                locations = await self._admission.visible(
                    locations, target, is_dry_run=self._state is None
                )
            locations = without_own_file(locations, target.location, target.origin)
        except CallboardError as error:
            self.uncertain.add(target.parent)
            return [replace(target, error=error)]
        if not locations and not target.optional:
            no_match = NotFound(f"Nothing matches {target.location.target}")
            return [replace(target, error=no_match)]
        return [replace(target, location=location) for location in locations]

    def _locations(self, reading: TargetReading) -> list[tuple[str, Entity]]:
        """The Location entities in a file, from it or, unchanged, from memory."""
        if reading.is_missing:
            entities = {}
        elif not reading.is_unchanged and reading.error is None:
            entities = {item.ref: item.entity for item in reading.candidates}
        elif self._state is not None:
            refs = self._state.emitted(*reading.target.key)
            states = (self._state.get(ref) for ref in sorted(refs))
            entities = {
                state.ref: state.entity for state in states if state is not None
            }
        else:
            entities = {}
        return [
            (ref, entity)
            for ref, entity in entities.items()
            if entity.kind == "Location" and self._is_owner(reading.target, ref)
        ]

    def _is_owner(self, target: Target, ref: str) -> bool:
        """Whether a file's Location entity is, or may become, the one of that name.

        Its targets would count as those of the entity that has the name.
        """
        text = str(target.location)
        is_owner = self._admission.is_named_from(target.location, ref)
        # Of several files of this root that use a free name, the first gets it.
        if is_owner and self._named_in.setdefault(ref, text) == text:
            return True
        self.passed_over[ref] = target.key
        return False

    async def _targets(
        self, ref: str, entity: Entity, reading: TargetReading
    ) -> list[Target]:
        kind, texts, optional = targets_of(entity)
        targets: list[Target] = []
        base = reading.target.location
        for text in texts:
            broken_location = LocationRef(kind or base.type, text)
            try:
                await self._count_named()
                location = self._sources.resolve(base, text, kind)
            except BudgetExceeded as error:
                self.uncertain.add(ref)
                targets.append(Target(ref, broken_location, error=error))
                break
            except CallboardError as error:
                targets.append(Target(ref, broken_location, optional, error))
            else:
                target = Target(ref, location, optional, origin=base)
                targets += await self._spread(target)
        self.named[ref] = {target.key for target in targets}
        return targets

    async def _count_named(self) -> None:
        """Count a target, and let others have their turn.

        Raises:
            BudgetExceeded: if they are too many: the same ones may be named for ever.
        """
        self._named += 1
        if self._named > NAMED_LIMIT:
            raise BudgetExceeded(
                f"{self._root.location}: names over {NAMED_LIMIT} targets"
            )
        if self._named % TURN == 0:
            await asyncio.sleep(0)

    async def _examine(self, target: Target, force: bool) -> TargetReading:
        state = self._root.files.get(target.key)
        trusted_state = None if force or not self._trusts_states else state
        is_admitted = False
        try:
            if target.error is not None:
                raise target.error
            self._effort.check()
            await self._admission.require(target)
            is_admitted = True
            if self._state is None and not await self._admission.is_shown(
                target.location
            ):
                # A dry run leaves out files that the reader may not see.
                state = FileState(target.parent, str(target.location), digest=None)
                return TargetReading(target, state)
            return await self._reader.read(target, trusted_state)
        except CallboardError as error:
            return self._reader.failed_reading(
                target, state, error, is_admitted=is_admitted
            )
