"""Builds one site: checks its source, and runs the three stages if it changed."""

import asyncio
import json
import logging
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.techdocs.build_log import BuildLog, without_paths
from services.techdocs.generator.job import GENERATOR_VERSION, SITE_FILE, Job
from services.techdocs.generator.site_summary import SiteSummary
from services.techdocs.handlers.build_rights import BuildRights
from services.techdocs.handlers.documented import repository_of
from services.techdocs.model import (
    CHECK,
    Built,
    DocsFolder,
    Documented,
    Failed,
    Failure,
    Limits,
    Outcome,
    Prepared,
    PublishedSite,
    SourceClosed,
    Unchanged,
)
from services.techdocs.ports import (
    DocsCatalog,
    DocsSources,
    Generator,
    Records,
    Say,
    SiteStore,
)
from services.techdocs.stages.generate import STOPPED
from services.techdocs.stages.prepare import prepare
from services.techdocs.stages.publish import publish
from shared.contracts import disk_space
from shared.contracts.annotations import TECHDOCS_REF
from shared.contracts.errors import CallboardError, Unavailable, message_of

FIRST_LINES, LAST_LINES = 100, 200
#: The pause after a build that a limit stopped: the first, doubled, and the longest.
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 3_600.0, 86_400.0
#: Raised when a source is prepared by other rules, so that each is prepared once more.
PREPARING_VERSION = 2
#: Tries for which a site that may show what is hidden now outlasts a host that is away.
PATIENT_TRIES = 5
LOG = logging.getLogger("techdocs")


@dataclass(frozen=True, slots=True)
class BuildTools:
    """The objects that builds use."""

    records: Records
    sources: DocsSources
    generator: Generator
    sites: SiteStore
    limits: Limits
    catalog: DocsCatalog


async def build(record: Documented, tools: BuildTools, say: Say) -> Outcome:
    """Bring one entity's site up to date with its source.

    Any error of the docs is an outcome, also an unforeseen one.

    Raises:
        Unavailable: if the source does not answer, or the disk is full: the docs are
            not the reason.
    """
    start = time.monotonic()
    work = asyncio.create_task(_build(record, tools, say))
    try:
        await asyncio.wait({work})
    except asyncio.CancelledError:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        raise
    error = work.exception()
    if error is None:
        return work.result()
    if isinstance(error, Unavailable):
        raise error
    if disk_space.is_disk_full(error):
        raise disk_space.DiskFull from error
    LOG.error("build_failed_unforeseen", exc_info=error)
    reason = f"The build failed for a reason of our own: {type(error).__name__}"
    failure = _failure(None, reason, [], final=True)
    return _failed(record, None, failure, start, None)


async def _build(record: Documented, tools: BuildTools, say: Say) -> Outcome:
    start = time.monotonic()
    log = _StoredLog()

    def tell(line: str) -> None:
        say(line)
        log.log.add(line)

    prepared, source_state = None, None
    rights = BuildRights(tools.catalog, record.ref)
    workspace = await asyncio.to_thread(tools.sites.workspace)
    try:
        place = await _place(record, tools)
        await rights.begin(tools.sources.location(place))
        await _require_open(record, place, tools)
        commit = await tools.sources.commit(place)
        source_state = _source_state(record, place, commit)
        is_same = source_state is not None and source_state == record.looked
        if is_same and not rights.has_hidden:
            tell(_unchanged(record))
            return Unchanged(looked=source_state)
        prepared = await _prepare(record, place, commit, tools, rights, tell, workspace)
        outcome = await _outcome(record, prepared, place, tools, tell, workspace, start)
        await rights.require_current()
        if rights.matter:
            source_state = None
        rests = record.failure is not None and record.failure.retry_at is not None
        if rests and isinstance(outcome, Unchanged):
            # The next check builds it, if its pause is over.
            return outcome
        return replace(outcome, looked=source_state)
    except (CallboardError, OSError) as error:
        withdraws = rights.may_have_shown_more(record)
        if disk_space.is_disk_full(error):
            raise
        if isinstance(error, Unavailable) and not (
            withdraws and record.tries >= PATIENT_TRIES
        ):
            raise
        reason = without_paths(workspace)(message_of(error))
        tell(f"error: Failed to build the docs page for entity {record.ref}: {reason}")
        is_stopped = isinstance(error, CallboardError) and error.code == STOPPED
        final = not isinstance(error, OSError | Unavailable) and not is_stopped
        failure = _failure(prepared, reason, log.end(), final=final)
        if is_stopped:
            failure = _resting(failure, record, prepared)
        if not final or rights.matter:
            source_state = None
        failed = _failed(record, prepared, failure, start, source_state)
        withdraws = withdraws or isinstance(error, SourceClosed)
        return replace(failed, withdraws=withdraws)
    finally:
        await asyncio.to_thread(tools.sites.discard, workspace)


class _StoredLog:
    """The part of a build's log that a failure stores."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.log = BuildLog(self._lines.append, FIRST_LINES, LAST_LINES)

    def end(self) -> list[str]:
        self.log.end()
        return self._lines


def _source_state(
    record: Documented, place: DocsFolder, commit: str | None
) -> str | None:
    """The state of a source without reading its files; None for a plain folder."""
    if commit is None:
        return None
    source = f"{place.host}/{place.repository}/{place.folder}"
    version = f"{GENERATOR_VERSION}.{PREPARING_VERSION}"
    return f"{version}|{commit}|{source}|{record.title}"


async def _prepare(
    record: Documented,
    place: DocsFolder,
    commit: str | None,
    tools: BuildTools,
    rights: BuildRights,
    say: Say,
    workspace: Path,
) -> Prepared:
    say(f"info: Step 1 of 3: Preparing docs for entity {record.ref}")
    prepared = await prepare(
        place,
        tools.sources.shown_to(rights),
        _new_folder(workspace / "source"),
        commit=commit,
        title=record.title,
        limits=tools.limits,
        say=say,
    )
    say(f"info: Prepare step completed for entity {record.ref}")
    return prepared


def _new_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def _place(record: Documented, tools: BuildTools) -> DocsFolder:
    if record.source is None:
        await tools.records.located(record.ref, None)
        raise CallboardError(record.error or "There is no source of docs")
    place = tools.sources.locate(record.source)
    # Stored before the source is read: a push during the build finds the record.
    await tools.records.located(record.ref, place)
    settled = await tools.sources.settle(record.source)
    if settled != place:
        await tools.records.located(record.ref, settled)
    return settled


async def _require_open(
    record: Documented, place: DocsFolder, tools: BuildTools
) -> None:
    """Check that docs from another repository are for all readers of their entity.

    A build has no reader whose rights count: it reads with the portal's own rights, and
    everybody who may see the entity reads the result (ADR 18).
    """
    if place.host is None or record.source is None:
        return
    if repository_of(record.entity, tools.sources) == place.repository_key:
        return
    location = f"url:{tools.sources.url(record.source)}"
    if await tools.catalog.closed_locations([location], record.ref):
        raise SourceClosed(
            f"{TECHDOCS_REF}: there is no repository {place.repository} at "
            f"{place.host}, or it is not for everybody who may see {record.ref}"
        )


async def _outcome(
    record: Documented,
    prepared: Prepared,
    place: DocsFolder,
    tools: BuildTools,
    say: Say,
    workspace: Path,
    start: float,
) -> Built | Unchanged:
    is_published = (
        record.current is not None and record.current.site == prepared.content
    )
    failure = record.failure
    is_failed = failure is not None and failure.content == prepared.content
    if is_failed and failure is not None and failure.retry_at is not None:
        # A push, or the end of the pause, is a reason to try again.
        is_failed = record.due == CHECK and datetime.now(UTC) < failure.retry_at
        if is_failed:
            say(f"warn: It is not built again before {failure.retry_at:%F %H:%M} UTC")
    if is_failed or (is_published and failure is None):
        say(_unchanged(record))
        return Unchanged(prepared.watched)
    if await asyncio.to_thread(tools.sites.has, prepared.content):
        # The same content was built before, here or for another entity.
        site = await asyncio.to_thread(
            _republished, prepared, place, tools.sites, start
        )
    else:
        site = await _make(record, prepared, place, tools, say, workspace, start)
    say(f"info: Docs of entity {record.ref} are published: {site.pages} pages")
    return Built(site, prepared.watched)


def _unchanged(record: Documented) -> str:
    """The line of a build that has nothing to do."""
    if record.failure is None:
        return f"info: Docs for entity {record.ref} are up to date"
    return f"info: Nothing has changed since the docs of {record.ref} failed to build"


async def _make(
    record: Documented,
    prepared: Prepared,
    place: DocsFolder,
    tools: BuildTools,
    say: Say,
    workspace: Path,
    start: float,
) -> PublishedSite:
    say(f"info: Step 2 of 3: Generating docs for entity {record.ref}")
    job = Job(
        source=prepared.folder,
        out=str(_new_folder(workspace / "out")),
        record=str(_new_folder(workspace / "record")),
        title=record.title,
        config=prepared.config,
        repository_url=prepared.repository_url,
        edit_link=prepared.edit_link,
        source_link=prepared.source_link,
        folder=place.folder if place.host else "",
        readme=prepared.readme,
        plugins=tools.limits.plugins,
        # A folder of this machine has no version.
        etag=prepared.content if prepared.commit else None,
        cpu_seconds=int(tools.limits.seconds),
        memory_bytes=tools.limits.memory_bytes,
    )
    messages: set[str] = set()

    def say_generated(line: str) -> None:
        messages.add(line.partition(" -  ")[2])
        say(line)

    generated = await tools.generator.generate(job, say_generated)
    for warning in generated.warnings:
        # Of a long log the middle is left out, and with it perhaps a warning.
        if warning not in messages:
            say(f"warn: {warning}")
    say(f"info: Step 3 of 3: Publishing docs for entity {record.ref}")
    elapsed = int((time.monotonic() - start) * 1000)
    return await publish(generated, prepared, place, tools.sites, duration_ms=elapsed)


def _republished(
    prepared: Prepared, place: DocsFolder, sites: SiteStore, start: float
) -> PublishedSite:
    summary: SiteSummary = json.loads(sites.record(prepared.content, SITE_FILE))
    return PublishedSite(
        site=prepared.content,
        title=summary["title"],
        pages=len(summary["pages"]),
        built_at=datetime.now(UTC),
        duration_ms=int((time.monotonic() - start) * 1000),
        commit=prepared.commit,
        repository=place.repository_key,
        repository_url=prepared.repository_url,
        warnings=tuple(summary["warnings"]),
    )


def _failure(
    prepared: Prepared | None, reason: str, log: list[str], *, final: bool
) -> Failure:
    # A build that was stopped, or met a full disk, is tried again at the next check.
    return Failure(
        error=reason,
        at=datetime.now(UTC),
        commit=prepared.commit if prepared else None,
        content=prepared.content if prepared and final else None,
        log=tuple(log),
    )


def _resting(
    failure: Failure, record: Documented, prepared: Prepared | None
) -> Failure:
    """A failure by a limit: its content pauses longer each time, until a push."""
    content = prepared.content if prepared else None
    before = record.failure
    stops = 1
    if before is not None and before.content == content and record.due == CHECK:
        stops += before.stops
    rest = min(FIRST_REST_SECONDS * 2 ** min(stops - 1, 30), LONGEST_REST_SECONDS)
    retry_at = failure.at + timedelta(seconds=rest)
    return replace(failure, content=content, stops=stops, retry_at=retry_at)


def _failed(
    record: Documented,
    prepared: Prepared | None,
    failure: Failure,
    start: float,
    source_state: str | None,
) -> Failed:
    watched = prepared.watched if prepared else record.watched
    elapsed = int((time.monotonic() - start) * 1000)
    return Failed(failure, elapsed, watched, source_state)
