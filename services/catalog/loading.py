"""Loads the read model at start, and writes its snapshot at the end (ADR 22).

It is loaded from a snapshot and the changes since, or else from the store. The store is
the source of truth: a snapshot that does not fit is ignored.
"""

import asyncio
import contextlib
import gc
import time
from dataclasses import dataclass

from services.catalog.handlers.catalog import CatalogContext
from services.catalog.handlers.recent import RecentChangesUpdater, newest_of
from services.catalog.handlers.spellings import restore_root
from services.catalog.handlers.state_follower import StateFollower
from services.catalog.model import StoredEntity
from services.catalog.readmodel import ReadModel
from services.catalog.store.entities import MongoEntityStore
from services.catalog.store.snapshots import SnapshotFile, SnapshotMarks
from shared.contracts.errors import CallboardError, Invalid
from shared.guards.turns import in_turns
from shared.kit.observability import logs

#: How long catching up with the store may take, at the end and in between.
LAST_CATCH_UP_SECONDS = 3.0
CATCH_UP_SECONDS = 60.0
#: Between two slices of a snapshot that is written beside the requests.
PAUSE_SECONDS = 0.02
log = logs.get_logger("catalog")


@dataclass(slots=True)
class ReadModelLoader:
    """Fills the read model of one process, and keeps it for the next."""

    model: ReadModel
    catalog: CatalogContext
    store: MongoEntityStore
    follower: StateFollower
    recent: RecentChangesUpdater
    file: SnapshotFile
    marks: SnapshotMarks
    #: Whether the read model came from a snapshot.
    is_restored: bool = False
    _revision: int = -1

    async def load(self) -> None:
        """Show what the store holds.

        Raises:
            Unavailable: if the store does not answer.
        """
        started = time.monotonic()
        await self.store.prepare()
        state = self.catalog.state
        async for root in in_turns(await self.catalog.roots.every()):
            await restore_root(self.catalog, root)
        self.is_restored = await self._restore()
        if not self.is_restored:
            await self._read()
        # What has been loaded stays: later collections need not visit it.
        gc.freeze()
        log.info(
            "catalog_loaded",
            entities=len(state),
            roots=len(state.roots),
            restored=self.is_restored,
            seconds=round(time.monotonic() - started, 2),
        )

    async def _read(self) -> None:
        newest: list[StoredEntity] = []
        async for batch in self.store.every():
            await self.catalog.state.put_all(batch)
            newest = newest_of([*newest, *batch])
        await self.recent.fill(newest)
        await asyncio.to_thread(self.model.prepare)

    async def _restore(self) -> bool:
        """Restore a snapshot and catch up with the store; False if none fits."""
        if len(self.model):
            # A start that failed half-way has shown entities already.
            return False
        try:
            header = await asyncio.to_thread(self.file.header)
            await self.marks.require(header.mark)
            contents = await asyncio.to_thread(self.file.read)
        except Invalid as error:
            log.info("snapshot_not_used", reason=error.message)
            return False
        self.model.take_over(contents.tables, contents.records)
        await asyncio.to_thread(self.model.prepare)
        states = [record.stored for record in self.model.existing(self.model.live)]
        await self.catalog.state.link_all(states)
        self.follower.resume(header.through)
        before = str(self.model.revision)
        await self.follower.catch_up()
        await self.recent.fill(states)
        if str(self.model.revision) == before:
            self._revision = self.model.revision.value
        return True

    async def keep(
        self, *, pause: float = 0.0, patience: float = LAST_CATCH_UP_SECONDS
    ) -> None:
        """Write a snapshot, unless the last one still holds or changes interrupt it.

        It catches up with the store first, for `patience` seconds: events of other
        processes may not have been consumed yet. A snapshot that has not caught up,
        such as that of a process that ends just after it has written 100,000 entities,
        is whole up to the moment before: the next start catches up from there.
        """
        if self.model.revision.value == self._revision:
            return
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self.follower.catch_up()
            revision, through = self.model.revision.value, self.follower.through
            mark = await self.marks.put()
            if await self.file.write(self.model, mark, through, pause=pause):
                self._revision = revision
                log.info("snapshot_kept", entities=len(self.model))
        except (CallboardError, OSError) as error:
            # The next start reads more of the store, or all of it.
            log.warning("snapshot_not_kept", reason=str(error) or type(error).__name__)

    async def keep_current(self, seconds: float) -> None:
        """Write a snapshot regularly, as a killed process writes none; never returns.

        While changes come every few seconds no snapshot is completed: the next start
        then takes longer.
        """
        while True:
            await self.keep(pause=PAUSE_SECONDS, patience=CATCH_UP_SECONDS)
            await asyncio.sleep(seconds)
