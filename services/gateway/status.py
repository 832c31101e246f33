"""How the house is: each service's readiness, what it depends on, and since when."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

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
