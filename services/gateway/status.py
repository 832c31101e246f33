"""The status of the installation: readiness of each service and of its engines."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from services.gateway.model import Identity
from services.gateway.ports import PermissionChecker
from shared.contracts.errors import Unavailable
from shared.contracts.permissions import ENTITY_READ

#: Figures that count restricted entities too.
COUNTS = frozenset({"entities", "roots", "records"})

Probe = Callable[[], Awaitable[tuple[bool, Mapping[str, Any]]]]


async def report(probes: Mapping[str, Probe], webhooks: Mapping[str, Any]) -> Any:
    """The report of the status page; `status` is "ok" if every service is ready."""
    names = list(probes)
    results = await asyncio.gather(*(probes[name]() for name in names))
    services = [
        {"name": name, "ready": ready, **details}
        for name, (ready, details) in zip(names, results, strict=True)
    ]
    ready = all(service["ready"] for service in services)
    return {
        "status": "ok" if ready else "not ready",
        "services": services,
        "engines": _engines(services),
        "webhooks": dict(webhooks),
    }


def _engines(services: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each engine's state, as reported by the services that use it."""
    engines: dict[str, dict[str, Any]] = {}
    for service in services:
        for name, state in (service.get("checks") or {}).items():
            engine = engines.setdefault(
                name, {"name": name, "ready": True, "seen_by": {}}
            )
            engine["seen_by"][service["name"]] = state
            engine["ready"] = engine["ready"] and state == "ok"
    return sorted(engines.values(), key=lambda engine: str(engine["name"]))


async def sees_all(guard: PermissionChecker, identity: Identity) -> bool:
    """Whether somebody may see every entity; False while the policy is unavailable."""
    try:
        decision = await guard.decision(identity, ENTITY_READ)
    except Unavailable:
        return False
    return decision.result == "allow"


def without_counts(status_report: Mapping[str, Any]) -> dict[str, Any]:
    """The report without figures that count entities the reader may not see."""
    services = []
    for service in status_report["services"]:
        figures = service.get("figures") or {}
        public = {name: figures[name] for name in figures if name not in COUNTS}
        services.append({**service, "figures": public} if figures else service)
    return {**status_report, "services": services}
