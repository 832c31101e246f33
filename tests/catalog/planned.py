"""Readings of files in memory, and a catalog that plans alone have filled."""

from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from services.catalog.ingest.candidates import (
    Candidate,
    Context,
    candidate,
    location_entity,
)
from services.catalog.ingest.location_targets import targets_of
from services.catalog.ingest.problems import failure_item, refusal_item
from services.catalog.ingest.refusals import Refusal
from services.catalog.ingest.rules import DEFAULT, Rules
from services.catalog.model import (
    ClosedFile,
    FileState,
    LocationRef,
    RootLocation,
    StoredEntity,
    TargetKey,
)
from services.catalog.planning.plan import IngestionPlan, NameRefusal
from services.catalog.planning.reading import NamedTargets, Target, TargetReading
from services.catalog.planning.stages import plan_in_stages
from services.catalog.planning.view import CatalogView
from shared.contracts.catalog import Cause
from shared.contracts.errors import CallboardError, NotFound

RULES = Rules([DEFAULT])
CAUSE = Cause(kind="registration", commit="c0ffee")
#: By name, the documents of a file, or why it cannot be read.
Files = Mapping[str, Sequence[Mapping[str, Any]] | CallboardError]


def root_of(name: str) -> RootLocation:
    """A registered location whose target is a file."""
    return RootLocation(place_of(name), frozenset({"registered"}), datetime.now(UTC))


def place_of(name: str) -> LocationRef:
    return LocationRef("url", f"https://git.example/{name}")


@dataclass
class MemoryReading:
    """A `LocationReading` of these files, a target a slice."""

    root: RootLocation
    files: Files
    is_whole: bool = True
    cause: Cause = CAUSE
    rules: str = "rules"
    names: dict[str, set[TargetKey]] = field(default_factory=dict)

    @property
    def own_entity(self) -> Candidate:
        return location_entity(self.root.location, {})

    async def slices(self) -> AsyncGenerator[Sequence[TargetReading], None]:
        start = Target(self.own_entity.ref, self.root.location)
        self.names[self.own_entity.ref] = {start.key}
        waiting, keys = deque([start]), {start.key}
        while waiting:
            reading = self._read(waiting.popleft())
            yield [reading]
            for target in self._below(reading):
                if target.key not in keys:
                    keys.add(target.key)
                    waiting.append(target)

    def named(self) -> NamedTargets:
        return NamedTargets(self.names)

    async def copies(self, file: ClosedFile) -> Sequence[ClosedFile]:
        return [file]

    async def removal_cause(self, cause: Cause) -> Cause:
        return cause

    def _read(self, target: Target) -> TargetReading:
        content = self.files.get(target.location.target.rpartition("/")[2])
        state = FileState(target.parent, str(target.location), digest="as read")
        if content is None:
            return TargetReading(target, state, error=NotFound("gone"), is_missing=True)
        if isinstance(content, CallboardError):
            item = failure_item(content, (), datetime.now(UTC))
            state = replace(state, digest=None, errors=(item,))
            return TargetReading(target, state, error=content, cause=self.cause)
        context = Context(target.location, self.root.location, target.parent, RULES)
        items = [candidate(document, context) for document in content]
        refusals = [item for item in items if isinstance(item, Refusal)]
        return TargetReading(
            target,
            replace(state, errors=tuple(map(refusal_item, refusals))),
            [item for item in items if isinstance(item, Candidate)],
            refusals,
            cause=self.cause,
        )

    def _below(self, reading: TargetReading) -> Iterator[Target]:
        for item in reading.candidates:
            if item.entity.kind == "Location":
                targets = [
                    Target(item.ref, place_of(text), origin=reading.target.location)
                    for text in targets_of(item.entity)[1]
                ]
                self.names[item.ref] = {target.key for target in targets}
                yield from targets


class EmptyCatalog:
    """The view of a catalog that holds nothing but roots' names."""

    def __init__(self, roots: Iterable[RootLocation]) -> None:
        self._roots = {root.location.entity_ref for root in roots}

    def get(self, _ref: str) -> StoredEntity | None:
        return None

    def parents(self, _ref: str) -> tuple[str, ...] | None:
        return None

    def providing_location(self, _ref: str) -> str | None:
        return None

    def emitted(self, _parent: str, _location: str) -> frozenset[str]:
        return frozenset()

    def emitted_by(self, _parent: str) -> frozenset[str]:
        return frozenset()

    def is_restricted(self, _ref: str) -> bool:
        return False

    def is_root(self, ref: str) -> bool:
        return ref in self._roots


class PlannedState:
    """A `CatalogView` and a `PlanTarget` over another view, which stays as it is."""

    def __init__(self, view: CatalogView) -> None:
        self._view = view
        self._changed: dict[str, StoredEntity | None] = {}
        self._emitted: dict[str, dict[str, set[str]]] = {}
        #: All that was planned, in order.
        self.plans: list[IngestionPlan] = []

    async def apply(self, plan: IngestionPlan) -> Sequence[NameRefusal]:
        """Take over what a plan changes; nobody else writes here."""
        for write in plan.writes:
            self._put(write.ref, write.after)
        for step in plan.steps:
            before = self.get(step.ref)
            if before is not None:
                self._put(step.ref, step.after(before, self))
        self.plans.append(plan)
        return ()

    def _put(self, ref: str, after: StoredEntity | None) -> None:
        before = self._changed.get(ref)
        if before is not None:
            for parent in before.parents:
                self._emitted[parent][before.location].discard(ref)
        self._changed[ref] = after
        if after is not None:
            for parent in after.parents:
                locations = self._emitted.setdefault(parent, {})
                locations.setdefault(after.location, set()).add(ref)

    def get(self, ref: str) -> StoredEntity | None:
        if ref in self._changed:
            return self._changed[ref]
        return self._view.get(ref)

    def parents(self, ref: str) -> tuple[str, ...] | None:
        if ref not in self._changed:
            return self._view.parents(ref)
        entity = self._changed[ref]
        return entity.parents if entity is not None else None

    def providing_location(self, ref: str) -> str | None:
        if ref not in self._changed:
            return self._view.providing_location(ref)
        entity = self._changed[ref]
        return entity.location if entity is not None and entity.parents else None

    def emitted(self, parent: str, location: str) -> frozenset[str]:
        changed = self._emitted.get(parent, {}).get(location, set())
        before = self._view.emitted(parent, location)
        return before.difference(self._changed).union(changed)

    def emitted_by(self, parent: str) -> frozenset[str]:
        changed = self._emitted.get(parent, {}).values()
        before = self._view.emitted_by(parent)
        return before.difference(self._changed).union(*changed)

    def is_restricted(self, ref: str) -> bool:
        if ref not in self._changed:
            return self._view.is_restricted(ref)
        entity = self._changed[ref]
        return entity is not None and entity.entity.is_restricted

    def is_root(self, ref: str) -> bool:
        return self._view.is_root(ref)


class PlannedCatalog:
    """A catalog in memory that readings are planned into."""

    def __init__(self, *roots: RootLocation) -> None:
        self.roots = {root.name: root for root in roots}
        self.state = PlannedState(EmptyCatalog(roots))
        self.refs: set[str] = set()

    async def read(self, root: RootLocation, files: Files) -> list[IngestionPlan]:
        """Plan a reading of a root, and apply it; the plans that change something."""
        already = len(self.state.plans)
        reading = MemoryReading(self.roots[root.name], files)
        await plan_in_stages(reading, self.state, self.state)
        plans = self.state.plans[already:]
        self._note(plans)
        for plan in plans:
            if plan.root is not None:
                self.roots[root.name] = plan.root
        return [plan for plan in plans if not plan.is_empty]

    async def apply(self, plan: IngestionPlan) -> None:
        await self.state.apply(plan)
        self._note([plan])

    def _note(self, plans: Iterable[IngestionPlan]) -> None:
        for plan in plans:
            self.refs |= {write.ref for write in plan.writes}
            self.refs -= {deletion.ref for deletion in plan.deletions}

    def entities(self) -> dict[str, StoredEntity]:
        """Everything there is, by name; roots' own Location entities aside."""
        entities = (self.state.get(ref) for ref in self.refs)
        return {
            entity.entity.name: entity
            for entity in entities
            if entity is not None and not self.state.is_root(entity.ref)
        }


def lines_of(plans: Iterable[IngestionPlan]) -> list[str]:
    """What plans print."""
    return [line for plan in plans for line in str(plan).splitlines()]
