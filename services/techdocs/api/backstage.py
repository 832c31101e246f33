"""The routes of Backstage's techdocs backend: metadata, sync, static."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from services.techdocs.api.dependencies import (
    DocsDependencies,
    Served,
    entity_of,
    ref_in,
    sees,
)
from services.techdocs.api.files import static_answer
from shared.contracts.docs_sources import source_of
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, NotFound
from shared.kit.http.apps import Caller, json_response, sse, sse_frame
from shared.kit.http.openapi import EVENTS, FILES

#: Where the gateway serves these routes: a redirect must lead back through it.
PUBLIC_ROOT = "/api/techdocs"
METADATA = "techdocs_metadata.json"

router = APIRouter()


@router.get("/metadata/techdocs/{namespace}/{kind}/{name}")
async def site_metadata(
    namespace: str, kind: str, name: str, dependencies: Served, caller: Caller
) -> Response:
    """`techdocs_metadata.json` of an entity's site."""
    ref = ref_in(namespace, kind, name)
    try:
        _, path = await dependencies.reading.file(ref, METADATA, sees(caller))
    except NotFound:
        raise NotFound(f"Unable to get metadata for '{ref}'") from None
    return json_response(await asyncio.to_thread(path.read_bytes))


@router.get("/metadata/entity/{namespace}/{kind}/{name}")
async def entity_metadata(
    namespace: str, kind: str, name: str, dependencies: Served, caller: Caller
) -> Response:
    """The entity as its reader sees it, and where its docs come from."""
    ref = ref_in(namespace, kind, name)
    missing = f"Unable to get metadata for '{ref}'"
    entity = await dependencies.catalog.visible_entity(ref, caller)
    if entity is None:
        raise NotFound(missing)
    try:
        location = _location(dependencies, entity)
    except CallboardError as error:
        raise NotFound(missing) from error
    return json_response({**entity.raw, "locationMetadata": location})


def _location(dependencies: DocsDependencies, entity: Entity) -> dict[str, str]:
    source = source_of(entity)
    if source.kind == "dir":
        return {"type": "dir", "target": source.base}
    return {"type": "url", "target": dependencies.sources.url(source)}


@router.get("/sync/{namespace}/{kind}/{name}", **EVENTS)
async def sync(
    namespace: str, kind: str, name: str, dependencies: Served, caller: Caller
) -> Response:
    """Check the source now; the log of it as server-sent events."""
    ref = ref_in(namespace, kind, name)
    missing = f"Unable to sync docs of '{ref}': there is no such entity"
    entity = await entity_of(dependencies, caller, ref, missing)
    return sse(_frames(dependencies, entity))


async def _frames(
    dependencies: DocsDependencies, entity: Entity
) -> AsyncIterator[bytes]:
    try:
        async for event, data in dependencies.syncing.sync(entity):
            yield sse_frame(event=event, data=json.dumps(data))
    except CallboardError as error:
        # The answer has begun: the error is its last event.
        yield sse_frame(event="error", data=json.dumps(error.message))


@router.get("/static/docs/{namespace}/{kind}/{name}", **FILES)
@router.get("/static/docs/{namespace}/{kind}/{name}/{path:path}", **FILES)
async def static_file(
    request: Request,
    namespace: str,
    kind: str,
    name: str,
    dependencies: Served,
    caller: Caller,
    path: str = "",
) -> Response:
    """One file of a published site; addresses are lower-case."""
    triplet = f"{namespace}/{kind}/{name}"
    ref = ref_in(namespace, kind, name)
    address = f"{PUBLIC_ROOT}/static/docs/{triplet.lower()}/"
    if triplet != triplet.lower():
        return RedirectResponse(address + quote(path), 301)
    site, file = await dependencies.reading.file(ref, path, sees(caller))
    if file.is_dir():
        if not request.url.path.endswith("/"):
            return RedirectResponse(f"{address}{quote(path.strip('/'))}/", 301)
        site, file = await dependencies.reading.file(
            ref, f"{path}/index.html", sees(caller)
        )
    if not file.is_file():
        raise NotFound(f"The docs of '{ref}' have no file '{path}'")
    return static_answer(request, site.site, file)
