"""Routes of the policy: `/api/permission`."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from starlette.responses import Response

from services.gateway.callers import require_identity
from services.gateway.model import Identity
from services.gateway.policy.handlers import PermissionBatch, authorize
from services.gateway.ports import PermissionChecker, Resources
from shared.kit.http.apps import json_response
from shared.kit.http.bodies import BoundedRoute
from shared.kit.http.models import Absent, ResponseModel

Result = Literal["ALLOW", "DENY", "CONDITIONAL"]


class PermissionResult(ResponseModel):
    """The decision of one item; a list of results for a list of resources."""

    id: str
    result: Result | list[Result]
    plugin_id: str | Absent = None
    resource_type: str | Absent = None
    conditions: dict[str, Any] | Absent = None


class PermissionResults(ResponseModel):
    """The decisions of a batch, in its order."""

    items: list[PermissionResult]


def make_router(guard: PermissionChecker, resources: Resources) -> APIRouter:
    """Routes below `/api/permission`."""
    router = APIRouter(
        prefix="/api/permission", tags=["permission"], route_class=BoundedRoute
    )

    @router.post("/authorize", response_model=PermissionResults)
    async def authorize_batch(
        batch: PermissionBatch, identity: Annotated[Identity, Depends(require_identity)]
    ) -> Response:
        """Decide for each item whether the caller has the permission."""
        return json_response(await authorize(batch, identity, guard, resources))

    return router
