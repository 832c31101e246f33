"""Sources read on behalf of somebody: who asks, and `POST /sources/readable`."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.catalog.api.parameters import body_of, strings
from services.catalog.api.reading import reads_of
from services.catalog.api.writing import route, writes_of
from services.catalog.handlers.source_rights import SourceReader
from services.catalog.model import LocationRef, parse_location
from shared.contracts.entity import Entity
from shared.contracts.errors import Forbidden, Invalid
from shared.contracts.permissions import ENTITY_READ, SOURCE_EXPLORE, SOURCE_READ
from shared.contracts.ref import parse_ref
from shared.kit.http.apps import caller_of, json_response
from shared.kit.http.conditions import permits
from shared.kit.http.service_tokens import Principal

MOST_LOCATIONS = 100
#: Characters: more than any address or path has that can be read.
LONGEST_LOCATION = 8_192


def source_reader(request: Request, principal: Principal) -> SourceReader:
    """The caller as a reader of sources."""
    explores = _is_allowed(principal, SOURCE_EXPLORE)
    try:
        reader = principal.granted(SOURCE_READ)
    except Forbidden:
        return SourceReader(lambda _: False, explores)
    if reader.decision == "allow":
        return SourceReader(None, explores)
    reads = reads_of(request)

    def sees(ref: str) -> bool:
        record = reads.model.record(ref)
        return record is not None and reads.scope(reader).holds(record.entity)

    return SourceReader(sees, explores)


def may_see(principal: Principal, entity: Mapping[str, Any]) -> bool:
    """Whether the caller could see an entity that is not in the catalog yet."""
    try:
        return permits(principal.granted(ENTITY_READ), Entity(entity))
    except Forbidden:
        return False


def _is_allowed(principal: Principal, permission: str) -> bool:
    try:
        return principal.granted(permission).decision == "allow"
    except Forbidden:
        return False


def _location(text: str, where: str) -> LocationRef:
    """The location in a text; each folder above it is looked up."""
    if len(text) > LONGEST_LOCATION:
        raise Invalid(f"{where}: a location has at most {LONGEST_LOCATION} characters")
    return parse_location(text)


async def readable(request: Request) -> Response:
    """POST `/sources/readable`: which locations may be read on the caller's behalf.

    For services that read files for somebody.
    """
    principal, writes = caller_of(request), writes_of(request)
    body = await body_of(request)
    locations = strings(body, "locations", required=True)
    if len(locations) > MOST_LOCATIONS:
        raise Invalid(
            f"request/body/locations must have at most {MOST_LOCATIONS} items"
        )
    reader = source_reader(request, principal)
    items = [
        {
            "location": text,
            "readable": await writes.catalog.rights.is_readable(
                _location(text, "request/body/locations"), reader, raw=True
            ),
        }
        for text in locations
    ]
    return json_response({"items": items})


async def open_to_readers(request: Request) -> Response:
    """GET `/sources/open`: whether all readers of an entity may read a location.

    For services that show an entity's readers files from elsewhere, when nobody in
    particular asks.
    """
    if not caller_of(request).is_service:
        raise Forbidden("Only services may ask for this")
    given = request.query_params
    rights = writes_of(request).catalog.rights
    readers = rights.readers_of(str(parse_ref(given.get("entityRef", ""))))
    location = _location(given.get("location", ""), "request/query/location")
    return json_response(
        {"open": await rights.is_readable(location, readers, raw=True)}
    )


router = APIRouter()
router.routes.extend(
    [
        route("POST", "/sources/readable", readable),
        route("GET", "/sources/open", open_to_readers),
    ]
)
