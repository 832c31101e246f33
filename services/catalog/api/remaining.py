"""`GET /locations/{id}/remaining`: what unregistering a location does and leaves."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.catalog.api.locations import visible_root
from services.catalog.api.reading import begin
from services.catalog.api.writing import Writes, route, writes_of
from services.catalog.handlers.remainders import Remainder, unregistering
from services.catalog.model import Root
from services.catalog.query.scopes import ReaderScope
from shared.contracts.errors import Forbidden
from shared.contracts.permissions import LOCATION_DELETE
from shared.kit.http.apps import caller_of, json_response
from shared.kit.http.service_tokens import Principal

MOST_REFS = 1_000


async def remaining(request: Request) -> Response:
    """The entities that leave, and those that stay or come back, by their provider.

    `removable` says whether the caller may unregister the location.
    """
    _, scope = await begin(request)
    writes = writes_of(request)
    root = visible_root(writes, scope, request.path_params["id"])
    outcome = await unregistering(writes.catalog, root)
    items = [
        _item(each, scope)
        for each in outcome.remainders
        if not scope.hides(each.root.location.entity_ref)
    ]
    return json_response(
        {
            "items": [item for item in items if item["totalEntities"]],
            "leaving": _listed(outcome.leaving, scope),
            "removable": await _is_removable(writes, caller_of(request), root),
        }
    )


def _item(remainder: Remainder, scope: ReaderScope) -> dict[str, Any]:
    return {
        "location": str(remainder.root.location),
        "providers": sorted(remainder.root.buckets),
        "returns": remainder.returns,
        **_listed(remainder.refs, scope),
    }


def _listed(refs: Sequence[str], scope: ReaderScope) -> dict[str, Any]:
    shown = [ref for ref in refs if not scope.hides(ref)]
    return {"totalEntities": len(shown), "entityRefs": shown[:MOST_REFS]}


async def _is_removable(writes: Writes, principal: Principal, root: Root) -> bool:
    try:
        await writes.require_removal(principal.granted(LOCATION_DELETE), root)
    except Forbidden:
        return False
    return True


router = APIRouter()
router.routes.append(route("GET", "/locations/{id}/remaining", remaining))
