"""Puts techdocs together."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from fastapi import FastAPI

from services.techdocs import metrics
from services.techdocs.allowed_plugins import PLUGIN_RULE, SAFE_PLUGINS
from services.techdocs.api import backstage, portal, snapshot
from services.techdocs.api.dependencies import DocsDependencies, ReadersCatalog
from services.techdocs.configuration import TechdocsConfig
from services.techdocs.events import DocsReconciler, handlers, make_consumer
from services.techdocs.handlers.build_sources import BuildTools
from services.techdocs.handlers.documented import Resync
from services.techdocs.handlers.progress import BuildLogFeed
from services.techdocs.handlers.queue import BuildQueue
from services.techdocs.handlers.reading import DocsReader
from services.techdocs.handlers.rights_checks import RightsChecks
from services.techdocs.handlers.syncing import Syncing
from services.techdocs.model import Documented, Failed, Limits, Outcome
from services.techdocs.settings import Settings
from services.techdocs.sites import DirectorySites
from services.techdocs.stages.generate import ProcessGenerator
from services.techdocs.store.catalog import HttpDocsCatalog
from services.techdocs.store.collection import SITES
from services.techdocs.store.records import MongoRecords
from services.techdocs.store.sources import GitAndFolders
from shared.kit.config.sections import load_config
from shared.kit.config.settings import read_settings
from shared.kit.config.unknown_keys import report_unknown_keys
from shared.kit.documents import leases
from shared.kit.documents.mongo import Collection, connect, database
from shared.kit.events.bus import Bus, KafkaBus
from shared.kit.events.outbox import OutboxRelay
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.http.apps import Check, make_app
from shared.kit.http.clients import ServiceCalls
from shared.kit.http.service_tokens import PrincipalTokens
from shared.kit.http.serving import serve
from shared.kit.http.startup import Opening, WhenOpen
from shared.kit.observability import logs, tracing

NAME = "techdocs"


def create_app(
    settings: Settings | None = None,
    *,
    catalog: ReadersCatalog | None = None,
    bus: Bus | None = None,
    collection: Collection | None = None,
) -> FastAPI:
    """The techdocs service.

    `catalog` takes the place of the real one over HTTP, `collection` of the one in
    the configured store, `bus` of the event log; a `MemoryBus` also brings the events
    that the service consumes.
    """
    settings = settings or read_settings(Settings)
    config = load_config(settings.config, os.environ, TechdocsConfig)
    report_unknown_keys(config, NAME)
    secret = settings.service_secret.get_secret_value()

    async def opens(stack: AsyncExitStack) -> None:
        calls = ServiceCalls(secret, NAME, settings.urls())
        await stack.enter_async_context(calls)
        docs_catalog = catalog or HttpDocsCatalog(calls)
        event_log: Bus = KafkaBus(settings.event_log) if bus is None else bus
        if isinstance(event_log, KafkaBus) and event_log is not bus:
            await stack.enter_async_context(event_log)
        sites = collection
        if sites is None:
            client = connect(settings.documents)
            stack.callback(client.close)
            sites = database(client, NAME)[SITES.name]
        await _open(stack, app, settings, config, (docs_catalog, event_log, sites))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with opening:
            yield

    opening = Opening(NAME, opens)
    app = make_app(NAME, lifespan=lifespan)
    app.state.checks["open"] = opening.check
    app.add_middleware(WhenOpen, problem=opening.problem)
    app.state.tokens = PrincipalTokens(secret)
    for routes in (backstage, portal, snapshot):
        app.include_router(routes.router)
    return app


async def _open(
    stack: AsyncExitStack,
    app: FastAPI,
    settings: Settings,
    config: TechdocsConfig,
    adapters: tuple[ReadersCatalog, Bus, Collection],
) -> None:
    """Start everything, in the order in which it is needed."""
    catalog, bus, collection = adapters
    relay = await stack.enter_async_context(OutboxRelay(collection, bus))
    lease_owner = stack.enter_context(leases.owner(settings.data / NAME))
    records = await _records(settings, config, lease_owner, collection, relay)
    generator = ProcessGenerator(config.techdocs.build_seconds)
    await stack.enter_async_context(generator)
    tools = _build_tools(settings, config, records, generator, catalog)
    progress = BuildLogFeed()
    queue = _build_queue(tools, progress, config)
    await stack.enter_async_context(queue)
    checks = await stack.enter_async_context(RightsChecks(tools))

    def nudge() -> None:
        queue.nudge()
        checks.nudge()

    work = make_consumer(
        settings.event_log, bus, handlers(records, tools.sources, nudge)
    )
    await stack.enter_async_context(work)
    reconciler = DocsReconciler(
        Resync(catalog, records, tools.sources),
        records,
        tools.sites,
        queue.nudge,
        joined=work.joined,
        resync_seconds=settings.resync_seconds,
        recheck_seconds=settings.recheck_seconds,
    )
    await stack.enter_async_context(reconciler)
    app.state.checks |= {
        "documents": _documents(records, relay),
        "events": work.check,
        "builders": queue.check,
        "rights": checks.check,
    }
    app.state.dependencies = DocsDependencies(
        records=records,
        reading=DocsReader(records, tools.sites),
        syncing=Syncing(records, queue, progress),
        catalog=catalog,
        sources=tools.sources,
    )


def _build_queue(
    tools: BuildTools, progress: BuildLogFeed, config: TechdocsConfig
) -> BuildQueue:
    return BuildQueue(
        tools,
        progress,
        concurrency=config.techdocs.concurrency,
        finished=_report_outcome,
        traced=_build_span,
    )


async def _records(
    settings: Settings,
    config: TechdocsConfig,
    lease_owner: str,
    collection: Collection,
    relay: OutboxRelay,
) -> MongoRecords:
    records = MongoRecords(
        collection,
        lease_owner,
        nudge=relay.nudge,
        keep_last=settings.keep_last,
        keep_days=settings.keep_days,
        per_repository=max(1, config.techdocs.concurrency - 1),
    )
    await records.prepare()
    return records


def _documents(records: MongoRecords, relay: OutboxRelay) -> Check:
    async def documents() -> None:
        metrics.WAITING.set(await records.waiting())
        metrics.OUTBOX.set(await relay.depth())

    return documents


def _build_tools(
    settings: Settings,
    config: TechdocsConfig,
    records: MongoRecords,
    generator: ProcessGenerator,
    catalog: ReadersCatalog,
) -> BuildTools:
    mirrors = RepositoryMirrors(settings.mirrors_folder, config.integrations)
    limits = Limits(
        seconds=config.techdocs.build_seconds,
        memory_bytes=config.techdocs.build_megabytes * 1024**2,
        plugins=_plugins(config),
    )
    return BuildTools(
        records=records,
        sources=GitAndFolders(mirrors),
        generator=generator,
        sites=DirectorySites(settings.sites_folder),
        limits=limits,
        catalog=catalog,
    )


def _plugins(config: TechdocsConfig) -> tuple[str, ...]:
    """The plugins that the operator allows, of those that are safe."""
    rule = f"techdocs.allowPlugins: {PLUGIN_RULE}"
    for name in sorted(set(config.techdocs.allow_plugins) - SAFE_PLUGINS):
        logs.get_logger(NAME).warning("plugin_not_allowed", plugin=name, rule=rule)
    return tuple(sorted(SAFE_PLUGINS & set(config.techdocs.allow_plugins)))


@contextmanager
def _build_span(record: Documented) -> Iterator[None]:
    attributes = {"callboard.entity.ref": record.ref}
    with tracing.continued(record.trace), tracing.span("build docs", attributes):
        yield


def _report_outcome(record: Documented, outcome: Outcome, seconds: float) -> None:
    name = type(outcome).__name__.lower()
    metrics.BUILDS.labels(name).inc()
    metrics.BUILD_SECONDS.observe(seconds)
    logs.get_logger(NAME).info(
        "source_checked",
        entity=record.ref,
        outcome=name,
        seconds=round(seconds, 3),
        error=outcome.failure.error if isinstance(outcome, Failed) else None,
    )


def main() -> None:
    """Run techdocs until a signal stops it."""
    settings = read_settings(Settings)
    serve(NAME, lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()
