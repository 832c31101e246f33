"""Assembles the gateway: its rooms, and what they need."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import Route

from services.gateway import assembly, status
from services.gateway.api import documents_router, health_router, status_router
from services.gateway.assembly import GatewayDependencies
from services.gateway.callers import plugin_error_response
from services.gateway.collection_setup import CollectionSetup
from services.gateway.configuration import GatewayConfig
from services.gateway.forward.front import API, RequestRouter
from services.gateway.forward.pages import FRONT_END
from services.gateway.identity.api import make_routers as identity_routers
from services.gateway.identity.forms import make_form_routers
from services.gateway.model import Identity, PolicyInput
from services.gateway.openapi import ApiDocument
from services.gateway.policy.api import make_router as policy_router
from services.gateway.policy.bundle import PolicyFolder
from services.gateway.policy.bundle_api import make_router as bundle_router
from services.gateway.ports import Policy
from services.gateway.preferences.api import make_router as preferences_router
from services.gateway.preferences.store import MongoPreferences
from services.gateway.settings import Settings
from services.gateway.status import ServiceStatus
from services.gateway.stream.api import make_router as stream_router
from services.gateway.stream.events import LiveFeed
from services.gateway.stream.openings import StreamOpenings
from services.gateway.webhooks.api import LastDeliveries
from services.gateway.webhooks.api import make_router as webhooks_router
from services.gateway.webhooks.events import BusPushLog
from services.gateway.webhooks.store import MongoDeliveries
from shared.contracts.errors import CallboardError
from shared.contracts.topics import TOPICS
from shared.kit.config.sections import load_config
from shared.kit.config.settings import read_settings
from shared.kit.config.unknown_keys import report_unknown_keys
from shared.kit.documents import mongo
from shared.kit.events.bus import KafkaBus, LiveReader
from shared.kit.http.apps import make_app, run_checks
from shared.kit.http.headers import SafeAnswers
from shared.kit.http.serving import serve

NAME = "gateway"
#: The names below `/api/` that the gateway answers itself.
OWNED = (
    "asyncapi.json",
    "auth",
    "events",
    "openapi.json",
    "permission",
    "policy",
    "schemas",
    "status",
    "user-settings",
    "webhooks",
)
PROBE_SECONDS = 5.0


def create_app(
    settings: Settings | None = None,
    *,
    config: GatewayConfig | None = None,
    policy: Policy | None = None,
) -> FastAPI:
    """The gateway; `policy` takes the place of the embedded one."""
    settings = settings or read_settings(Settings)
    config = config or load_config(settings.config, os.environ, GatewayConfig)
    report_unknown_keys(config, NAME)
    client = mongo.connect(settings.documents)
    database = mongo.database(client, NAME)
    dependencies = assembly.build(settings, config, database, policy=policy)
    bus = KafkaBus(settings.event_log)
    feed = LiveFeed(
        dependencies.hub, dependencies.catalog, dependencies.identity.memberships
    )
    reader = LiveReader(settings.event_log, TOPICS, feed.take, on_gap=feed.missed)

    collection_setup = CollectionSetup(database, dependencies.identity.ended_sessions)

    def lifespan(_: FastAPI) -> AbstractAsyncContextManager[None]:
        return _running(client, dependencies, bus, reader, collection_setup)

    app = make_app(NAME, lifespan=lifespan)
    app.add_exception_handler(CallboardError, plugin_error_response)
    app.state.authenticator = dependencies.identity.credentials
    app.state.checks |= _checks(dependencies, collection_setup, reader)
    routers = _routers(app, dependencies, bus, database, settings, config)
    # Before the routers are included: the paths that every service answers itself.
    paths = _own_paths(app.router, *routers)
    for router in routers:
        app.include_router(router)
    app.add_middleware(
        RequestRouter,
        owned=OWNED,
        paths=paths,
        forwarder=dependencies.forwarder,
        pages=dependencies.pages,
        hosts=assembly.own_hosts(dependencies, settings, config),
        attempts=dependencies.attempts,
    )
    app.add_middleware(SafeAnswers)
    app.add_middleware(StreamOpenings)
    return app


def _own_paths(*routers: APIRouter) -> frozenset[str]:
    """The paths outside `/api` that the gateway answers; none has parameters."""
    routes = (route for router in routers for route in router.routes)
    paths = (route.path for route in routes if isinstance(route, Route))
    return frozenset(path for path in paths if not path.startswith(API))


@asynccontextmanager
async def _running(
    client: Any,
    dependencies: GatewayDependencies,
    bus: KafkaBus,
    reader: LiveReader,
    collection_setup: CollectionSetup,
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        stack.callback(client.close)
        if isinstance(dependencies.policy, AbstractAsyncContextManager):
            await stack.enter_async_context(dependencies.policy)
        await stack.enter_async_context(dependencies.connections)
        await stack.enter_async_context(bus)
        await stack.enter_async_context(reader)
        await stack.enter_async_context(collection_setup)
        yield


def _routers(
    app: FastAPI,
    dependencies: GatewayDependencies,
    bus: KafkaBus,
    database: Any,
    settings: Settings,
    config: GatewayConfig,
) -> list[APIRouter]:
    last_deliveries = LastDeliveries()

    async def report(identity: Identity) -> status.StatusReport:
        status_report = await status.report(
            _probes(app, dependencies), last_deliveries.by_provider
        )
        if await status.sees_all(dependencies.guard, identity):
            return status_report
        return status.without_counts(status_report)

    return [
        health_router(app),
        *identity_routers(
            dependencies.identity.sign_in,
            dependencies.identity.keys,
            base_url=dependencies.base_url,
            secure=dependencies.secure,
        ),
        *make_form_routers(
            dependencies.identity.sessions,
            dependencies.catalog,
            secure=dependencies.secure,
        ),
        policy_router(dependencies.guard, dependencies.catalog),
        bundle_router(PolicyFolder(settings.policies), settings.bundle_token),
        preferences_router(MongoPreferences(database["preferences"])),
        webhooks_router(
            assembly.hook_secrets(config),
            BusPushLog(bus),
            MongoDeliveries(database["deliveries"]),
            last_deliveries,
        ),
        stream_router(dependencies.hub, dependencies.open_requests),
        documents_router(
            app,
            {"events": settings.kafka},
            ApiDocument(dependencies.services, assembly.PLUGINS),
        ),
        status_router(report),
    ]


def _checks(
    dependencies: GatewayDependencies,
    collection_setup: CollectionSetup,
    reader: LiveReader,
) -> dict[str, Any]:
    async def policy() -> None:
        await dependencies.policy.decide(
            PolicyInput("service:gateway", "service", (), "catalog.entity.read")
        )

    return {
        "documents": collection_setup.check,
        "events": reader.check,
        "policy": policy,
    }


def _probes(app: FastAPI, dependencies: GatewayDependencies) -> list[status.Probe]:
    def service(name: str) -> status.Probe:
        async def probe() -> ServiceStatus:
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    answer = await dependencies.services.probe(name, "/readyz")
            except TimeoutError:
                error = f"no answer within {PROBE_SECONDS:.0f} s"
                return ServiceStatus(name=name, ready=False, error=error)
            body = answer.value
            if isinstance(body, dict) and isinstance(body.get("checks"), dict):
                return ServiceStatus(
                    name=name,
                    ready=answer.ok,
                    checks=body["checks"],
                    figures=body.get("figures", {}),
                )
            # A front end in the portal's place may not have this path.
            is_well = answer.ok or (name == FRONT_END and answer.status < 500)
            if is_well:
                return ServiceStatus(name=name, ready=True)
            return ServiceStatus(name=name, ready=False, error=answer.error)

        return probe

    async def own() -> ServiceStatus:
        states = await run_checks(app.state.checks)
        ready = all(state == "ok" for state in states.values())
        return ServiceStatus(name=NAME, ready=ready, checks=states)

    names = (*assembly.PLUGINS, FRONT_END)
    return [*map(service, names), own]


def main() -> None:
    """Run the gateway until it is told to stop."""
    settings = read_settings(Settings)
    serve(NAME, lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()
