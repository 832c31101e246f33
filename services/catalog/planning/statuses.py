"""Plans the end of a reading: Location entities with their problems, the root's state.

A Location entity shows what is wrong with its targets. The last good version of an
entity stays.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from services.catalog.ingest.candidates import Candidate, status_item
from services.catalog.ingest.problems import (
    FILE_ITEMS,
    LOCATION_ITEMS,
    REFUSED_NAMES,
    is_about_restricted,
    items_of_entity,
    limit_items,
    restricted_item,
    with_edit_url,
)
from services.catalog.model import (
    ClosedFile,
    FileState,
    RootLocation,
    StatusItemJson,
    TargetKey,
)
from services.catalog.planning.changes import apply_candidate, foreign_error, is_foreign
from services.catalog.planning.closing import closed_files
from services.catalog.planning.outcomes import LocationOutcome
from services.catalog.planning.plan import (
    DeletionRefusal,
    EntityWrite,
    IngestionPlan,
    NameRefusal,
    StatusChange,
)
from services.catalog.planning.view import CatalogView
from services.catalog.planning.visibility import hidden_refs, without_private_words
from shared.guards.turns import in_turns


async def plan_statuses(
    view: CatalogView,
    outcome: LocationOutcome,
    refusals: Sequence[NameRefusal],
    deletion_refusal: DeletionRefusal | None,
) -> IngestionPlan:
    """Location entities with the problems of their targets, and the root's new state.

    `refusals` and `deletion_refusal` are what remains refused: its targets count as
    unread, so that they are read again.
    """
    if deletion_refusal is not None:
        outcome = _with_refused_deletion(outcome, deletion_refusal)
    outcome = _with_refused_names(view, outcome, refusals)
    items = _location_items(view, outcome)
    closed = await closed_files(view, outcome)
    own_entity = _own_entity(view, outcome, closed)
    writes = () if own_entity is None else _own_writes(view, outcome, own_entity, items)
    location_refs = outcome.locations - ({own_entity.ref} if own_entity else set())
    problems = [
        StatusChange(ref, items.get(ref, ()), outcome.causes.last)
        for ref in sorted(location_refs)
    ]
    return IngestionPlan(
        writes,
        problems=await needed_changes(view, problems),
        root=_following_root(view, outcome, own_entity, closed),
    )


async def needed_changes(
    view: CatalogView, changes: Iterable[StatusChange]
) -> tuple[StatusChange, ...]:
    """Those of the changes that make a difference."""
    differing_changes: list[StatusChange] = []
    async for change in in_turns(changes):
        before = view.get(change.ref)
        if before is not None and change.is_needed(before):
            differing_changes.append(change)
    return tuple(differing_changes)


def _own_entity(
    view: CatalogView, outcome: LocationOutcome, closed: Mapping[str, ClosedFile]
) -> Candidate | None:
    """The root's own Location entity; None: it is not concerned.

    It is as restricted as all that the root brings, brought last, or asks to bring: it
    names where that lies, which would tell of its existence. Who registers a file by
    hand sees what is wrong with it.
    """
    own_entity = outcome.reading.own_entity
    exists = view.parents(own_entity.ref) is not None
    was_restricted = exists and view.is_restricted(own_entity.ref)
    brought_refs = _brought_refs(view, outcome)
    if brought_refs:
        is_restricted = all(map(view.is_restricted, brought_refs))
    else:
        is_restricted = was_restricted or (bool(closed) and outcome.root.is_by_operator)
    changes = exists and was_restricted != is_restricted
    if not changes and not outcome.reading.is_whole:
        return None
    return own_entity.restricted() if is_restricted else own_entity


def _own_writes(
    view: CatalogView,
    outcome: LocationOutcome,
    own_entity: Candidate,
    items: Mapping[str, tuple[StatusItemJson, ...]],
) -> tuple[EntityWrite, ...]:
    before = view.get(own_entity.ref)
    candidate = own_entity.with_items(items.get(own_entity.ref, ()))
    if is_foreign(before, own_entity):
        return ()
    after = apply_candidate(before, candidate, outcome.causes.of(own_entity))
    return () if after is None else (EntityWrite(candidate, before, after),)


def _brought_refs(view: CatalogView, outcome: LocationOutcome) -> list[str]:
    """The entities that the files of the root's own Location entity bring."""
    ref = outcome.root.location.entity_ref
    return [
        emitted_ref
        for key in outcome.following_states
        if key[0] == ref
        for emitted_ref in view.emitted(*key)
    ]


def _with_refused_deletion(
    outcome: LocationOutcome, refusal: DeletionRefusal
) -> LocationOutcome:
    item = status_item(refusal.error)
    states = {
        key: _with_item(outcome.states.get(key, before), item)
        for key, before in outcome.root.files.items()
        if key[0] in refusal.parents
    }
    return replace(outcome, states={**outcome.states, **states})


def _with_refused_names(
    view: CatalogView, outcome: LocationOutcome, refusals: Sequence[NameRefusal]
) -> LocationOutcome:
    """The same with a conflict in the state of each file that lost an entity."""
    states = dict(outcome.states)
    for refusal in refusals:
        candidate = refusal.candidate
        for parent in candidate.parents:
            key = (parent, candidate.location)
            state = states.get(key)
            if state is None:
                continue
            is_restricted = candidate.entity.is_restricted
            is_full = len(state.errors) > FILE_ITEMS + REFUSED_NAMES
            if is_full and not (
                is_restricted and not any(map(is_about_restricted, state.errors))
            ):
                continue
            error = foreign_error(candidate, view.get(candidate.ref))
            item = status_item(error)
            if is_restricted:
                item = restricted_item(item)
            else:
                [item] = with_edit_url([item], candidate.entity.annotations)
            states[key] = _with_item(state, item)
    return replace(outcome, states=states)


def _with_item(state: FileState, item: StatusItemJson) -> FileState:
    return replace(state, digest=None, errors=(*state.errors, item))


def _location_items(
    view: CatalogView, outcome: LocationOutcome
) -> dict[str, tuple[StatusItemJson, ...]]:
    """The problems of each Location entity: those of its targets, and of its file.

    Only as many items are made as are stored: thousands of targets may each have some.
    """
    states = outcome.following_states
    problems: dict[str, list[StatusItemJson]] = {}
    counts = Counter[str]()
    for key, state in states.items():
        items = problems.setdefault(key[0], [])
        counts[key[0]] += len(state.errors)
        if len(items) < LOCATION_ITEMS:
            items += _visible_items(view, key[0], key, state.errors)
    for ref in problems.keys() | outcome.locations:
        location = view.providing_location(ref) or ""
        for parent in view.parents(ref) or ():
            key = (parent, location)
            if key in states:
                entity_items = items_of_entity(ref, states[key])
                visible_items = _visible_items(view, ref, key, entity_items)
                problems[ref] = [*visible_items, *problems.get(ref, ())]
                counts[ref] += len(visible_items)
    return {
        ref: limit_items(items, LOCATION_ITEMS, counts[ref])
        for ref, items in problems.items()
    }


def _visible_items(
    view: CatalogView, ref: str, key: TargetKey, items: Sequence[StatusItemJson]
) -> tuple[StatusItemJson, ...]:
    """A file's items as the readers of a Location entity may see them."""
    if not items or view.is_restricted(ref):
        return tuple(items)
    hidden = hidden_refs(view, key)
    return tuple(without_private_words(item, key[1], hidden) for item in items)


def _following_root(
    view: CatalogView,
    outcome: LocationOutcome,
    own_entity: Candidate | None,
    closed: Mapping[str, ClosedFile],
) -> RootLocation | None:
    """The root's state after this reading; None: it stays as it is."""
    root, reading = outcome.root, outcome.reading
    states = outcome.following_states
    locations = {location for _, location in states}
    own_ref = root.location.entity_ref
    keeps_own = own_entity is not None or view.parents(own_ref) is not None
    files = {
        key: state
        for key, state in states.items()
        # A name may have gone to another location's entity meanwhile.
        if (key[0] == own_ref and keeps_own)
        or view.providing_location(key[0]) in locations
    }
    new_root = replace(
        root,
        files=files,
        closed=closed,
        settled=root.settled or reading.is_whole,
        rules=reading.rules if reading.is_whole else root.rules,
    )
    stored_root = replace(root, closed=outcome.earlier_closed)
    return None if new_root == stored_root else new_root
