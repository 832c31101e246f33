"""Consumes `entity-changed` and `docs-built`, and reconciles index and sources.

The reconciler finds changes whose events did not arrive, by comparing checksums.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Self

from services.search.handlers import index_entities, index_sites
from services.search.metrics import CHANGES, LAG_SECONDS, RECORDS
from services.search.ports import Alias, Owners
from services.search.resync import ENTITIES, PARTS, OwnedRecords, catch_up, compare
from shared.contracts.envelope import Envelope
from shared.contracts.errors import CallboardError
from shared.contracts.topics import DOCS_BUILT, ENTITY_CHANGED
from shared.kit.config.servers import Server
from shared.kit.events.bus import Bus
from shared.kit.events.consumer_group import GroupConsumer
from shared.kit.observability import logs
from shared.kit.processes import tasks
from shared.kit.resilience.retries import Backoff, retry

GROUP = "search"
SETTLE_SECONDS = 1.5
DISCONNECTED_SECONDS = 0.5
BACKOFF = Backoff(first=0.2, longest=5.0)
#: An unavailable source, a wrong answer or a full disk does not stop the reconciler.
TRANSIENT_ERRORS = (CallboardError, OSError, KeyError, TypeError, ValueError)


def make_consumer(
    alias: Alias,
    owners: Owners,
    server: Server | str,
    bus: Bus,
    *,
    batch: int,
    within: float,
) -> GroupConsumer:
    """The consumer group `search`; each batch of events is one commit of the index."""

    async def entities(envelopes: Sequence[Envelope]) -> None:
        applied = await index_entities(alias, owners, envelopes)
        _measure(ENTITY_CHANGED, envelopes, applied)

    async def sites(envelopes: Sequence[Envelope]) -> None:
        applied = await index_sites(alias, owners, envelopes)
        _measure(DOCS_BUILT, envelopes, applied)

    handlers = {ENTITY_CHANGED: entities, DOCS_BUILT: sites}
    return GroupConsumer(GROUP, server, handlers, bus, batch=batch, within=within)


def _measure(topic: str, envelopes: Sequence[Envelope], applied: int) -> None:
    CHANGES.labels(topic).inc(applied)
    for envelope in envelopes:
        published_at = envelope.time.timestamp()
        LAG_SECONDS.labels(topic).observe(max(0.0, time.time() - published_at))


class IndexReconciler:
    """Compares checksums of the index and its sources regularly, and repairs the index.

    While no events are consumed (`is_consuming` is false, for example during a
    rebalance) it compares twice a second, so that changes are not delayed.
    """

    def __init__(
        self,
        alias: Alias,
        owners: Owners,
        seconds: float,
        is_consuming: Callable[[], bool] = lambda: True,
    ) -> None:
        self._alias = alias
        self._owners = owners
        self._seconds = seconds
        self._is_consuming = is_consuming
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger("search")

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="search-looks")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task)

    async def _run(self) -> None:
        await self._compare_with_retries(lambda: True)
        while True:
            await self._pause()
            await self._compare_with_retries(lambda: not self._is_consuming())

    async def _compare_with_retries(self, settled: Callable[[], bool]) -> None:
        def note(error: Exception, _: float) -> None:
            self._log.warning("owners_not_compared", error=str(error))

        await retry(
            lambda: self._compare_all(settled=settled()),
            BACKOFF,
            on=TRANSIENT_ERRORS,
            note=note,
        )

    async def _pause(self) -> None:
        end = time.monotonic() + self._seconds
        was_disconnected = not self._is_consuming()
        while (remaining := end - time.monotonic()) > 0:
            await asyncio.sleep(min(remaining, DISCONNECTED_SECONDS))
            if was_disconnected or not self._is_consuming():
                return

    async def _compare_all(self, *, settled: bool) -> None:
        failed: CallboardError | None = None
        for part in PARTS:
            try:
                await self._compare_part(part, settled=settled)
            except CallboardError as error:
                # An unavailable source must not delay the other one.
                failed = failed or error
        if failed is not None:
            raise failed

    async def _compare_part(self, part: OwnedRecords, *, settled: bool) -> None:
        """Repair one part; first wait, because the events may be on their way."""
        alias = self._alias
        if not settled:
            if (await compare(alias.live, self._owners, part)).reached:
                await self._update_state(part)
                return
            await asyncio.sleep(min(SETTLE_SECONDS, self._seconds))
        changes = await catch_up(alias, self._owners, part)
        if changes:
            CHANGES.labels("snapshot").inc(changes)
            self._log.info("caught_up", part=part.name, changes=changes)
        RECORDS.set(await alias.live.index.count())

    async def _update_state(self, part: OwnedRecords) -> None:
        """After agreement: mark the index complete and update the record count."""
        if part is ENTITIES:
            await self._alias.completed()
            RECORDS.set(await self._alias.live.index.count())
