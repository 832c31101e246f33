"""Brings one site up to date while a client follows the log (Backstage's `/sync`).

Docs are built when they are pushed. A visit checks the source in addition, at most once
a minute; the docs in a folder of this machine are checked by visits alone.
"""

import time
from collections.abc import AsyncIterator
from typing import Literal

from services.techdocs.handlers.documented import documented
from services.techdocs.handlers.progress import BuildLogFeed
from services.techdocs.handlers.queue import BuildQueue
from services.techdocs.model import CHANGED, CHECK, Documented
from services.techdocs.ports import Records
from shared.contracts.docs_sources import source_of
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid

QUIET_SECONDS = 1.0
FRESH_SECONDS = 60.0
LONGEST_SECONDS = 600.0
REMEMBERED = 10_000

#: A server-sent event of Backstage's `/sync`: its name and its data.
SyncEvent = (
    tuple[Literal["log", "error"], str] | tuple[Literal["finish"], dict[str, bool]]
)


class Syncing:
    """Checks sources for visitors; knows which ones it checked within a minute."""

    def __init__(
        self, records: Records, queue: BuildQueue, progress: BuildLogFeed
    ) -> None:
        self._records = records
        self._queue = queue
        self._progress = progress
        self._checked: dict[str, float] = {}

    async def sync(self, entity: Entity) -> AsyncIterator[SyncEvent]:
        """Check the entity's source; the lines of the log, then how it ended."""
        ref = str(entity.ref)
        try:
            source_of(entity)
        except Invalid as error:
            for event in _problem(ref, error.message):
                yield event
            return
        record = await self._record(ref, entity)
        if self._is_fresh(record):
            yield "finish", {"updated": False}
            return
        with self._progress.listen(ref) as listening:
            # The listener comes first: it must not miss the end of the build.
            if not (record.due and self._is_recent(ref)):
                await self._ask(record)
            deadline = time.monotonic() + LONGEST_SECONDS
            async for line in listening.lines(QUIET_SECONDS):
                if line:
                    yield "log", line
                elif await self._is_done(ref) or time.monotonic() > deadline:
                    break
        after = await self._records.get(ref)
        self._remember(ref)
        for event in _ending(ref, record, after):
            yield event

    async def _record(self, ref: str, entity: Entity) -> Documented:
        record = await self._records.get(ref)
        if record is None:
            # The entity's event is still to come, with a revision above 0.
            record = documented(ref, 0, entity)
            await self._records.remember(record)
        return record

    async def _ask(self, record: Documented) -> None:
        # A visit makes a first build due; it does not repeat a failed one.
        is_first = record.current is None and record.failure is None
        await self._records.ask([record.ref], CHANGED if is_first else CHECK)
        self._remember(record.ref)
        self._queue.nudge()

    def _is_fresh(self, record: Documented) -> bool:
        is_settled = not record.due and record.failure is None
        return is_settled and self._is_recent(record.ref)

    def _is_recent(self, ref: str) -> bool:
        checked_at = self._checked.get(ref)
        return checked_at is not None and time.monotonic() - checked_at < FRESH_SECONDS

    def _remember(self, ref: str) -> None:
        if len(self._checked) >= REMEMBERED:
            self._checked.clear()
        self._checked[ref] = time.monotonic()

    async def _is_done(self, ref: str) -> bool:
        # Another process may have built it, whose log lines do not come here.
        record = await self._records.get(ref)
        return record is None or not record.due


def _problem(ref: str, message: str) -> list[SyncEvent]:
    line = f"error: Failed to build the docs page for entity {ref}: {message}"
    return [("log", line), ("error", message)]


def _ending(ref: str, before: Documented, after: Documented | None) -> list[SyncEvent]:
    if after is None:
        return [("error", f"The docs of {ref} are gone")]
    if after.failure is not None:
        return [("error", after.failure.error)]
    if after.current is None:
        return [("error", f"The docs of {ref} are still being built")]
    former = before.current.site if before.current else None
    return [("finish", {"updated": after.current.site != former})]
