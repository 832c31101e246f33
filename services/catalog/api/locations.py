"""Locations: what is registered, and registering, which is done when it answers."""

import base64
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from services.catalog.api.models import (
    EntityDocument,
    Limit,
    LocationDocument,
    LocationSpec,
    NextPage,
)
from services.catalog.api.reading import CallerScope
from services.catalog.api.registration_preview import preview
from services.catalog.api.revisions import CatalogRoute
from services.catalog.api.sources import Sources
from services.catalog.api.writing import CatalogWrites, Writes, context_of
from services.catalog.handlers import roots
from services.catalog.handlers.root_release import release_root
from services.catalog.model import REGISTERED, LocationRef, RootLocation, parse_location
from services.catalog.query.matching import matcher
from services.catalog.query.predicates import Predicate, parse_predicate
from services.catalog.query.scopes import ReaderScope
from shared.contracts.errors import CallboardError, Invalid, NotFound
from shared.contracts.permissions import LOCATION_CREATE
from shared.guards.addresses import is_web_address, require_no_password
from shared.guards.json_text import load_json
from shared.guards.turns import in_turns
from shared.kit.http.apps import Caller, json_response
from shared.kit.http.models import Absent, RequestModel, ResponseModel
from shared.kit.http.service_tokens import Principal

PAGE_SIZE = 1000

router = APIRouter(route_class=CatalogRoute)

#: A flag of a query; one without a value is not set.
Flag = Annotated[bool, BeforeValidator(lambda value: value or False), Query()]


class LocationItem(ResponseModel):
    """A registration, as Backstage wraps it in a list."""

    data: LocationDocument


class ProvidedEntity(ResponseModel):
    """An entity of a location that the catalog has already, and who provides it."""

    entity_ref: str
    location: str
    origin: str
    providers: list[str]
    is_other_file: bool


class Registration(ResponseModel):
    """A registered location, or in a dry run the entities that it would add."""

    location: LocationDocument
    entities: list[EntityDocument]
    exists: bool | Absent = None
    provided: list[ProvidedEntity] | Absent = None


class LocationPageRequest(RequestModel):
    """The body of `POST /locations/by-query`; a cursor stands for the rest."""

    query: Predicate = Field(default_factory=dict)
    limit: Limit | None = None
    cursor: str | None = None


class _Page(RequestModel):
    """What a cursor holds."""

    query: Predicate
    limit: Limit
    after_id: str


class LocationPage(ResponseModel):
    """A page of registrations."""

    items: list[LocationDocument]
    total_items: int
    page_info: NextPage


def _document(root: RootLocation) -> dict[str, str | None]:
    """A registration as a `LocationDocument`; lists of thousands have no models."""
    location = root.location
    return {
        "id": root.id,
        "type": location.type,
        "target": location.target,
        "entityRef": location.entity_ref,
    }


def _flat_item(document: Mapping[str, str | None]) -> dict[str, str]:
    return {key.lower(): value.lower() for key, value in document.items() if value}


def _visible_registrations(
    writes: Writes, scope: ReaderScope, caller: Principal
) -> list[RootLocation]:
    """What is registered, but for what others' restricted entities alone come from."""
    registrations = writes.catalog.state.provided_by(REGISTERED)
    visible_roots = (
        root for root in registrations if not _is_hidden(root, scope, caller)
    )
    return sorted(visible_roots, key=lambda root: (root.created, root.name))


def _is_hidden(root: RootLocation, scope: ReaderScope, caller: Principal) -> bool:
    """Whether the caller may not know of a registration, which is not their own."""
    is_own = root.registrant == caller.subject
    return scope.hides(root.location.entity_ref) and not is_own


def _with_id(
    writes: Writes, identity: str, is_hidden: Callable[[RootLocation], bool]
) -> RootLocation:
    root = writes.catalog.state.root_with_id(identity)
    if root is None or is_hidden(root):
        raise NotFound(f"Found no location with ID {identity}")
    return root


def visible_root(
    writes: Writes, scope: ReaderScope, caller: Principal, identity: str
) -> RootLocation:
    """The registration with an id, if the caller may know of it.

    Raises:
        NotFound: otherwise.
    """
    return _with_id(writes, identity, lambda root: _is_hidden(root, scope, caller))


async def _known_root(
    writes: Writes, principal: Principal, identity: str
) -> RootLocation:
    """The registration with an id, also one that another replica has just made.

    Raises:
        NotFound: if there is none, or none that the caller may know of.
    """
    if writes.catalog.state.root_with_id(identity) is None:
        # Another replica may have made it a moment ago.
        await writes.follower.catch_up()
    return _with_id(writes, identity, lambda root: writes.hides(principal, root))


@router.get("/locations", response_model=list[LocationItem])
async def listing(
    scope: CallerScope, caller: Caller, writes: CatalogWrites
) -> Response:
    """All registrations, oldest first."""
    registrations = _visible_registrations(writes, scope, caller)
    return json_response([{"data": _document(root)} for root in registrations])


@router.post("/locations", status_code=201, response_model=Registration)
async def create(
    body: LocationSpec,
    caller: Caller,
    reader: Sources,
    writes: CatalogWrites,
    *,
    dry_run: Annotated[Flag, Query(alias="dryRun")] = False,
    provided: Flag = False,
    on_conflict: Annotated[
        Literal["refresh", "reject"] | None, Query(alias="onConflict")
    ] = None,
) -> Response:
    """Register a location and read it.

    With `dryRun` it is only read: `entities` are those that it would bring, and with
    `provided` the answer says which of them the catalog has already. `onConflict` says
    what happens to a location that is registered.
    """
    location = _allowed_location(writes, body)
    if dry_run:
        return json_response(
            await preview(
                writes, location, caller=caller, reader=reader, with_provided=provided
            ),
            status=201,
        )
    writes.require_writable()
    refresh = writes.refresh_duplicates
    if on_conflict is not None:
        refresh = on_conflict == "refresh"
    await roots.require_readable(writes.catalog, location, reader)
    context = context_of(caller, "registration", reader)
    root = await roots.register(writes.catalog, location, context, refresh=refresh)
    # As Backstage: entities are read from /entities, where they are by now.
    return json_response({"location": _document(root), "entities": []}, status=201)


def _allowed_location(writes: Writes, spec: LocationSpec) -> LocationRef:
    location = LocationRef(spec.type, spec.target)
    if location.type not in writes.types:
        names = orjson.dumps(list(writes.types)).decode()
        raise Invalid(f"Registered locations must be of an allowed type {names}")
    require_no_password(location.target, "request/body/target")
    parse_location(str(location))
    if location.type == "url" and not is_web_address(location.target):
        raise Invalid("request/body/target must be an http(s) URL")
    return location


@router.post("/locations/by-query", response_model=LocationPage)
async def by_query(
    body: LocationPageRequest,
    scope: CallerScope,
    caller: Caller,
    writes: CatalogWrites,
) -> Response:
    """A page of registrations that meet a predicate over id, type and target."""
    page = _Page(query=body.query, limit=body.limit or PAGE_SIZE, afterId="")
    if body.cursor is not None:
        page = _cursor(body.cursor)
    is_match = matcher(parse_predicate(page.query))
    documents = map(_document, _visible_registrations(writes, scope, caller))
    matches = [
        document
        async for document in in_turns(documents)
        if is_match(_flat_item(document))
    ]
    matches.sort(key=lambda document: document["id"] or "")
    later_matches = [
        document for document in matches if (document["id"] or "") > page.after_id
    ]
    items = later_matches[: page.limit]
    page_info = {}
    if len(later_matches) > page.limit:
        next_page = page.model_copy(update={"after_id": items[-1]["id"]})
        cursor = base64.b64encode(next_page.model_dump_json(by_alias=True).encode())
        page_info = {"nextCursor": cursor.decode()}
    return json_response(
        {"items": items, "totalItems": len(matches), "pageInfo": page_info}
    )


def _cursor(text: str) -> _Page:
    try:
        value = load_json(base64.b64decode(text, validate=True), label="cursor")
        return _Page.model_validate(value)
    except (ValueError, CallboardError) as error:
        raise Invalid("request/body/cursor: malformed cursor") from error


@router.get(
    "/locations/by-entity/{kind}/{namespace}/{name}", response_model=LocationDocument
)
async def by_entity(
    kind: str, namespace: str, name: str, caller: Caller, writes: CatalogWrites
) -> Any:
    """The registration that an entity came from."""
    ref = f"{kind}:{namespace}/{name}".lower()
    entity = writes.catalog.state.get(ref)
    if entity is None or not writes.is_permitted(caller, ref):
        raise NotFound(f"No such entity {ref}")
    origin = parse_location(entity.origin)
    root = roots.find_registration(writes.catalog, origin)
    if root is None:
        raise NotFound(
            f"Found no location with type {origin.type} and target {origin.target}"
        )
    return _document(root)


@router.get("/locations/{location_id}", response_model=LocationDocument)
async def single(
    location_id: str, scope: CallerScope, caller: Caller, writes: CatalogWrites
) -> Any:
    """One registration."""
    return _document(visible_root(writes, scope, caller, location_id))


@router.put("/locations/{location_id}", response_model=LocationDocument)
async def change(
    location_id: str,
    body: LocationSpec,
    caller: Caller,
    reader: Sources,
    writes: CatalogWrites,
) -> Any:
    """Point a registration at another location."""
    location = _allowed_location(writes, body)
    # The new location is a registration like any other.
    caller.granted(LOCATION_CREATE)
    writes.require_writable()
    root = await _known_root(writes, caller, location_id)

    async def may_move(current_root: RootLocation) -> bool:
        writes.require_all(caller, current_root)
        await writes.require_closed(caller, current_root)
        return True

    await may_move(root)
    await roots.require_readable(writes.catalog, location, reader)
    context = context_of(caller, "registration", reader)
    return _document(
        await roots.move(writes.catalog, root, location, context, may_move)
    )


@router.delete("/locations/{location_id}", status_code=204)
async def remove(location_id: str, caller: Caller, writes: CatalogWrites) -> Response:
    """Remove a registration and the entities that only it provides."""
    writes.require_writable()
    root = await _known_root(writes, caller, location_id)

    async def may_remove(current_root: RootLocation) -> bool:
        await writes.require_removal(caller, current_root)
        return True

    # At once: who may not is not kept waiting for a reading to end.
    await may_remove(root)
    context = context_of(caller, "delete")
    await release_root(writes.catalog, root, REGISTERED, context, may_remove)
    return Response(status_code=204)
