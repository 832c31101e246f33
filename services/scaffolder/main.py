"""Puts the scaffolder together."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime

from fastapi import FastAPI

from services.scaffolder import metrics
from services.scaffolder.actions import registry
from services.scaffolder.actions.action import Tools
from services.scaffolder.api import (
    dry_runs,
    task_events,
    tasks,
    template_checks,
    templates,
)
from services.scaffolder.api.dependencies import ScaffolderDependencies
from services.scaffolder.configuration import ScaffolderConfig
from services.scaffolder.events import make_consumer
from services.scaffolder.handlers.open_dry_runs import OpenDryRuns
from services.scaffolder.model import Task
from services.scaffolder.ports import TemplateCatalog
from services.scaffolder.runs.factory import RunFactory
from services.scaffolder.runs.pool import Pool
from services.scaffolder.runs.running import TaskRun
from services.scaffolder.runs.signals import Signals
from services.scaffolder.secrets.vault import FernetVault
from services.scaffolder.settings import Settings
from services.scaffolder.store.catalog import HttpTemplateCatalog
from services.scaffolder.store.repositories import GitRepositories
from services.scaffolder.store.sources import UrlSources
from services.scaffolder.store.tasks import MongoTaskStore
from services.scaffolder.templates.filters import template_filters
from services.scaffolder.workspace.retention import WorkspaceRetention
from shared.kit.config.sections import load_config
from shared.kit.config.settings import read_settings
from shared.kit.config.unknown_keys import report_unknown_keys
from shared.kit.documents import leases
from shared.kit.documents.mongo import connect, database
from shared.kit.events.bus import KafkaBus
from shared.kit.events.outbox import OutboxRelay
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.url_reader import UrlReader
from shared.kit.http.apps import make_app
from shared.kit.http.clients import ServiceCalls
from shared.kit.http.service_tokens import PrincipalTokens
from shared.kit.http.serving import serve
from shared.kit.http.startup import Opening, WhenOpen
from shared.kit.observability import logs

NAME = "scaffolder"


def create_app(
    settings: Settings | None = None,
    *,
    catalog: TemplateCatalog | None = None,
    consumes_events: bool = True,
) -> FastAPI:
    """The scaffolder; `catalog` takes the place of the real one over HTTP.

    Without `consumes_events` it polls the store for runs that other processes created.
    """
    settings = settings or read_settings(Settings)
    config = load_config(settings.config, os.environ, ScaffolderConfig)
    report_unknown_keys(config, NAME)
    secret = settings.service_secret.get_secret_value()

    async def opens(stack: AsyncExitStack) -> None:
        calls = ServiceCalls(secret, NAME, settings.urls())
        await stack.enter_async_context(calls)
        owner = catalog or HttpTemplateCatalog(calls)
        await _open(
            stack, app, settings, config, owner, consumes_events=consumes_events
        )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with opening:
            yield

    opening = Opening(NAME, opens)
    app = make_app(NAME, lifespan=lifespan)
    app.state.checks["open"] = opening.check
    app.add_middleware(WhenOpen, problem=opening.problem)
    app.state.tokens = PrincipalTokens(secret)
    for routes in (templates, template_checks, tasks, task_events, dry_runs):
        app.include_router(routes.router)
    return app


async def _open(
    stack: AsyncExitStack,
    app: FastAPI,
    settings: Settings,
    config: ScaffolderConfig,
    catalog: TemplateCatalog,
    *,
    consumes_events: bool,
) -> None:
    """Start everything, in the order in which it is needed."""
    bus = await stack.enter_async_context(KafkaBus(settings.event_log))
    client = stack.enter_context(closing(connect(settings.documents)))
    own_database = database(client, NAME)
    relay = await stack.enter_async_context(OutboxRelay(own_database["tasks"], bus))
    vault = FernetVault(settings.service_secret.get_secret_value())
    store = MongoTaskStore(own_database, vault, nudge=relay.nudge)
    await store.prepare()
    run_factory = RunFactory(
        registry.load(),
        await _tools(stack, settings, config, catalog),
        vault,
        settings.workspaces,
        config.scaffolder.default_environment,
    )
    signals = Signals()
    pool = _pool(stack, settings, config, run_factory, store, signals)
    if consumes_events:
        consumer = make_consumer(settings.event_log, bus, pool.offer)
        await stack.enter_async_context(consumer)
        app.state.checks["events"] = consumer.check
    # The stack closes the pool first: it releases its runs before anything else ends.
    await stack.enter_async_context(pool)
    await stack.enter_async_context(_retention(settings, store))
    app.state.checks |= {
        "documents": _documents_check(relay, pool),
        "runs": pool.check,
    }
    app.state.dependencies = ScaffolderDependencies(
        catalog=catalog,
        store=store,
        vault=vault,
        pool=pool,
        registry=run_factory.registry,
        run_factory=run_factory,
        signals=signals,
        turns=run_factory.turns,
        open_dry_runs=OpenDryRuns(),
        folder=settings.folder,
    )


def _retention(settings: Settings, store: MongoTaskStore) -> WorkspaceRetention:
    return WorkspaceRetention(
        settings.workspaces,
        settings.folder / "dry-runs",
        store,
        keep_hours=settings.keep_hours,
    )


def _documents_check(relay: OutboxRelay, pool: Pool) -> Callable[[], Awaitable[None]]:
    """A check that the documents can be read; it refreshes the gauges on the way."""

    async def documents() -> None:
        metrics.OUTBOX.set(await relay.depth())
        metrics.RUNNING.set(pool.running)

    return documents


def _pool(
    stack: AsyncExitStack,
    settings: Settings,
    config: ScaffolderConfig,
    run_factory: RunFactory,
    store: MongoTaskStore,
    signals: Signals,
) -> Pool:
    async def make(task: Task) -> TaskRun:
        return await run_factory.run(task, store, signals.notify)

    return Pool(
        store,
        make,
        owner=stack.enter_context(leases.owner(settings.folder)),
        slots=config.scaffolder.concurrent_tasks_limit,
        ended=_ended(run_factory, signals),
        heartbeat_seconds=settings.heartbeat_seconds,
        poll_seconds=settings.poll_seconds,
    )


async def _tools(
    stack: AsyncExitStack,
    settings: Settings,
    config: ScaffolderConfig,
    catalog: TemplateCatalog,
) -> Tools:
    mirrors = RepositoryMirrors(settings.mirrors_folder, config.integrations)
    reader = UrlReader(config.backend.reading.allow, mirrors)
    await stack.enter_async_context(reader)
    author = config.scaffolder.default_author
    return Tools(
        catalog=catalog,
        sources=UrlSources(reader),
        repositories=GitRepositories(mirrors),
        filters={
            template_filter.name: template_filter.run
            for template_filter in template_filters()
        },
        author=(
            author.get("name", "Scaffolder"),
            author.get("email", "scaffolder@callboard.invalid"),
        ),
        commit_message=config.scaffolder.default_commit_message,
    )


def _ended(
    run_factory: RunFactory, signals: Signals
) -> Callable[[Task], Awaitable[None]]:
    log = logs.get_logger(NAME)

    async def ended(task: Task) -> None:
        signals.notify(task.id)
        if not task.has_ended:
            return
        seconds = (datetime.now(UTC) - task.created_at).total_seconds()
        metrics.RUNS.labels(task.status).inc()
        metrics.RUN_SECONDS.observe(seconds)
        log.info(
            "run_ended", task=task.id, template=task.template_ref, status=task.status
        )
        if task.status == "completed":
            in_thread = run_factory.turns.of_runs(task.created_by)
            await in_thread(run_factory.workspace(task.id).remove)

    return ended


def main() -> None:
    """Run the scaffolder until a signal stops it."""
    settings = read_settings(Settings)
    serve(NAME, lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()
