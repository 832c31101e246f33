"""Brings one site up to date while somebody watches (Backstage's `/sync`).

Docs are built when they are pushed; a visit is a look at the source in addition, at
most once a minute, which is all that a folder of this machine ever gets.
"""

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from services.techdocs.annotations import source_of
from services.techdocs.handlers.documented import documented
from services.techdocs.handlers.progress import BuildLogFeed
from services.techdocs.handlers.queue import BuildQueue
from services.techdocs.model import CHANGED, CHECK, Documented
from services.techdocs.ports import Records
from shared.contracts.errors import Invalid
from shared.contracts.ref import ref_of

QUIET_SECONDS = 1.0
FRESH_SECONDS = 60.0
LONGEST_SECONDS = 600.0
REMEMBERED = 10_000

Told = tuple[Literal["log", "error", "finish"], Any]


class Syncing:
    """Remembers which sources were looked at within the last minute."""

    def __init__(
        self, records: Records, queue: BuildQueue, progress: BuildLogFeed
    ) -> None:
        self._records = records
        self._queue = queue
        self._progress = progress
        self._looked: dict[str, float] = {}

    async def sync(self, entity: Mapping[str, Any]) -> AsyncIterator[Told]:
        """Look at the entity's source; the lines of the log, then how it ended."""
        ref = str(ref_of(entity))
        try:
            source_of(entity)
        except Invalid as error:
            for told in _problem(ref, error.message):
                yield told
            return
        record = await self._record(ref, entity)
        if self._is_fresh(record):
            yield "finish", {"updated": False}
            return
        with self._progress.listen(ref) as listening:
            # A listener first: the end of the build must not be missed.
            # A visit hurries a first build; it is no reason to try a failed one again.
            is_first = record.current is None and record.failure is None
            await self._records.ask([ref], CHANGED if is_first else CHECK)
            self._queue.nudge()
            deadline = time.monotonic() + LONGEST_SECONDS
            async for line in listening.lines(QUIET_SECONDS):
                if line:
                    yield "log", line
                elif await self._is_done(ref) or time.monotonic() > deadline:
                    break
        after = await self._records.get(ref)
        self._remember(ref)
        for told in _ending(ref, record, after):
            yield told

    async def _record(self, ref: str, entity: Mapping[str, Any]) -> Documented:
        found = await self._records.get(ref)
        if found is None:
            # The event has not come yet; whatever it says will be newer than this.
            found = documented(ref, 0, entity)
            await self._records.remember(found)
        return found

    def _is_fresh(self, record: Documented) -> bool:
        looked = self._looked.get(record.ref)
        recent = looked is not None and time.monotonic() - looked < FRESH_SECONDS
        return recent and not record.due and record.failure is None

    def _remember(self, ref: str) -> None:
        if len(self._looked) >= REMEMBERED:
            self._looked.clear()
        self._looked[ref] = time.monotonic()

    async def _is_done(self, ref: str) -> bool:
        # Another process may have built it: then nobody here said a word.
        found = await self._records.get(ref)
        return found is None or not found.due


def _problem(ref: str, message: str) -> list[Told]:
    line = f"error: Failed to build the docs page for entity {ref}: {message}"
    return [("log", line), ("error", message)]


def _ending(ref: str, before: Documented, after: Documented | None) -> list[Told]:
    if after is None:
        return [("error", f"The docs of {ref} are gone")]
    if after.failure is not None:
        return [("error", after.failure.error)]
    if after.current is None:
        return [("error", f"The docs of {ref} are still being built")]
    former = before.current.site if before.current else None
    return [("finish", {"updated": after.current.site != former})]
