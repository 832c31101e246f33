"""A gateway that runs on a real port, and services in miniature behind it."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from services.gateway.configuration import GatewayConfig
from services.gateway.main import create_app
from services.gateway.settings import Settings
from services.portal.configuration import PagesConfig
from services.portal.main import create_app as portal_app
from services.portal.settings import Settings as PortalSettings
from shared.contracts.entity import Entity
from shared.contracts.ref import parse_ref, ref_of
from shared.kit.http.apps import caller_of
from shared.kit.http.conditions import matches
from shared.kit.http.service_tokens import PrincipalTokens
from tests.waiting import until_now

SECRET = "a-secret-for-tests-only-0123456789abcdef"
STATIC = "static-token-of-the-tests"
HOOK_SECRET = "hook-secret-of-the-tests"
STAND_IN_LIMIT = 4 * 1024 * 1024


def configuration(**sections: Any) -> GatewayConfig:
    """An installation like the example's; a section given replaces the default."""
    return GatewayConfig.model_validate(
        {
            "organization": {"name": "Playhouse"},
            "integrations": {
                "local": [
                    {"host": "git.playhouse.example", "webhookSecret": HOOK_SECRET}
                ],
                "github": [{"host": "github.com", "webhookSecret": HOOK_SECRET}],
                "gitlab": [{"host": "gitlab.com", "webhookSecret": HOOK_SECRET}],
                "bitbucketCloud": [
                    {"host": "bitbucket.org", "webhookSecret": HOOK_SECRET}
                ],
            },
            "auth": {
                "environment": "development",
                "developmentSignIn": True,
                "providers": {"guest": {}},
                "staticTokens": [{"subject": "robot", "token": STATIC}],
            },
            "permission": {
                "enabled": True,
                "platformTeam": ["group:default/platform"],
            },
            **sections,
        }
    )


class StandIn:
    """The services behind the gateway, small: they tell what reached them."""

    def __init__(self) -> None:
        self.entities: dict[str, dict[str, Any]] = {}
        self.requested_refs: list[str] = []
        self.arrived = threading.Event()
        self.left = threading.Event()
        self.tokens = PrincipalTokens(SECRET)
        self.app = Starlette(
            routes=[
                Route("/entities/by-name/{kind}/{namespace}/{name}", self.entity),
                Route("/entities/by-query", self.users),
                Route("/entities/by-refs", self.by_refs, methods=["POST"]),
                Route(
                    "/.well-known/backstage/permissions/apply-conditions",
                    self.conditions,
                    methods=["POST"],
                ),
                Route("/readyz", self.ready),
                Route("/moved", self.moved),
                Route("/endless", self.endless),
                Route("/hanging", self.hanging),
                Route("/large", self.large),
                Route("/broken", self.broken),
                Route("/refused", self.refused),
                Route(
                    "/{path:path}",
                    self.echo,
                    methods=["GET", "POST", "PUT", "DELETE"],
                ),
            ]
        )
        self.app.state.tokens = self.tokens

    def put(self, *entities: dict[str, Any]) -> None:
        """Make these known; `spec.memberOf` becomes relations."""
        for entity in entities:
            relations = [
                {
                    "type": "memberOf",
                    "targetRef": str(parse_ref(name, default_kind="group")),
                }
                for name in entity["spec"].get("memberOf", ())
            ]
            parent = entity["spec"].get("parent")
            if parent:
                ref = str(parse_ref(parent, default_kind="group"))
                relations.append({"type": "childOf", "targetRef": ref})
            owner = entity["spec"].get("owner")
            if owner:
                ref = str(parse_ref(owner, default_kind="group"))
                relations.append({"type": "ownedBy", "targetRef": ref})
            self.entities[str(ref_of(entity))] = {**entity, "relations": relations}

    async def entity(self, request: Request) -> Response:
        values = request.path_params
        ref = f"{values['kind']}:{values['namespace']}/{values['name']}".lower()
        self.requested_refs.append(ref)
        entity = self.entities.get(ref)
        return JSONResponse(entity or {}, 200 if entity else 404)

    async def by_refs(self, request: Request) -> Response:
        refs = (await request.json())["entityRefs"]
        return JSONResponse({"items": [self.entities.get(ref) for ref in refs]})

    async def users(self, request: Request) -> Response:
        text = request.query_params.get("fullTextFilterTerm", "")
        conditions = caller_of(request).conditions
        users = [
            entity
            for ref, entity in sorted(self.entities.items())
            if ref.startswith("user:")
            and text in entity["metadata"]["name"]
            and (conditions is None or matches(conditions, Entity(entity)))
        ]
        return JSONResponse({"items": users, "totalItems": len(users), "pageInfo": {}})

    async def conditions(self, request: Request) -> Response:
        items = (await request.json())["items"]
        results = []
        for item in items:
            entity = self.entities.get(str(parse_ref(item["resourceRef"])))
            met = entity is not None and matches(item["conditions"], Entity(entity))
            results.append({"id": item["id"], "result": "ALLOW" if met else "DENY"})
        return JSONResponse({"items": results})

    async def ready(self, _: Request) -> Response:
        figures = {"outbox": 0.0, "entities": 7.0, "roots": 3.0, "records": 9.0}
        checks = {"documents": "ok"}
        return JSONResponse({"status": "ok", "checks": checks, "figures": figures})

    async def moved(self, _: Request) -> Response:
        return RedirectResponse("/static/docs/default/component/web", 301)

    async def refused(self, _: Request) -> Response:
        return JSONResponse({"error": {"name": "NotFoundError", "message": "no"}}, 404)

    async def large(self, _: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(64):
                yield b"x" * 65536

        return StreamingResponse(chunks(), media_type="text/plain")

    async def broken(self, _: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"x" * 1000
            raise ConnectionResetError

        return StreamingResponse(chunks(), media_type="text/plain")

    async def endless(self, _: Request) -> Response:
        async def frames() -> AsyncIterator[bytes]:
            try:
                yield b"event: log\ndata: one\n\n"
                await asyncio.Event().wait()
            finally:
                self.left.set()

        return StreamingResponse(frames(), media_type="text/event-stream")

    async def hanging(self, request: Request) -> Response:
        self.arrived.set()
        while not await request.is_disconnected():
            await asyncio.wait({asyncio.create_task(_soon())})
        self.left.set()
        return Response(status_code=204)

    async def echo(self, request: Request) -> Response:
        body = b"".join([chunk async for chunk in request.stream()])
        principal = caller_of(request)
        return JSONResponse(
            {
                "method": request.method,
                "path": request.url.path,
                "query": request.url.query,
                "headers": dict(request.headers),
                "bytes": len(body),
                "subject": principal.subject,
                "kind": principal.kind,
                "ownership": list(principal.ownership),
                "permission": principal.permission,
                "decision": principal.decision,
                "conditions": principal.conditions,
            }
        )


async def _soon() -> None:
    await asyncio.sleep(0)


def listen() -> socket.socket:
    """A socket of 127.0.0.1 that takes connections already."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(256)
    return listening


def address_of(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextlib.contextmanager
def served(
    app: Callable[[], Any], listening: socket.socket | None = None
) -> Iterator[str]:
    """Serve an app in a thread of its own; its address."""
    with listening or listen() as listening:  # noqa: PLR1704 - the same one
        config = uvicorn.Config(
            app,
            factory=True,
            log_config=None,
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, daemon=True
        )
        thread.start()
        until_now(lambda: server.started or not thread.is_alive(), "a server")
        assert server.started, "the app did not start"
        yield address_of(listening)
        server.should_exit = True
        thread.join(10)


def settings_for(
    address: str, *, mongodb: str, kafka: str, data: Path, **more: Any
) -> Settings:
    """The gateway's settings with every service at `address`."""
    names = ("gateway", "catalog", "scaffolder", "techdocs", "search", "analytics")
    urls = {f"{name}_url": address for name in (*names, "portal")}
    return Settings(
        mongodb=mongodb,
        kafka=kafka,
        data=data,
        config=data / "unused.yaml",
        service_secret=SECRET,
        port=0,
        **{**urls, **more},
    )


@contextlib.contextmanager
def served_with_portal(settings: Settings, config: GatewayConfig) -> Iterator[str]:
    """A gateway with the portal behind it; the gateway's address."""
    listening = listen()
    pages = PagesConfig.model_validate(config.model_dump(by_alias=True))
    portal_settings = PortalSettings(
        config=settings.config,
        data=settings.data,
        gateway_url=address_of(listening),
        port=0,
    )
    with served(lambda: portal_app(portal_settings, config=pages)) as portal_url:
        settings.portal_url = portal_url
        with served(gateway_app(settings, config), listening) as address:
            yield address


def gateway_app(settings: Settings, config: GatewayConfig) -> Callable[[], Any]:
    """What `served` needs to serve a gateway."""
    return lambda: create_app(settings, config=config)
