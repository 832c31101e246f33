"""Changes to single entities, and checks before one."""

from fastapi import APIRouter
from starlette.responses import Response

from services.catalog.api.models import EntityDocument, LocationSpec, Text
from services.catalog.api.revisions import CatalogRoute
from services.catalog.api.sources import Sources, may_see
from services.catalog.api.writing import CatalogWrites, Writes, context_of
from services.catalog.handlers import analysis, refreshing
from services.catalog.model import (
    EntityJson,
    LocationRef,
    StoredEntity,
    parse_location,
)
from shared.contracts.errors import CallboardError, Invalid, NotFound, Unavailable
from shared.contracts.ref import parse_ref
from shared.guards.addresses import require_no_password
from shared.kit.http.apps import Caller, json_response
from shared.kit.http.models import ErrorDetails, RequestModel, ResponseModel

router = APIRouter(route_class=CatalogRoute)


class RefreshRequest(RequestModel):
    """Which entity to read again."""

    entity_ref: Text


class EntityValidation(RequestModel):
    """An entity, and the location that it would lie at: `url:https://…`."""

    entity: EntityJson
    location: Text


class EntityProblems(ResponseModel):
    """What is wrong with an entity."""

    errors: list[ErrorDetails]


class AnalysisRequest(RequestModel):
    """Where to look for descriptors, and how their files are called."""

    location: LocationSpec
    catalog_filename: Text = analysis.FILENAME


class ExistingEntity(ResponseModel):
    """An entity that a descriptor there has."""

    location: dict[str, str]
    is_registered: bool
    entity: EntityDocument


class FieldState(ResponseModel):
    """A field that the person has to fill in."""

    field: str = "spec.owner"
    value: None = None
    state: str = "needsUserInput"
    description: str = "Who owns it: the ref of a group or a user"


class GeneratedEntity(ResponseModel):
    """A first entity for a repository without one, and the fields to fill in."""

    entity: EntityDocument
    fields: list[FieldState]


class LocationAnalysis(ResponseModel):
    """What could be registered at a location."""

    existing_entity_files: list[ExistingEntity]
    generate_entities: list[GeneratedEntity]


@router.post("/refresh", response_class=Response)
async def refresh(
    body: RefreshRequest, caller: Caller, writes: CatalogWrites
) -> Response:
    """Read an entity's sources again. When it answers, what changed is visible."""
    text = body.entity_ref
    entity = _entity(writes, text)
    if entity is None or not writes.require(caller, entity):
        # Another replica may have created or opened it a moment ago. A hidden entity
        # takes the same time as one that does not exist.
        await writes.follower.catch_up()
        entity = _entity(writes, text)
        if entity is None or not writes.require(caller, entity):
            raise NotFound(f"Entity {text} not found")
    await refreshing.refresh(writes.catalog, entity, context_of(caller, "refresh"))
    return Response(status_code=200)


def _entity(writes: Writes, text: str) -> StoredEntity | None:
    try:
        ref = str(parse_ref(text))
    except Invalid:
        return None
    return writes.catalog.state.get(ref)


@router.delete("/entities/by-uid/{uid}", status_code=204)
async def delete(uid: str, caller: Caller, writes: CatalogWrites) -> Response:
    """Remove an entity. It comes back while its source has it.

    Deleting an unknown entity is no error.
    """
    uid = uid.lower()
    if not writes.model.index.equal("metadata.uid", uid):
        await writes.follower.catch_up()
    for number in writes.model.index.equal("metadata.uid", uid):
        record = writes.model.records[number]
        entity = writes.catalog.state.get(record.ref) if record else None
        if entity is not None and writes.require(caller, entity):
            context = context_of(caller, "delete")
            await refreshing.delete(writes.catalog, entity, context)
    return Response(status_code=204)


@router.post(
    "/validate-entity",
    response_class=Response,
    responses={400: {"model": EntityProblems}},
)
async def validate(
    body: EntityValidation, reader: Sources, writes: CatalogWrites
) -> Response:
    """Check an entity without storing it. 400 with `errors` if it breaks a rule."""
    try:
        require_no_password(body.location, "location")
        location = parse_location(body.location)
        await analysis.validate(writes.catalog, body.entity, location, reader)
    except Unavailable:
        raise
    except CallboardError as error:
        problem = {"name": error.name, "message": error.message}
        return json_response({"errors": [problem]}, status=400)
    return Response(status_code=200)


@router.post("/analyze-location", response_model=LocationAnalysis)
async def analyse(
    body: AnalysisRequest, caller: Caller, reader: Sources, writes: CatalogWrites
) -> Response:
    """What could be registered at an address."""
    if body.location.type != "url":
        raise Invalid("request/body/location/type must be url")
    require_no_password(body.location.target, "request/body/location/target")
    result = await analysis.analyse(
        writes.catalog,
        LocationRef(body.location.type, body.location.target),
        body.catalog_filename,
        reader,
        lambda entity: may_see(caller, entity),
    )
    existing = [
        {
            "location": {"type": item.file.type, "target": item.file.target},
            "isRegistered": item.is_registered,
            "entity": item.entity.raw,
        }
        for item in result.existing
    ]
    generated = []
    if result.generated is not None:
        fields = [FieldState().model_dump()]
        generated = [{"entity": result.generated.raw, "fields": fields}]
    answer = {"existingEntityFiles": existing, "generateEntities": generated}
    return json_response(answer)
