"""The history of one entity: `GET /entities/by-name/…/history`."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request

from services.catalog.api.models import MOST_ITEMS, NextPage
from services.catalog.api.reading import reads_of
from services.catalog.api.revisions import CatalogRoute
from services.catalog.api.writing import CatalogWrites, Writes
from services.catalog.descriptor.definitions import reference_in
from services.catalog.ingest.differences import Difference, differences
from services.catalog.ingest.excerpts import excerpts
from services.catalog.model import CauseJson, EntityRevision
from shared.contracts.entity import Entity
from shared.contracts.errors import NotFound
from shared.kit.http.apps import Caller
from shared.kit.http.conditions import permits
from shared.kit.http.models import ResponseModel
from shared.kit.http.service_tokens import Principal

PAGE_SIZE, LARGEST_PAGE = 20, 100
#: No entity's ref.
NOBODY = ""

router = APIRouter(route_class=CatalogRoute)


class ChangedField(ResponseModel):
    """A field before and after a change; of definitions the lines around it."""

    path: str
    before: Any
    after: Any


class HistoryEntry(ResponseModel):
    """One revision of an entity: who changed it, why, and what."""

    revision: int
    at: str
    actor: str
    cause: CauseJson
    changed: list[str]
    deleted: bool
    diff: list[ChangedField]


class History(ResponseModel):
    """A page of an entity's revisions, newest first."""

    items: list[HistoryEntry]
    total_items: int
    page_info: NextPage


@router.get(
    "/entities/by-name/{kind}/{namespace}/{name}/history",
    response_model_exclude_unset=True,
)
async def history(
    kind: str,
    namespace: str,
    name: str,
    request: Request,
    caller: Caller,
    writes: CatalogWrites,
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = PAGE_SIZE,
    cursor: Annotated[int, Query(ge=0, lt=10**9)] = 0,
) -> History:
    """Who changed an entity, what and why; newest first."""
    ref = f"{kind}:{namespace}/{name}".lower()
    limit = min(limit, LARGEST_PAGE)
    is_readable = await _readable(writes, caller, ref)
    # One more than requested: the oldest on the page is compared with it. What is
    # hidden costs the question that what is not there costs.
    revisions, total = await writes.catalog.store.history(
        ref if is_readable else NOBODY, limit=limit + 1, before=cursor or None
    )
    if not revisions:
        raise NotFound(f"No such entity {ref}")
    visible_pairs = _visible_revisions(revisions, caller)
    page = NextPage()
    if len(revisions) > limit:
        page = NextPage(next_cursor=str(revisions[limit - 1].revision))
    items = [
        await _entry(request, revision, previous)
        for revision, previous in visible_pairs
        if len(revisions) <= limit or revision.revision > revisions[limit].revision
    ]
    hidden_count = len(revisions) - len(visible_pairs)
    return History(items=items, total_items=total - hidden_count, page_info=page)


def _visible_revisions(
    revisions: Sequence[EntityRevision], principal: Principal
) -> list[tuple[EntityRevision, EntityRevision | None]]:
    """The revisions that the caller may see, each with the one before if that, too.

    An entity may have been restricted, or owned by others, before.
    """
    predecessors = [*revisions[1:], None]
    states = [
        revision.entity or (previous.entity if previous is not None else None)
        for revision, previous in zip(revisions, predecessors, strict=True)
    ]
    is_visible = [_may_see(principal, state) for state in states]
    visible_pairs: list[tuple[EntityRevision, EntityRevision | None]] = []
    for number, revision in enumerate(revisions):
        if not is_visible[number]:
            continue
        if predecessors[number] is not None and not is_visible[number + 1]:
            # Neither the state before nor the changed fields are for the reader.
            visible_pairs.append((replace(revision, changed=()), None))
        else:
            visible_pairs.append((revision, predecessors[number]))
    return visible_pairs


def _may_see(principal: Principal, state: Entity | None) -> bool:
    if principal.decision == "allow":
        return True
    return state is not None and permits(principal, state)


async def _readable(writes: Writes, principal: Principal, ref: str) -> bool:
    """Whether the caller sees the entity; of a deleted one, what it was last."""
    if principal.decision == "allow":
        return True
    entity = writes.entity(ref)
    if entity is not None and permits(principal, entity):
        return True
    # The store is queried in any case: the time must not reveal that there is more.
    deleted_ref = ref if entity is None else NOBODY
    revisions, _ = await writes.catalog.store.history(deleted_ref, limit=2)
    states = [revision.entity for revision in revisions if revision.entity is not None]
    return bool(states) and permits(principal, states[0])


async def _entry(
    request: Request, revision: EntityRevision, previous: EntityRevision | None
) -> HistoryEntry:
    before = previous.entity if previous is not None else None
    # A first state has no state before it to differ from.
    changes = differences(before, revision.entity) if before and revision.entity else []
    # Relations follow from the spec, which is shown: twice would be noise.
    listed_changes = [change for change in changes if change[0] != "relations"]
    return HistoryEntry(
        revision=revision.revision,
        at=revision.at.isoformat(),
        actor=revision.actor,
        cause=revision.cause.model_dump(mode="json", exclude_none=True),
        changed=list(revision.changed),
        deleted=revision.entity is None,
        diff=[await _changed_field(request, change) for change in listed_changes],
    )


async def _changed_field(request: Request, difference: Difference) -> ChangedField:
    path, before, after = difference
    references = [
        reference
        for value in (before, after)
        if (reference := reference_in(value)) is not None
    ]
    if references:
        texts = await reads_of(request).definitions.texts(references)
        old_text, new_text = (_text(value, texts) for value in (before, after))
        before, after = await asyncio.to_thread(excerpts, old_text, new_text)
    return ChangedField(path=path, before=before, after=after)


def _text(value: Any, texts: Mapping[str, str]) -> str:
    reference = reference_in(value)
    if reference is not None:
        return texts[reference.hash]
    return value if isinstance(value, str) else ""
