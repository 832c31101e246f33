"""`GET /locations/{id}/remaining`: what unregistering a location does not take away."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.catalog.api.locations import visible_root
from services.catalog.api.reading import begin
from services.catalog.api.writing import route, writes_of
from services.catalog.handlers.remainders import Remainder, remainders
from services.catalog.query.scopes import Scope
from shared.kit.web import json_response

MOST_REFS = 1_000


async def remaining(request: Request) -> Response:
    """The entities that stay or come back, by the location that provides them then."""
    _, scope = await begin(request)
    writes = writes_of(request)
    root = visible_root(writes, scope, request.path_params["id"])
    items = [
        _item(each, scope)
        for each in await remainders(writes.catalog, root)
        if not scope.hides(each.root.location.entity_ref)
    ]
    return json_response({"items": [item for item in items if item["totalEntities"]]})


def _item(remainder: Remainder, scope: Scope) -> dict[str, Any]:
    refs = [ref for ref in remainder.refs if not scope.hides(ref)]
    return {
        "location": str(remainder.root.location),
        "providers": sorted(remainder.root.buckets),
        "returns": remainder.returns,
        "totalEntities": len(refs),
        "entityRefs": refs[:MOST_REFS],
    }


router = APIRouter()
router.routes.append(route("GET", "/locations/{id}/remaining", remaining))
