"""Locations: what is registered, and registering, which is done when it answers."""

import base64
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.catalog.api.parameters import body_of, in_range, whole_number
from services.catalog.api.previews import preview
from services.catalog.api.reading import begin
from services.catalog.api.sources import source_reader
from services.catalog.api.writing import (
    Writes,
    location_in,
    nothing,
    order_of,
    route,
    writes_of,
)
from services.catalog.handlers import roots
from services.catalog.ingest.selecting import holds
from services.catalog.model import LocationRef, Root, parse_location
from services.catalog.query.scopes import ReaderScope
from shared.contracts.errors import CallboardError, Invalid, NotFound
from shared.contracts.permissions import LOCATION_CREATE
from shared.guards.json_text import load_json
from shared.kit.http.apps import caller_of, json_response
from shared.kit.http.service_tokens import Principal

PAGE = 1000
CONFLICTS = {"refresh": True, "reject": False}


def _location_json(root: Root) -> dict[str, Any]:
    location = root.location
    return {
        "id": root.id,
        "type": location.type,
        "target": location.target,
        "entityRef": location.entity_ref,
    }


def _registered(writes: Writes, scope: ReaderScope) -> list[Root]:
    """What is registered, but for what leads to restricted entities alone."""
    found = writes.catalog.state.in_bucket(roots.REGISTERED)
    shown = (root for root in found if not scope.hides(root.location.entity_ref))
    return sorted(shown, key=lambda root: (root.created, root.name))


def _with_id(writes: Writes, identity: str) -> Root:
    root = writes.catalog.state.root_with_id(identity)
    if root is None:
        raise NotFound(f"Found no location with ID {identity}")
    return root


def visible_root(writes: Writes, scope: ReaderScope, identity: str) -> Root:
    """The registration with an id, if the caller may know of it.

    Raises:
        NotFound: otherwise.
    """
    root = _with_id(writes, identity)
    if scope.hides(root.location.entity_ref):
        raise NotFound(f"Found no location with ID {identity}")
    return root


async def _known_root(writes: Writes, principal: Principal, identity: str) -> Root:
    """The registration with an id, also one that another replica has just made.

    Raises:
        NotFound: if there is none, or none that the caller may know of.
    """
    if writes.catalog.state.root_with_id(identity) is None:
        # Another replica may have made it a moment ago.
        await writes.follower.catch_up()
    root = _with_id(writes, identity)
    if writes.hides(principal, root):
        raise NotFound(f"Found no location with ID {identity}")
    return root


async def listing(request: Request) -> Response:
    """GET `/locations`: all registrations, oldest first."""
    _, scope = await begin(request)
    found = _registered(writes_of(request), scope)
    return json_response([{"data": _location_json(root)} for root in found])


async def create(request: Request) -> Response:
    """POST `/locations`: register and read, or with `dryRun` only read."""
    principal, writes = caller_of(request), writes_of(request)
    location = _allowed(writes, location_in(await body_of(request)))
    if _flag(request, "dryRun"):
        with_provided = _flag(request, "provided")
        body = await preview(request, location, with_provided=with_provided)
        return json_response(body, status=201)
    writes.require_writable()
    wanted = request.query_params.get("onConflict")
    if wanted is not None and wanted not in CONFLICTS:
        raise Invalid("request/query/onConflict must be refresh or reject")
    refresh = writes.refresh_duplicates if wanted is None else CONFLICTS[wanted]
    reader = source_reader(request, principal)
    await roots.require_readable(writes.catalog, location, reader)
    order = order_of(principal, "registration", reader)
    root = await roots.register(writes.catalog, location, order, refresh=refresh)
    # As Backstage: entities are read from /entities, where they are by now.
    return json_response({"location": _location_json(root), "entities": []}, status=201)


def _allowed(writes: Writes, location: LocationRef) -> LocationRef:
    if location.type not in writes.types:
        names = orjson.dumps(list(writes.types)).decode()
        raise Invalid(f"Registered locations must be of an allowed type {names}")
    parse_location(str(location))
    if location.type == "url" and not location.target.startswith(
        ("http://", "https://")
    ):
        raise Invalid("request/body/target must be an http(s) URL")
    return location


def _flag(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "false")
    if value not in {"true", "false", "1", "0", ""}:
        raise Invalid(f"request/query/{name} must be boolean")
    return value in {"true", "1"}


async def by_query(request: Request) -> Response:
    """POST `/locations/by-query`: registrations by a predicate, in pages by id."""
    _, scope = await begin(request)
    body = await body_of(request)
    after = ""
    if isinstance(body.get("cursor"), str):
        body = _cursor(body["cursor"])
        after = body["afterId"]
    limit = whole_number(body, "limit")
    limit = PAGE if limit is None else in_range(limit, "request/body/limit", 1)
    query = body.get("query", {})
    shown = [_location_json(root) for root in _registered(writes_of(request), scope)]
    matching = sorted(
        (item for item in shown if holds(query, item)), key=lambda item: item["id"]
    )
    rest = [item for item in matching if item["id"] > after]
    page: dict[str, Any] = {}
    if len(rest) > limit:
        following = {"limit": limit, "afterId": rest[limit - 1]["id"], "query": query}
        page["nextCursor"] = base64.b64encode(orjson.dumps(following)).decode()
    return json_response(
        {"items": rest[:limit], "totalItems": len(matching), "pageInfo": page}
    )


def _cursor(text: str) -> dict[str, Any]:
    try:
        found = load_json(base64.b64decode(text, validate=True), label="cursor")
    except (ValueError, CallboardError) as error:
        raise Invalid("request/body/cursor: malformed cursor") from error
    if not isinstance(found, dict) or not isinstance(found.get("afterId"), str):
        raise Invalid("request/body/cursor: malformed cursor")
    return found


async def single(request: Request) -> Response:
    """GET `/locations/{id}`."""
    _, scope = await begin(request)
    root = visible_root(writes_of(request), scope, request.path_params["id"])
    return json_response(_location_json(root))


async def change(request: Request) -> Response:
    """PUT `/locations/{id}`: the same registration, another location."""
    principal, writes = caller_of(request), writes_of(request)
    location = _allowed(writes, location_in(await body_of(request)))
    # Its new place is a registration like any other.
    principal.granted(LOCATION_CREATE)
    writes.require_writable()
    root = await _known_root(writes, principal, request.path_params["id"])
    writes.require_all(principal, root)
    reader = source_reader(request, principal)
    await roots.require_readable(writes.catalog, location, reader)
    order = order_of(principal, "registration", reader)
    return json_response(
        _location_json(await roots.move(writes.catalog, root, location, order))
    )


async def remove(request: Request) -> Response:
    """DELETE `/locations/{id}`: the registration goes with what only it brought."""
    principal, writes = caller_of(request), writes_of(request)
    writes.require_writable()
    root = await _known_root(writes, principal, request.path_params["id"])
    await writes.require_removal(principal, root)
    order = order_of(principal, "delete")
    await roots.unwant(writes.catalog, root, roots.REGISTERED, order)
    return nothing()


async def by_entity(request: Request) -> Response:
    """GET `/locations/by-entity/…`: the registration that an entity came from."""
    principal, writes = caller_of(request), writes_of(request)
    at = request.path_params
    ref = f"{at['kind']}:{at['namespace']}/{at['name']}".lower()
    held = writes.catalog.state.get(ref)
    if held is None or not writes.permitted(principal, ref):
        raise NotFound(f"No such entity {ref}")
    origin = parse_location(held.origin)
    root = roots.registered(writes.catalog, origin)
    if root is None:
        raise NotFound(
            f"Found no location with type {origin.type} and target {origin.target}"
        )
    return json_response(_location_json(root))


router = APIRouter()
router.routes.extend(
    [
        route("GET", "/locations", listing),
        route("POST", "/locations", create),
        route("POST", "/locations/by-query", by_query),
        route("GET", "/locations/by-entity/{kind}/{namespace}/{name}", by_entity),
        route("GET", "/locations/{id}", single),
        route("PUT", "/locations/{id}", change),
        route("DELETE", "/locations/{id}", remove),
    ]
)
