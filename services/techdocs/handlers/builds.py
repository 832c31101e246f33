"""Builds one site: checks its source, and runs the three stages if it changed."""

import asyncio
import json
import logging
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from services.techdocs.build_log import without_paths
from services.techdocs.generator.job import SITE_FILE, Job
from services.techdocs.generator.site_summary import SiteSummary
from services.techdocs.handlers.build_failures import StoredLog, failed
from services.techdocs.handlers.build_rights import BuildRights
from services.techdocs.handlers.build_sources import (
    BuildTools,
    new_folder,
    place_of,
    prepare_source,
    require_open,
    source_state,
)
from services.techdocs.model import (
    CHECK,
    Built,
    DocsFolder,
    Documented,
    Failed,
    Outcome,
    Prepared,
    PublishedSite,
    SourceClosed,
    Unchanged,
)
from services.techdocs.ports import (
    Say,
    SiteStore,
)
from services.techdocs.stages.publish import publish
from shared.contracts import disk_space
from shared.contracts.errors import CallboardError, Unavailable, message_of

#: Tries for which a site that may show what is hidden now outlasts a host that is away.
PATIENT_TRIES = 5
#: The same, where requests begin the tries anew.
PATIENT_SECONDS = 30.0
LOG = logging.getLogger("techdocs")


async def build(record: Documented, tools: BuildTools, say: Say) -> Outcome:
    """Bring one entity's site up to date with its source.

    Any error of the docs is an outcome, also an unforeseen one.

    Raises:
        Unavailable: if the source does not answer, or the disk is full: the docs are
            not the reason.
    """
    one = _Build(record, tools, say)
    work = asyncio.create_task(one.run())
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
        await one.give_up_waiting()
        raise error
    if disk_space.is_disk_full(error):
        await one.give_up_waiting()
        raise disk_space.DiskFull from error
    LOG.error("build_failed_unforeseen", exc_info=error)
    reason = f"The build failed for a reason of our own: {type(error).__name__}"
    try:
        return await one.failed(Exception(reason), reason, [])
    except Unavailable:
        await one.give_up_waiting()
        raise


async def check_rights(record: Documented, tools: BuildTools) -> None:
    """Withdraw a site that shows what not all its readers may see now.

    Whether a build of it is under way or not; the next one is made by a build.

    Raises:
        CallboardError: if the source, the catalog or the store does not answer, or the
            docs are wrong: whether to withdraw it is decided by a build.
        OSError: if the disk has no room.
    """
    sites = tools.sites
    workspace = await asyncio.to_thread(sites.workspace)
    try:
        await _Build(record, tools, _say_nothing).check_rights(workspace)
    finally:
        await asyncio.to_thread(sites.discard, workspace)


def _say_nothing(_: str) -> None:
    """No reader waits for these lines."""


class _Build:
    """One build. `record` has no site any more once that is withdrawn."""

    def __init__(self, record: Documented, tools: BuildTools, say: Say) -> None:
        self.record = record
        self._tools = tools
        self._say = say
        self._start = time.monotonic()
        self._log = StoredLog()
        self._rights = BuildRights(tools.catalog, record.ref)
        self._prepared: Prepared | None = None
        #: The state of the source, if it alone decides what is read.
        self._looked: str | None = None

    def _tell(self, line: str) -> None:
        self._say(line)
        self._log.log.add(line)

    async def run(self) -> Outcome:
        """Build; any error of the docs is the outcome.

        Raises:
            Unavailable: if the source, the catalog or the store does not answer.
            OSError: if the disk is full.
        """
        sites = self._tools.sites
        workspace = await asyncio.to_thread(sites.workspace)
        try:
            return await self._run(workspace)
        except (CallboardError, OSError) as error:
            if isinstance(error, Unavailable) or disk_space.is_disk_full(error):
                raise
            reason = without_paths(workspace)(message_of(error))
            line = f"Failed to build the docs page for entity {self.record.ref}"
            self._tell(f"error: {line}: {reason}")
            return await self.failed(error, reason, self._log.end())
        finally:
            await asyncio.to_thread(sites.discard, workspace)

    async def _run(self, workspace: Path) -> Outcome:
        record, tools, rights = self.record, self._tools, self._rights
        place = await place_of(record, tools)
        await rights.begin(tools.sources.location(place))
        await require_open(record, place, tools)
        commit = await tools.sources.commit(place)
        self._looked = source_state(record, place, commit, rights)
        is_same = self._looked is not None and self._looked == record.looked
        if is_same and not await rights.shows_more(record):
            self._tell(_unchanged(record))
            return Unchanged(looked=self._looked)
        self._prepared = await prepare_source(
            record, place, commit, tools, rights, self._tell, workspace
        )
        is_published = _is_published(record, self._prepared)
        if not is_published and await rights.shows_more(record):
            # At once: the site is not shown for as long as the next one takes.
            await self._take_down()
        outcome = await self._outcome(self._prepared, place, workspace)
        await rights.require_current()
        rests = record.failure is not None and record.failure.retry_at is not None
        if rests and isinstance(outcome, Unchanged):
            # The next check builds it, if its pause is over.
            return outcome
        looked = self._looked if rights.is_lasting else None
        is_proven = is_published or isinstance(outcome, Built)
        basis = rights.basis if is_proven else None
        return replace(outcome, looked=looked, basis=basis)

    async def check_rights(self, workspace: Path) -> None:
        """Withdraw the site if it is not what its source would become now."""
        record, tools, rights = self.record, self._tools, self._rights
        place = await place_of(record, tools)
        await rights.begin(tools.sources.location(place))
        if not await rights.shows_more(record):
            return
        commit = await tools.sources.commit(place)
        prepared = await prepare_source(
            record, place, commit, tools, rights, self._tell, workspace
        )
        if not _is_published(record, prepared):
            await self._take_down()

    async def _take_down(self) -> None:
        await self._tools.records.take_down(self.record)
        self.record = replace(self.record, current=None, history=(), looked=None)
        self._tell("info: The docs from before are withdrawn: fewer files are for all")

    async def give_up_waiting(self) -> None:
        """After some tries, withdraw a site that may show what is hidden now."""
        since = self.record.waiting_since
        is_long = since and time.time() - since >= PATIENT_SECONDS
        if self.record.tries < PATIENT_TRIES and not is_long:
            return
        try:
            shows_more = await self._rights.shows_more(self.record)
        except Unavailable:
            shows_more = bool(self.record.current and self.record.rights_changed)
        if shows_more:
            await self._take_down()

    async def failed(self, error: Exception, reason: str, log: list[str]) -> Failed:
        """The outcome of an error; the site goes if it may show what is hidden now."""
        withdraws = isinstance(error, SourceClosed)
        withdraws = withdraws or await self._rights.shows_more(self.record)
        outcome = failed(error, reason, self.record, self._prepared, log, self._start)
        is_lasting = outcome.is_final and self._rights.is_lasting
        looked = self._looked if is_lasting else None
        state = self._rights.state
        return replace(outcome, looked=looked, withdraws=withdraws, state=state)

    async def _outcome(
        self, prepared: Prepared, place: DocsFolder, workspace: Path
    ) -> Built | Unchanged:
        record, sites = self.record, self._tools.sites
        failure = record.failure
        if self._is_failed(prepared) or (
            _is_published(record, prepared) and failure is None
        ):
            self._tell(_unchanged(record))
            return Unchanged(prepared.watched)
        if await asyncio.to_thread(sites.has, prepared.content):
            # The same content was built before, here or for another entity.
            site = await asyncio.to_thread(
                _republished, prepared, place, sites, self._start
            )
        else:
            site = await _make(
                record, prepared, place, self._tools, self._tell, workspace, self._start
            )
        self._tell(
            f"info: Docs of entity {record.ref} are published: {site.pages} pages"
        )
        return Built(site, prepared.watched)

    def _is_failed(self, prepared: Prepared) -> bool:
        """Whether the same content failed before, and its log may still be read."""
        failure = self.record.failure
        if failure is None or failure.content != prepared.content:
            return False
        if self._rights.state not in ("", self.record.failure_state):
            return False
        if failure.retry_at is None:
            return True
        # A push, or the end of the pause, is a reason to try again.
        is_paused = self.record.due == CHECK and datetime.now(UTC) < failure.retry_at
        if is_paused:
            time_text = f"{failure.retry_at:%F %H:%M}"
            self._tell(f"warn: It is not built again before {time_text} UTC")
        return is_paused


def _is_published(record: Documented, prepared: Prepared) -> bool:
    return record.current is not None and record.current.site == prepared.content


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
        out=str(new_folder(workspace / "out")),
        record=str(new_folder(workspace / "record")),
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
