"""Routes about the gateway itself: health, contracts, status of the installation."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel
from starlette.responses import Response

from services.gateway.callers import require_identity
from services.gateway.documents import asyncapi, schema, schema_types
from services.gateway.model import Identity
from services.gateway.openapi import ApiDocument
from services.gateway.status import StatusReport
from shared.kit.http.apps import json_response, run_checks

MakeReport = Callable[[Identity], Awaitable[StatusReport]]


class EventTypes(BaseModel):
    """The types of all events."""

    types: list[str]


def health_router(app: FastAPI) -> APIRouter:
    """Backstage's addresses of liveness and readiness."""
    router = APIRouter(prefix="/.backstage/health/v1", include_in_schema=False)

    @router.get("/liveness")
    async def liveness() -> Response:
        return json_response({"status": "ok"})

    @router.get("/readiness")
    async def readiness() -> Response:
        states = await run_checks(app.state.checks)
        if all(state == "ok" for state in states.values()):
            return json_response({"status": "ok"})
        return json_response({"message": "not ready", "checks": states}, status=503)

    return router


def documents_router(
    app: FastAPI, brokers: Mapping[str, str], document: ApiDocument
) -> APIRouter:
    """The public contracts; they are no secret."""
    router = APIRouter(prefix="/api", tags=["contracts"])

    @router.get("/openapi.json", response_model=dict[str, Any])
    async def openapi() -> Response:
        """OpenAPI of the whole public API. Unavailable services are left out."""
        return json_response(await document.body(app.openapi()))

    @router.get("/asyncapi.json", response_model=dict[str, Any])
    async def asyncapi_document() -> Response:
        """AsyncAPI of the topics."""
        return json_response(asyncapi(brokers))

    @router.get("/schemas")
    async def event_types() -> EventTypes:
        """Every event type."""
        return EventTypes(types=schema_types())

    @router.get("/schemas/{event_type}.json", response_model=dict[str, Any])
    async def event_schema(event_type: str) -> Response:
        """The JSON Schema of one event type."""
        return json_response(schema(event_type))

    return router


def status_router(make_report: MakeReport) -> APIRouter:
    """The status of the installation, for every authenticated caller."""
    router = APIRouter(prefix="/api/status", tags=["status"])

    @router.get("", response_model_exclude_unset=True)
    async def status(
        identity: Annotated[Identity, Depends(require_identity)],
    ) -> StatusReport:
        """Each service, each engine, the last webhook of each host."""
        return await make_report(identity)

    return router
