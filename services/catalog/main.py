"""How the catalog is put together; here alone its rooms meet their adapters."""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
)

from fastapi import FastAPI
from prometheus_client import Gauge

from services.catalog.api import (
    changes,
    entities,
    history,
    locations,
    permissions,
    recent,
    sources,
    unregister_outcome,
)
from services.catalog.api.stale import StaleMarker
from services.catalog.api.writing import Writes
from services.catalog.configuration import CatalogConfig
from services.catalog.configured_sources import (
    desired_locations,
    folders_of,
    report_ignored_locations,
    rules_of,
)
from services.catalog.descriptor.kinds import built_in_kinds
from services.catalog.handlers.catalog import CatalogContext
from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.handlers.recent import RecentChangesUpdater
from services.catalog.handlers.state_follower import StateFollower
from services.catalog.handlers.takeovers import Takeovers
from services.catalog.loading import ReadModelLoader
from services.catalog.model import RootLocation
from services.catalog.readers.reading import CatalogSources
from services.catalog.readmodel import ReadModel
from services.catalog.settings import Settings
from services.catalog.store.entities import MongoEntityStore
from services.catalog.store.revisions import MongoRevisionLog
from services.catalog.store.roots import MongoRootLocationStore
from services.catalog.store.snapshots import SnapshotFile, SnapshotMarks
from services.catalog.worker import NAME, Work, report
from shared.contracts.errors import Unavailable
from shared.kit.config.sections import load_config
from shared.kit.config.settings import read_settings
from shared.kit.config.unknown_keys import report_unknown_keys
from shared.kit.documents import mongo
from shared.kit.documents.mongo import Database, Document
from shared.kit.events.bus import Bus, KafkaBus
from shared.kit.events.outbox import OutboxRelay
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.url_reader import UrlReader
from shared.kit.http.apps import make_app
from shared.kit.http.service_tokens import PrincipalTokens
from shared.kit.http.serving import serve
from shared.kit.http.startup import WhenOpen
from shared.kit.observability import tracing
from shared.kit.processes import tasks

#: Longer than the work needs for leaving its group and closing its clients.
LEAVE_SECONDS = 7.0
ENTITIES = Gauge("callboard_catalog_entities", "Entities in this process' read model")
ROOTS = Gauge("callboard_catalog_roots", "Roots: registered, configured, discovered")


def create_app(
    settings: Settings | None = None,
    *,
    database: Database | None = None,
    bus: Bus | None = None,
) -> FastAPI:
    """The catalog's app; with a `bus` of the caller's, it only publishes."""
    settings = settings or read_settings(Settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        _share_the_interpreter()
        built_in_kinds()
        async with AsyncExitStack() as stack:
            config = await asyncio.to_thread(
                load_config, settings.config, os.environ, CatalogConfig
            )
            report_unknown_keys(config, "catalog")
            report_ignored_locations(config)
            model = app.state.readmodel
            work = await _assemble(settings, config, stack, model, database, bus)
            _offer(app, work, config)
            task = asyncio.create_task(work.run(), name="catalog-work")
            try:
                yield
            finally:
                await tasks.end(task, retry_seconds=LEAVE_SECONDS)
                if work.loaded:
                    await work.loader.keep()

    app = make_app(NAME, lifespan=lifespan)
    app.state.readmodel = ReadModel()
    app.state.tokens = PrincipalTokens(settings.service_secret.get_secret_value())
    app.add_middleware(WhenOpen, problem=lambda: _loading_problem(app))
    app.add_middleware(StaleMarker, away_seconds=lambda: _away_seconds(app))
    entities.add_routes(app)
    writing = (locations, unregister_outcome, changes, sources)
    for part in (history, recent, permissions, *writing):
        app.include_router(part.router)
    return app


def _loading_problem(app: FastAPI) -> Unavailable | None:
    """Until the read model is complete: half a catalog is a wrong one."""
    work: Work | None = getattr(app.state, "work", None)
    is_loaded = work is not None and work.loaded
    return None if is_loaded else Unavailable("The catalog is being loaded")


def _away_seconds(app: FastAPI) -> float:
    work: Work | None = getattr(app.state, "work", None)
    return work.store.away_seconds() if work is not None else 0.0


def _share_the_interpreter() -> None:
    """Keep requests quick while threads parse thousands of entities.

    Loading 10,000 entities held the loop up for 230 ms at Python's defaults (a thread
    keeps the interpreter for 5 ms, a full collection visits every entity) and does for
    60 ms like this, in four fifths of the processor time.
    """
    sys.setswitchinterval(0.001)
    gc.set_threshold(50_000, 20, 100)


async def _assemble(
    settings: Settings,
    config: CatalogConfig,
    stack: AsyncExitStack,
    model: ReadModel,
    database: Database | None,
    bus: Bus | None,
) -> Work:
    if database is None:
        database = _connect(settings, stack)
    kafka = None
    if bus is None:
        bus = kafka = await stack.enter_async_context(KafkaBus(settings.event_log))
    store = MongoEntityStore(database)
    recent_changes = RecentChangesUpdater(MongoRevisionLog(database))
    relay = OutboxRelay(
        store.collection, bus, before_publish=_keeping(store, recent_changes)
    )
    folder = settings.config.parent
    desired = desired_locations(config, folder)
    urls = await stack.enter_async_context(_url_reader(settings, config))
    catalog = CatalogContext(
        store=store,
        roots=MongoRootLocationStore(database),
        definitions=store.definitions,
        sources=CatalogSources(urls, folders_of(desired)),
        state=CatalogState(model),
        rules=rules_of(config, folder),
        on_write=relay.nudge,
        traced=_ingestion_span,
    )
    follower = StateFollower(catalog)
    file, marks = _snapshot_file(settings), SnapshotMarks(database)
    loader = ReadModelLoader(
        model, catalog, store, follower, recent_changes, file, marks
    )
    return Work(
        settings,
        catalog,
        desired,
        store,
        relay,
        recent_changes,
        follower,
        kafka,
        loader,
        Takeovers(catalog, follower, report),
    )


def _url_reader(settings: Settings, config: CatalogConfig) -> UrlReader:
    mirrors = RepositoryMirrors(settings.mirrors_folder, config.integrations)
    return UrlReader(config.backend.reading.allow, mirrors)


def _connect(settings: Settings, stack: AsyncExitStack) -> Database:
    client = mongo.connect(settings.documents)
    stack.callback(client.close)
    return mongo.database(client, NAME)


def _snapshot_file(settings: Settings) -> SnapshotFile:
    secret = settings.service_secret.get_secret_value()
    return SnapshotFile(settings.snapshot_file, secret)


def _ingestion_span(root: RootLocation) -> AbstractContextManager[object]:
    attributes = {"callboard.entity.ref": root.location.entity_ref}
    return tracing.span("ingest location", attributes)


def _keeping(
    store: MongoEntityStore, recent_changes: RecentChangesUpdater
) -> Callable[[Sequence[Document]], Awaitable[None]]:
    """Stores events as revisions, and shows them, before they are published."""

    async def keep(documents: Sequence[Document]) -> None:
        await store.keep_revisions(documents)
        pending = (
            event for document in documents for event in document.get("pending", ())
        )
        await recent_changes.consume(event["value"] for event in pending)

    return keep


def _offer(app: FastAPI, work: Work, config: CatalogConfig) -> None:
    """Give the routes and the health checks what they answer from."""
    section, model = config.catalog, app.state.readmodel
    app.state.work = work
    app.state.definitions = work.store.definitions
    app.state.recent = work.recent.changes
    app.state.follower = work.follower
    app.state.writes = Writes(
        catalog=work.catalog,
        follower=work.follower,
        model=model,
        types=("url", "file") if section.file_locations else ("url",),
        refresh_duplicates=section.default_location_conflict_strategy == "refresh",
        readonly=section.readonly,
    )
    ENTITIES.set_function(lambda: len(model))
    ROOTS.set_function(lambda: len(work.catalog.state.roots))
    app.state.checks["catalog loaded"] = work.check_loaded
    app.state.checks["documents"] = work.check_documents
    if work.kafka is not None:
        app.state.checks["events"] = work.kafka.check
        app.state.checks["pushes"] = work.check_pushes


def main() -> None:
    """Run the catalog until the process is stopped."""
    settings = read_settings(Settings)
    serve(NAME, lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()
