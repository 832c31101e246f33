"""The whole public API in one OpenAPI document: every service's part and the gateway's.

Each service makes its own part; the gateway joins them and adds the security schemes.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from services.gateway.model import SESSION_COOKIE
from services.gateway.ports import Services

#: Seconds for which a complete document is served, and one with parts left out.
COMPLETE_SECONDS, INCOMPLETE_SECONDS = 60.0, 5.0
REQUEST_SECONDS = 3.0
OPEN: Sequence[Mapping[str, Any]] = ({},)
#: Prefixes of paths that need no credentials. Webhooks are signed instead.
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
DESCRIPTION = (
    "Catalog, templates, documentation, search and access control. Paths and shapes "
    "are Backstage's where both have the thing."
)

Document = Mapping[str, Any]


def merged(own: Document, parts: Mapping[str, Document | None]) -> dict[str, Any]:
    """One document of the gateway's own and the services'; None: one is unavailable."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for document in (*filter(None, parts.values()), own):
        paths |= document["paths"]
        # A model's name stands once among all services, and a shared one is equal.
        schemas |= document["components"]["schemas"]
    away = [name for name, part in parts.items() if not part]
    left_out = f" Left out, as they did not answer: {', '.join(away)}." if away else ""
    return {
        **own,
        "info": {
            "title": "Callboard",
            "version": own["info"]["version"],
            "description": f"{DESCRIPTION}{left_out}",
        },
        "security": [{"token": []}, {"session": []}],
        "paths": {path: _secured(path, paths[path]) for path in sorted(paths)},
        "components": {"schemas": schemas, "securitySchemes": SCHEMES},
    }


def _secured(path: str, item: Document) -> dict[str, Any]:
    """The operations, with `security` where they need other credentials, or none."""
    security: Sequence[Mapping[str, Any]] | None = None
    if path.startswith(OPEN_PATHS) and path not in CLOSED_PATHS:
        security = OPEN
    elif path.startswith(DOCS):
        security = ({"token": []}, {"session": []}, {"docs": []})
    if security is None:
        return dict(item)
    return {
        method: {**operation, "security": security}
        for method, operation in item.items()
    }


class ApiDocument:
    """The served document; the parts are requested again when it is too old."""

    def __init__(self, services: Services, plugins: Sequence[str]) -> None:
        self._services = services
        self._plugins = tuple(plugins)
        self._refresh_lock = asyncio.Lock()
        self._body = b""
        self._until = 0.0

    async def body(self, own: Document) -> bytes:
        """The JSON; the parts of unavailable services are left out and named."""
        async with self._refresh_lock:
            if time.monotonic() >= self._until:
                documents = await asyncio.gather(*map(self._part, self._plugins))
                parts = dict(zip(self._plugins, documents, strict=True))
                self._body = orjson.dumps(merged(own, parts))
                seconds = COMPLETE_SECONDS if all(documents) else INCOMPLETE_SECONDS
                self._until = time.monotonic() + seconds
        return self._body

    async def _part(self, plugin: str) -> Document | None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                answer = await self._services.probe(plugin, "/openapi.json")
        except TimeoutError:
            return None
        part = answer.value if answer.ok else None
        return part if isinstance(part, dict) and "components" in part else None
