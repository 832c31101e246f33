"""The status of the installation: readiness of each service and of its engines."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from services.gateway.model import Identity, LastDelivery
from services.gateway.ports import PermissionChecker
from shared.contracts.errors import Unavailable
from shared.contracts.permissions import ENTITY_READ
from shared.kit.http.models import Absent

#: Figures that count restricted entities too.
COUNTS = frozenset({"entities", "roots", "records"})


class ServiceStatus(BaseModel):
    """The readiness of one service, with its checks, or the error of the request."""

    name: str
    ready: bool
    checks: dict[str, Any] | Absent = None
    figures: dict[str, Any] | Absent = None
    error: str | Absent = None


class EngineStatus(BaseModel):
    """The state of one engine, by the services that use it."""

    name: str
    ready: bool
    seen_by: dict[str, Any]


class StatusReport(BaseModel):
    """The report of the status page; `webhooks` has the last one of each provider."""

    status: Literal["ok", "not ready"]
    services: list[ServiceStatus]
    engines: list[EngineStatus]
    webhooks: dict[str, LastDelivery]


Probe = Callable[[], Awaitable[ServiceStatus]]


async def report(
    probes: Sequence[Probe], webhooks: Mapping[str, LastDelivery]
) -> StatusReport:
    """The report; `status` is "ok" if every service is ready."""
    services = await asyncio.gather(*(probe() for probe in probes))
    ready = all(service.ready for service in services)
    return StatusReport(
        status="ok" if ready else "not ready",
        services=services,
        engines=_engines(services),
        webhooks=dict(webhooks),
    )


def _engines(services: Sequence[ServiceStatus]) -> list[EngineStatus]:
    """Each engine's state, as reported by the services that use it."""
    states: dict[str, dict[str, Any]] = {}
    for service in services:
        for name, state in (service.checks or {}).items():
            states.setdefault(name, {})[service.name] = state
    return [
        EngineStatus(
            name=name,
            ready=all(state == "ok" for state in states[name].values()),
            seen_by=states[name],
        )
        for name in sorted(states)
    ]


async def sees_all(guard: PermissionChecker, identity: Identity) -> bool:
    """Whether somebody may see every entity; False while the policy is unavailable."""
    try:
        decision = await guard.decision(identity, ENTITY_READ)
    except Unavailable:
        return False
    return decision.result == "allow"


def without_counts(status_report: StatusReport) -> StatusReport:
    """The report without figures that count entities the reader may not see."""
    for service in status_report.services:
        for name in COUNTS.intersection(service.figures or ()):
            del (service.figures or {})[name]
    return status_report
