"""The whole public API in one OpenAPI document: every service's part and the gateway's.

Each service knows its own part; here they come together below `/api/{plugin}`, with
how callers say who they are.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from services.gateway.model import SESSION_COOKIE
from services.gateway.ports import Services

#: So long a whole document counts, and one with parts left out.
KEPT_SECONDS, LACKING_SECONDS = 60.0, 5.0
ASK_SECONDS = 3.0
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch"})
REF = "#/components/schemas/"
COMMON = "Error"
OPEN: Sequence[Mapping[str, Any]] = ({},)
#: What needs no credentials: beginnings of paths. Webhooks are signed instead.
OPEN_PATHS = (
    "/api/asyncapi.json",
    "/api/auth/",
    "/api/events/http/",
    "/api/openapi.json",
    "/api/schemas",
    "/api/webhooks/",
    "/api/{plugin}/.backstage/auth/v1/jwks.json",
)
CLOSED_PATHS = frozenset({"/api/auth/v1/userinfo"})
DOCS = "/api/techdocs/static/docs/"
SCHEMES: Mapping[str, Any] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A user's token (from /api/auth/{provider}/refresh), a static "
        "token of the configuration, or a service's own",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "A browser's session; what changes something must come from a "
        "page of the portal",
    },
    "docs": {
        "type": "apiKey",
        "in": "cookie",
        "name": "backstage-auth",
        "description": "From /api/{plugin}/.backstage/auth/v1/cookie; good for the "
        "files of documentation sites",
    },
}
ABOUT = (
    "Catalog, templates, documentation, search and access control. Paths and shapes "
    "are Backstage's where both have the thing."
)

Document = Mapping[str, Any]


def merged(own: Document, parts: Mapping[str, Document | None]) -> dict[str, Any]:
    """One document of the gateway's own and the services'; None: a part is away."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for plugin, part in parts.items():
        if part is None:
            continue
        for path, item in part["paths"].items():
            paths[f"/api/{plugin}{path}"] = _below(plugin, item)
        for name, schema in _schemas(part).items():
            if name != COMMON:
                schemas[f"{plugin}.{name}"] = _renamed(plugin, schema)
    paths |= own["paths"]
    components = own["components"]
    return {
        "openapi": own["openapi"],
        "info": {
            "title": "Callboard",
            "version": own["info"]["version"],
            "description": _about([name for name, part in parts.items() if not part]),
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": name} for name in sorted(_tags(paths))],
        "paths": {path: _secured(path, paths[path]) for path in sorted(paths)},
        "components": {
            **components,
            "schemas": {**schemas, **components["schemas"]},
            "securitySchemes": SCHEMES,
        },
    }


def _about(away: Sequence[str]) -> str:
    if not away:
        return ABOUT
    return f"{ABOUT} Left out, as they did not answer: {', '.join(away)}."


def _schemas(part: Document) -> Mapping[str, Any]:
    found: Mapping[str, Any] = part.get("components", {}).get("schemas", {})
    return found


def _below(plugin: str, item: Document) -> dict[str, Any]:
    """A path's operations under names that no other part has."""
    found = _renamed(plugin, item)
    return {
        method: {
            **operation,
            "tags": [plugin],
            "operationId": f"{plugin}_{operation['operationId']}",
        }
        for method, operation in found.items()
        if method in METHODS
    }


def _renamed(plugin: str, value: Any) -> Any:
    """References to a part's schemas as references to theirs among all."""
    if isinstance(value, dict):
        return {
            key: f"{REF}{plugin}.{one.removeprefix(REF)}"
            if key == "$ref" and isinstance(one, str) and _is_own(one)
            else _renamed(plugin, one)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_renamed(plugin, one) for one in value]
    return value


def _is_own(ref: str) -> bool:
    return ref.startswith(REF) and ref != f"{REF}{COMMON}"


def _tags(paths: Document) -> set[str]:
    return {
        tag
        for item in paths.values()
        for operation in item.values()
        for tag in operation.get("tags", ())
    }


def _secured(path: str, item: Document) -> dict[str, Any]:
    """Operations that want other credentials than the rest, or none."""
    security: Sequence[Mapping[str, Any]] | None = None
    if path.startswith(OPEN_PATHS) and path not in CLOSED_PATHS:
        security = OPEN
    elif path.startswith(DOCS):
        security = ({"token": []}, {"session": []}, {"docs": []})
    if security is None:
        return dict(item)
    return {method: {**one, "security": security} for method, one in item.items()}


class ApiDocument:
    """The document as it is served: services are asked now and then, not each time."""

    def __init__(self, services: Services, plugins: Sequence[str]) -> None:
        self._services = services
        self._plugins = tuple(plugins)
        self._asking = asyncio.Lock()
        self._body = b""
        self._until = 0.0

    async def body(self, own: Document) -> bytes:
        """The JSON; parts whose service is away are left out and named."""
        async with self._asking:
            if time.monotonic() >= self._until:
                found = await asyncio.gather(*map(self._part, self._plugins))
                parts = dict(zip(self._plugins, found, strict=True))
                self._body = orjson.dumps(merged(own, parts))
                kept = KEPT_SECONDS if all(found) else LACKING_SECONDS
                self._until = time.monotonic() + kept
        return self._body

    async def _part(self, plugin: str) -> Document | None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                answer = await self._services.ask(plugin, "/openapi.json")
        except TimeoutError:
            return None
        part = answer.value if answer.ok else None
        return part if isinstance(part, dict) and "paths" in part else None
