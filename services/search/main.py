"""Assembles the search service."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from services.search.alias import LocalAlias
from services.search.api import add_routes
from services.search.events import IndexReconciler, make_consumer
from services.search.highlight import Tags, new_tags
from services.search.index.embedded import opener
from services.search.ports import Alias, Owners
from services.search.settings import Settings
from services.search.snapshots import SnapshotOwners
from shared.kit.config.settings import read_settings
from shared.kit.events.bus import Bus, KafkaBus
from shared.kit.events.consumer_group import GroupConsumer
from shared.kit.http.apps import make_app
from shared.kit.http.clients import ServiceCalls
from shared.kit.http.service_tokens import PrincipalTokens
from shared.kit.http.serving import serve
from shared.kit.observability import logs

NAME = "search"


def create_app(
    settings: Settings | None = None,
    *,
    owners: Owners | None = None,
    consumes_events: bool = True,
) -> FastAPI:
    """The search service; `owners` takes the place of the real ones over HTTP.

    Without `consumes_events` it learns of changes only when it reconciles with them.
    """
    settings = settings or read_settings(Settings)
    secret = settings.service_secret.get_secret_value()
    tags = new_tags()
    alias = _alias(settings, tags)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            calls = await stack.enter_async_context(
                ServiceCalls(secret, NAME, settings.urls())
            )
            app.state.owners = owners or SnapshotOwners(calls)
            await alias.open()
            stack.push_async_callback(alias.close)
            if alias.quarantine_reason is not None:
                logs.get_logger(NAME).error(
                    "index_rebuilt", reason=alias.quarantine_reason
                )
            bus = await stack.enter_async_context(KafkaBus(settings.event_log))
            consumer = _consumer(app, settings, bus) if consumes_events else None
            reconciler = IndexReconciler(
                alias,
                app.state.owners,
                settings.resync_seconds,
                consumer.joined.is_set if consumer else lambda: True,
            )
            await stack.enter_async_context(reconciler)
            if consumer is not None:
                await stack.enter_async_context(consumer)
            yield

    app = make_app(NAME, lifespan=lifespan)
    app.state.tokens = PrincipalTokens(secret)
    app.state.alias = alias
    app.state.tags = tags
    app.state.checks["index"] = alias.check
    add_routes(app)
    return app


def _alias(settings: Settings, tags: Tags) -> Alias:
    """An address of a server chooses the index that all processes share."""
    server = settings.index_server
    if server is None:
        return LocalAlias(settings.index_folder, opener(tags))
    # Its client is 12 MB that the embedded form has no use for.
    from services.search.opensearch.alias import ServerAlias  # noqa: PLC0415
    from services.search.opensearch.client import OpenSearchClient  # noqa: PLC0415

    return ServerAlias(OpenSearchClient(server), settings.index_name, tags)


def _consumer(app: FastAPI, settings: Settings, bus: Bus) -> GroupConsumer:
    consumer = make_consumer(
        app.state.alias,
        app.state.owners,
        settings.event_log,
        bus,
        batch=settings.batch,
        within=settings.within,
    )
    app.state.checks["events"] = consumer.check
    return consumer


def main() -> None:
    """Run search until it is told to stop."""
    settings = read_settings(Settings)
    serve(NAME, lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()
