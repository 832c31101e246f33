"""Changes to single entities, checks before one, and the history after."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.catalog.api.parameters import body_of, in_range
from services.catalog.api.reading import reads_of
from services.catalog.api.sources import may_see, source_reader
from services.catalog.api.writing import (
    Writes,
    location_in,
    nothing,
    order_of,
    required_text,
    route,
    writes_of,
)
from services.catalog.descriptor.definitions import reference_in
from services.catalog.handlers import analysis, refreshing
from services.catalog.ingest.differences import Difference, differences
from services.catalog.ingest.excerpts import excerpts
from services.catalog.model import (
    EntityJson,
    EntityRevision,
    StoredEntity,
    parse_location,
)
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, Invalid, NotFound, Unavailable
from shared.contracts.ref import parse_ref
from shared.kit.http.apps import caller_of, json_response
from shared.kit.http.conditions import permits
from shared.kit.http.service_tokens import Principal

PAGE, MOST = 20, 100
#: No entity's ref.
NOBODY = ""
BY_NAME = "/entities/by-name/{kind}/{namespace}/{name}"


async def refresh(request: Request) -> Response:
    """POST `/refresh`: read an entity's sources now; done when it answers."""
    principal, writes = caller_of(request), writes_of(request)
    text = required_text(await body_of(request), "entityRef")
    held = _entity(writes, text)
    if held is None or not writes.require(principal, held):
        # Another replica may have made it, or opened it, a moment ago. What is hidden
        # takes the same time as what is not there.
        await writes.follower.catch_up()
        held = _entity(writes, text)
        if held is None or not writes.require(principal, held):
            raise NotFound(f"Entity {text} not found")
    order = order_of(principal, "refresh")
    await refreshing.refresh(writes.catalog, held, order)
    return Response(status_code=200)


def _entity(writes: Writes, text: str) -> StoredEntity | None:
    try:
        ref = str(parse_ref(text))
    except Invalid:
        return None
    return writes.catalog.state.get(ref)


async def delete(request: Request) -> Response:
    """DELETE `/entities/by-uid/{uid}`: an unknown one is as gone as can be."""
    principal, writes = caller_of(request), writes_of(request)
    uid = request.path_params["uid"].lower()
    if not writes.model.index.equal("metadata.uid", uid):
        await writes.follower.catch_up()
    for number in writes.model.index.equal("metadata.uid", uid):
        record = writes.model.records[number]
        held = writes.catalog.state.get(record.ref) if record else None
        if held is not None and writes.require(principal, held):
            order = order_of(principal, "delete")
            await refreshing.delete(writes.catalog, held, order)
    return nothing()


async def validate(request: Request) -> Response:
    """POST `/validate-entity`: 200, or 400 with what is wrong."""
    principal = caller_of(request)
    body = await body_of(request)
    if not isinstance(body.get("entity"), dict):
        has = "entity" in body
        raise Invalid(
            "request/body/entity must be object"
            if has
            else "request/body must have required property 'entity'"
        )
    location = required_text(body, "location")
    try:
        at = parse_location(location)
        reader = source_reader(request, principal)
        catalog = writes_of(request).catalog
        await analysis.validate(catalog, body["entity"], at, reader)
    except Unavailable:
        raise
    except CallboardError as error:
        problem = {"name": error.name, "message": error.message}
        return json_response({"errors": [problem]}, status=400)
    return Response(status_code=200)


async def analyse(request: Request) -> Response:
    """POST `/analyze-location`: what could be registered there."""
    principal = caller_of(request)
    body = await body_of(request)
    if not isinstance(body.get("location"), dict):
        has = "location" in body
        raise Invalid(
            "request/body/location must be object"
            if has
            else "request/body must have required property 'location'"
        )
    location = location_in(body["location"], "request/body/location")
    filename = analysis.FILENAME
    if "catalogFilename" in body:
        filename = required_text(body, "catalogFilename")
    if location.type != "url":
        raise Invalid("request/body/location/type must be url")
    writes = writes_of(request)
    found = await analysis.analyse(
        writes.catalog,
        location,
        filename,
        source_reader(request, principal),
        lambda entity: may_see(principal, entity),
    )
    return json_response(found)


async def history(request: Request) -> Response:
    """GET `/entities/by-name/…/history`: who changed what, why; newest first."""
    principal, writes = caller_of(request), writes_of(request)
    at = request.path_params
    ref = f"{at['kind']}:{at['namespace']}/{at['name']}".lower()
    limit = in_range(_number(request, "limit", PAGE), "request/query/limit", 1)
    before = _number(request, "cursor", 0) or None
    limit = min(limit, MOST)
    is_readable = await _readable(writes, principal, ref)
    # One more than asked for: the oldest on the page is shown against it. What is
    # hidden costs the question that what is not there costs.
    found, total = await writes.catalog.store.history(
        ref if is_readable else NOBODY, limit=limit + 1, before=before
    )
    if not found:
        raise NotFound(f"No such entity {ref}")
    shown = _visible_revisions(found, principal)
    items = [
        await _item(request, revision, previous)
        for revision, previous in shown
        if len(found) <= limit or revision.revision > found[limit].revision
    ]
    hidden = len(found) - len(shown)
    page: dict[str, Any] = {}
    if len(found) > limit:
        page["nextCursor"] = str(found[limit - 1].revision)
    return json_response(
        {"items": items, "totalItems": total - hidden, "pageInfo": page}
    )


def _visible_revisions(
    found: Sequence[EntityRevision], principal: Principal
) -> list[tuple[EntityRevision, EntityRevision | None]]:
    """The revisions that the caller may see, each with the one before if that, too.

    An entity may have been restricted before it was opened, or somebody else's.
    """
    older = [*found[1:], None]
    states = [
        revision.entity or (previous.entity if previous is not None else None)
        for revision, previous in zip(found, older, strict=True)
    ]
    seen = [_may_see(principal, state) for state in states]
    shown: list[tuple[EntityRevision, EntityRevision | None]] = []
    for number, revision in enumerate(found):
        if not seen[number]:
            continue
        if older[number] is not None and not seen[number + 1]:
            # What it was before is not for the reader, nor what changed in it.
            shown.append((replace(revision, changed=()), None))
        else:
            shown.append((revision, older[number]))
    return shown


def _may_see(principal: Principal, state: EntityJson | None) -> bool:
    if principal.decision == "allow":
        return True
    return state is not None and permits(principal, Entity(state))


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise Invalid(f"request/query/{name} must be integer")
    return int(text)


async def _readable(writes: Writes, principal: Principal, ref: str) -> bool:
    """Whether the caller sees the entity; of a deleted one, what it was last."""
    if principal.decision == "allow":
        return True
    entity = writes.entity(ref)
    if entity is not None and permits(principal, Entity(entity)):
        return True
    # The store is asked in any case: time would tell what is hidden from what is not.
    asked = ref if entity is None else NOBODY
    last, _ = await writes.catalog.store.history(asked, limit=2)
    states = [revision.entity for revision in last if revision.entity is not None]
    return bool(states) and permits(principal, Entity(states[0]))


async def _item(
    request: Request, revision: EntityRevision, previous: EntityRevision | None
) -> dict[str, Any]:
    before = previous.entity if previous is not None else None
    # A first state differs from nothing in everything: no news.
    found = differences(before, revision.entity) if before and revision.entity else []
    # Relations follow from the spec, which is shown: twice would be noise.
    shown = [item for item in found if item[0] != "relations"]
    return {
        "revision": revision.revision,
        "at": revision.at.isoformat(),
        "actor": revision.actor,
        "cause": revision.cause.model_dump(mode="json", exclude_none=True),
        "changed": list(revision.changed),
        "deleted": revision.entity is None,
        "diff": [await _difference(request, item) for item in shown],
    }


async def _difference(request: Request, difference: Difference) -> dict[str, Any]:
    """A field before and after; of definitions the lines around what changed."""
    path, before, after = difference
    references = [
        reference
        for value in (before, after)
        if (reference := reference_in(value)) is not None
    ]
    if references:
        texts = await reads_of(request).definitions.texts(references)
        old, new = (_text(value, texts) for value in (before, after))
        before, after = await asyncio.to_thread(excerpts, old, new)
    return {"path": path, "before": before, "after": after}


def _text(value: Any, texts: Mapping[str, str]) -> str:
    reference = reference_in(value)
    if reference is not None:
        return texts[reference.hash]
    return value if isinstance(value, str) else ""


router = APIRouter()
router.routes.extend(
    [
        route("POST", "/refresh", refresh),
        route("DELETE", "/entities/by-uid/{uid}", delete),
        route("POST", "/validate-entity", validate),
        route("POST", "/analyze-location", analyse),
        route("GET", f"{BY_NAME}/history", history),
    ]
)
