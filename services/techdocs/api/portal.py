"""The routes of the portal's docs pages: states, pages, pictures; they are stable."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from services.techdocs.api.dependencies import Served, ref_in, sees
from services.techdocs.api.files import asset_answer
from shared.contracts.errors import NotFound
from shared.kit.http.apps import Caller, json_response
from shared.kit.http.bodies import BoundedRoute
from shared.kit.http.models import RequestModel
from shared.kit.http.openapi import FILES

MOST_REFS = 500

router = APIRouter(route_class=BoundedRoute)


class EntityRefs(RequestModel):
    """The refs of entities, as in the catalog's query by refs."""

    entity_refs: list[str] = Field(max_length=MOST_REFS, fail_fast=True)


@router.get("/sites")
async def sites(
    dependencies: Served,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """The sites that the reader may see, the latest built first."""
    return json_response(
        {"items": await dependencies.reading.listed(sees(caller), limit)}
    )


@router.get("/sites/failed")
async def failed_sites(
    dependencies: Served,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """The sites whose latest build failed and that the reader may see, last first."""
    return json_response(await dependencies.reading.failed(sees(caller), limit))


@router.post("/sites/by-refs")
async def sites_by_refs(
    requested: EntityRefs, dependencies: Served, caller: Caller
) -> Response:
    """The states of entities' own sites: as many as refs, null where there is none."""
    refs = [ref.lower() for ref in requested.entity_refs]
    return json_response(
        {"items": await dependencies.reading.states(refs, sees(caller))}
    )


@router.get("/sites/{namespace}/{kind}/{name}")
async def site(
    namespace: str, kind: str, name: str, dependencies: Served, caller: Caller
) -> Response:
    """The state of an entity's site, its navigation and pages."""
    ref = ref_in(namespace, kind, name)
    return json_response(await dependencies.reading.state(ref, sees(caller)))


@router.get("/pages/{namespace}/{kind}/{name}")
@router.get("/pages/{namespace}/{kind}/{name}/{path:path}")
async def page(
    namespace: str,
    kind: str,
    name: str,
    dependencies: Served,
    caller: Caller,
    path: str = "",
) -> Response:
    """One page's article, cleaned, so that a page of the portal can show it."""
    ref = ref_in(namespace, kind, name)
    return json_response(await dependencies.reading.page(ref, path, sees(caller)))


@router.get("/assets/{namespace}/{kind}/{name}/{path:path}", **FILES)
async def asset(
    request: Request,
    namespace: str,
    kind: str,
    name: str,
    path: str,
    dependencies: Served,
    caller: Caller,
) -> Response:
    """A picture of a site, or another file to keep."""
    ref = ref_in(namespace, kind, name)
    published, file = await dependencies.reading.file(ref, path, sees(caller))
    if not file.is_file():
        raise NotFound(f"The docs of '{ref}' have no file '{path}'")
    return asset_answer(request, published.site, file)
