"""How the house is: each service's readiness, what it depends on, and since when."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from services.gateway.model import Identity
from services.gateway.ports import PermissionChecker
from shared.contracts.errors import Unavailable
from shared.contracts.permissions import ENTITY_READ

#: Figures that count restricted entities too, and what hangs on them.
COUNTS = frozenset({"entities", "roots", "records"})

Probe = Callable[[], Awaitable[tuple[bool, Mapping[str, Any]]]]


async def report(probes: Mapping[str, Probe], webhooks: Mapping[str, Any]) -> Any:
    """The status page's facts: `status` is "ok" only if every service is ready."""
    names = list(probes)
    found = await asyncio.gather(*(probes[name]() for name in names))
    services = [
        {"name": name, "ready": ready, **details}
        for name, (ready, details) in zip(names, found, strict=True)
    ]
    ready = all(service["ready"] for service in services)
    return {
        "status": "ok" if ready else "not ready",
        "services": services,
        "engines": _engines(services),
        "webhooks": dict(webhooks),
    }


def _engines(services: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each engine's state as the services that use it see it."""
    seen: dict[str, dict[str, Any]] = {}
    for service in services:
        for name, state in (service.get("checks") or {}).items():
            entry = seen.setdefault(name, {"name": name, "ready": True, "seen_by": {}})
            entry["seen_by"][service["name"]] = state
            entry["ready"] = entry["ready"] and state == "ok"
    return sorted(seen.values(), key=lambda entry: str(entry["name"]))


async def sees_all(guard: PermissionChecker, identity: Identity) -> bool:
    """Whether somebody may see every entity; not while the policy is away."""
    try:
        decision = await guard.decision(identity, ENTITY_READ)
    except Unavailable:
        return False
    return decision.result == "allow"


def without_counts(found: Mapping[str, Any]) -> dict[str, Any]:
    """A report for who may not see every entity: it does not say how many there are."""
    services = []
    for service in found["services"]:
        figures = service.get("figures") or {}
        shown = {name: each for name, each in figures.items() if name not in COUNTS}
        services.append({**service, "figures": shown} if figures else service)
    return {**found, "services": services}
