"""The caller as a reader of sources, and `POST /sources/readable`."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request

from services.catalog.api.models import Texts
from services.catalog.api.reading import reads_of
from services.catalog.api.revisions import CatalogRoute
from services.catalog.api.writing import CatalogWrites
from services.catalog.handlers.source_rights import SourceReader, SourceRights
from services.catalog.model import LocationRef, parse_location
from shared.contracts.entity import Entity
from shared.contracts.errors import Forbidden, Invalid
from shared.contracts.permissions import ENTITY_READ, SOURCE_EXPLORE, SOURCE_READ
from shared.contracts.ref import parse_ref
from shared.kit.http.apps import Caller, ServiceCaller
from shared.kit.http.conditions import permits
from shared.kit.http.models import RequestModel, ResponseModel
from shared.kit.http.service_tokens import Principal

MOST_LOCATIONS = 100
#: Of the files of one folder, in one question.
MOST_FILES = 2_000
#: Characters: more than any address or path has that can be read.
LONGEST_LOCATION = 8_192

router = APIRouter(route_class=CatalogRoute)


class LocationList(RequestModel):
    """Locations: `url:https://…`."""

    locations: Annotated[Texts, Field(max_length=MOST_LOCATIONS)]


class Readability(ResponseModel):
    """Whether a location may be read on the caller's behalf."""

    location: str
    readable: bool


class ReadabilityList(ResponseModel):
    """As many items as locations, in their order."""

    items: list[Readability]


async def source_reader(request: Request, caller: Caller) -> SourceReader:
    """The caller as a reader of sources."""
    explores = _is_allowed(caller, SOURCE_EXPLORE)
    try:
        reader = caller.granted(SOURCE_READ)
    except Forbidden:
        return SourceReader(lambda _: False, explores, caller.subject)
    if reader.decision == "allow":
        return SourceReader(None, explores)
    reads = reads_of(request)

    def sees(ref: str) -> bool:
        record = reads.model.record(ref)
        return record is not None and reads.scope(reader).holds(record.entity)

    def saw(entity: Entity) -> bool:
        return permits(reader, entity)

    return SourceReader(sees, explores, caller.subject, saw=saw)


Sources = Annotated[SourceReader, Depends(source_reader)]


def may_see(principal: Principal, entity: Entity) -> bool:
    """Whether the caller could see an entity that is not in the catalog yet."""
    try:
        return permits(principal.granted(ENTITY_READ), entity)
    except Forbidden:
        return False


def _is_allowed(principal: Principal, permission: str) -> bool:
    try:
        return principal.granted(permission).decision == "allow"
    except Forbidden:
        return False


def _location(text: str, field: str) -> LocationRef:
    """The location in a text; each folder above it is looked up."""
    if len(text) > LONGEST_LOCATION:
        raise Invalid(f"{field}: a location has at most {LONGEST_LOCATION} characters")
    return parse_location(text)


@router.post("/sources/readable")
async def readable(
    body: LocationList, reader: Sources, writes: CatalogWrites
) -> ReadabilityList:
    """Which locations may be read on the caller's behalf.

    For services that read files for somebody.
    """
    return await _readability(body.locations, reader, writes.catalog.rights)


class EntityLocationList(RequestModel):
    """Locations that all readers of an entity would read."""

    entity_ref: str
    locations: Annotated[Texts, Field(max_length=MOST_LOCATIONS)]


@router.post("/sources/open", include_in_schema=False)
async def open_to_readers(
    body: EntityLocationList, _: ServiceCaller, writes: CatalogWrites
) -> ReadabilityList:
    """Which locations all readers of an entity may read.

    For services that show an entity's readers files from elsewhere, when nobody in
    particular asks.
    """
    rights = writes.catalog.rights
    readers = rights.readers_of(str(parse_ref(body.entity_ref)))
    return await _readability(body.locations, readers, rights)


class EntityFileList(RequestModel):
    """Files that an entity names as its own: `url:https://…`."""

    entity_ref: str
    locations: Annotated[Texts, Field(max_length=MOST_FILES)]


class HiddenFileList(ResponseModel):
    """Whether files are hidden: as many items as locations, in their order.

    `has_hidden`: their sources have some, these or others. `state` changes when others
    may be hidden than now; "" if none are.
    """

    has_hidden: bool
    state: str
    items: list[bool]


@router.post("/sources/hidden", include_in_schema=False)
async def hidden_to_readers(
    body: EntityFileList, _: ServiceCaller, writes: CatalogWrites
) -> HiddenFileList:
    """Which files of an entity's own source not all of its readers may read.

    For services that show an entity's readers the files around it.
    """
    rights = writes.catalog.rights
    readers = rights.readers_of(str(parse_ref(body.entity_ref)))
    locations = (_location(text, "request/body/locations") for text in body.locations)
    hidden = await rights.hidden_files(locations, readers)
    return HiddenFileList(
        has_hidden=bool(hidden.state), state=hidden.state, items=hidden.items
    )


async def _readability(
    locations: Sequence[str], reader: SourceReader, rights: SourceRights
) -> ReadabilityList:
    items = [
        Readability(
            location=text,
            readable=await rights.is_readable(
                _location(text, "request/body/locations"), reader, raw=True
            ),
        )
        for text in locations
    ]
    return ReadabilityList(items=items)
