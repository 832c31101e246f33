"""What each target that was read means: entities, what it names no longer, problems."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

from services.catalog.ingest.candidates import Candidate
from services.catalog.ingest.problems import (
    ENTITY_ITEMS,
    is_lasting,
    refusal_item,
)
from services.catalog.model import (
    ClosedFile,
    FileState,
    RootLocation,
    StatusItemJson,
    TargetKey,
)
from services.catalog.planning.entities import is_location
from services.catalog.planning.plan import NameRefusal, StatusChange
from services.catalog.planning.reading import (
    LocationReading,
    NamedTargets,
    TargetReading,
)
from services.catalog.planning.view import CatalogView
from services.catalog.planning.visibility import hidden_refs, without_private_words
from shared.contracts.catalog import Cause

#: A Location entity, and an entity that it emits.
Edge = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """What one target means for the catalog.

    `lost` are the entities that its Location entity does not have from it any more,
    `locations` the Location entities that it describes, or whose problems it has: those
    are planned with the problems of their targets.
    """

    key: TargetKey
    state: FileState
    cause: Cause | None = None
    entities: tuple[Candidate, ...] = ()
    locations: frozenset[str] = frozenset()
    lost: frozenset[Edge] = frozenset()
    problems: tuple[StatusChange, ...] = ()

    @property
    def without_entities(self) -> "TargetOutcome":
        """What later stages need of it, once its entities are written."""
        return replace(self, entities=(), problems=())


@dataclass(frozen=True, slots=True)
class Causes:
    """Why entities change, by the location that they come from."""

    by_location: Mapping[str, Cause]
    last: Cause

    def of(self, candidate: Candidate) -> Cause:
        """The cause of a change to what this candidate describes."""
        return self.by_location.get(candidate.location, self.last)


def causes_of(outcomes: Iterable[TargetOutcome], reading: Cause) -> Causes:
    """The causes that targets were read with; `reading` is why any was read."""
    causes = {
        outcome.key[1]: outcome.cause
        for outcome in outcomes
        if outcome.cause is not None
    }
    return Causes(causes, next(reversed(causes.values()), reading))


@dataclass(frozen=True)
class LocationOutcome:
    """What a reading came to once the entities of its targets are written.

    `states` are of the targets that were read, `locations` the Location entities whose
    problems may differ, `refusals` the names that the location does not get,
    `endangered` the closed files that were stored during this reading.
    """

    reading: LocationReading
    named: NamedTargets
    states: Mapping[TargetKey, FileState]
    locations: frozenset[str]
    refusals: tuple[NameRefusal, ...]
    lost: frozenset[Edge]
    causes: Causes
    endangered: Mapping[str, ClosedFile] = field(default_factory=dict)

    @property
    def earlier_closed(self) -> Mapping[str, ClosedFile]:
        """The location's closed files as they are stored."""
        return {**self.root.closed, **self.endangered}

    @property
    def root(self) -> RootLocation:
        """The location as it was before."""
        return self.reading.root

    def state_at(self, location: str) -> FileState | None:
        """The state of a file of the location, as it was read last."""
        return self._states_by_location.get(location)

    def earlier_state_at(self, location: str) -> FileState | None:
        """The state of a file of the location before this reading."""
        return self._earlier_states_by_location.get(location)

    @cached_property
    def _earlier_states_by_location(self) -> Mapping[str, FileState]:
        return {state.location: state for state in self.root.files.values()}

    @cached_property
    def changed_locations(self) -> frozenset[str]:
        """Where changed files are that were read, and what their links lead to.

        What cannot be read may have changed as well.
        """
        causes, read = self.causes.by_location, self.read_locations
        return frozenset(
            location
            for state in self.states.values()
            if state.location in causes or (state.errors and state.location in read)
            for location in state.content_locations
        )

    @cached_property
    def read_locations(self) -> frozenset[str]:
        """The locations of the targets that were read."""
        return frozenset(state.location for state in self.states.values())

    @cached_property
    def _states_by_location(self) -> Mapping[str, FileState]:
        return {state.location: state for state in self.following_states.values()}

    @property
    def following_states(self) -> dict[TargetKey, FileState]:
        """The states of all targets that still count, read now or before."""
        states = {**self.root.files, **self.states}
        return {key: state for key, state in states.items() if self.named.includes(key)}


def location_outcome(
    reading: LocationReading,
    outcomes: Sequence[TargetOutcome],
    refusals: Sequence[NameRefusal],
) -> LocationOutcome:
    """What all targets of a reading mean together."""
    return LocationOutcome(
        reading,
        reading.named(),
        {outcome.key: outcome.state for outcome in outcomes},
        frozenset(
            ref for outcome in outcomes for ref in (outcome.key[0], *outcome.locations)
        ),
        tuple(refusals),
        frozenset(edge for outcome in outcomes for edge in outcome.lost),
        causes_of(outcomes, reading.cause),
    )


def outcome_of(
    view: CatalogView, reading: TargetReading, root: RootLocation, cause: Cause
) -> TargetOutcome:
    """What a target of a root means; `cause` is that of problems without a commit."""
    key, state = reading.target.key, reading.state
    if reading.is_unchanged:
        return TargetOutcome(key, state)
    emitted = view.emitted(*key)
    if reading.is_missing:
        return TargetOutcome(key, state, lost=_edges(key, emitted))
    if reading.error is not None:
        items = _failure_items(emitted, state)
        return _with_problems(
            TargetOutcome(key, state), view, items, root, reading.cause or cause
        )
    outcome = TargetOutcome(
        key,
        state,
        reading.cause,
        entities=tuple(reading.candidates),
        locations=frozenset(
            candidate.ref
            for candidate in reading.candidates
            if is_location(candidate.ref)
        ),
        lost=_edges(key, _missing(emitted, reading)),
    )
    items = _refusal_items(emitted, reading)
    return _with_problems(outcome, view, items, root, reading.cause or cause)


def _edges(key: TargetKey, refs: Iterable[str]) -> frozenset[Edge]:
    return frozenset((key[0], ref) for ref in refs)


def _missing(emitted: frozenset[str], reading: TargetReading) -> frozenset[str]:
    """The entities that a file no longer names, as far as that is certain.

    A document without its name, or with another one, may be any of them.
    """
    refused_refs = {refusal.ref for refusal in reading.refusals}
    if refused_refs - emitted:
        return frozenset()
    return emitted - {candidate.ref for candidate in reading.candidates} - refused_refs


def _refusal_items(
    emitted: frozenset[str], reading: TargetReading
) -> Mapping[str, Sequence[StatusItemJson]]:
    """By entity, why its document is invalid."""
    if not reading.refusals:
        return {}
    items: dict[str | None, list[StatusItemJson]] = {
        ref: [] for ref in (*emitted, None)
    }
    for refusal in reading.refusals:
        ref = refusal.ref if refusal.ref in emitted else None
        if ref is not None or len(items[None]) < ENTITY_ITEMS:
            items[ref].append(refusal_item(refusal))
    invalid_refs = emitted - {candidate.ref for candidate in reading.candidates}
    return {ref: items[ref] or items[None] for ref in sorted(invalid_refs)}


def _failure_items(
    emitted: frozenset[str], state: FileState
) -> Mapping[str, Sequence[StatusItemJson]]:
    """By entity, that its file cannot be read any more; nothing if it may come back."""
    items = [item for item in state.errors if "since" in item["error"]]
    now = datetime.now(UTC)
    if not all(is_lasting(item, now) for item in items):
        return {}
    return dict.fromkeys(sorted(emitted), items)


def _with_problems(
    outcome: TargetOutcome,
    view: CatalogView,
    items: Mapping[str, Sequence[StatusItemJson]],
    root: RootLocation,
    cause: Cause,
) -> TargetOutcome:
    locations = frozenset(filter(is_location, items))
    hidden = hidden_refs(view, outcome.key) if items else frozenset()
    location = outcome.key[1]
    problems = tuple(
        StatusChange(
            ref,
            _items_for_readers(entity_items, ref, location, hidden),
            cause,
            location=location,
            origin=str(root.location),
        )
        for ref, entity_items in items.items()
        if ref not in locations
    )
    return replace(outcome, problems=problems, locations=outcome.locations | locations)


def _items_for_readers(
    items: Sequence[StatusItemJson], ref: str, location: str, hidden: frozenset[str]
) -> tuple[StatusItemJson, ...]:
    """A file's items as the readers of one of its entities may see them."""
    other_refs = hidden - {ref} if ref in hidden else hidden

    def is_own(error: Mapping[str, object]) -> bool:
        # What is wrong with a file concerns the only hidden entity of it.
        is_of_file = "since" in error and not other_refs
        return ref in hidden and (error.get("entityRef") == ref or is_of_file)

    return tuple(
        item
        if is_own(item["error"])
        else without_private_words(item, location, other_refs)
        for item in items
    )
