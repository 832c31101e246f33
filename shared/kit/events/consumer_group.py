"""A consumer group: each message is handled by one of the group's processes (aiokafka).

Delivery is at least once: the effect comes first, then the offset. Offsets are
committed once a second and whenever partitions are revoked.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Self

from aiokafka.coordinator.assignors.sticky.sticky_assignor import (
    StickyPartitionAssignor,
)

from shared.contracts.errors import Unavailable
from shared.kit.config.servers import Server
from shared.kit.events import broker
from shared.kit.events.assignment import Subscription
from shared.kit.events.bus import Bus, KafkaBus
from shared.kit.events.delivery import Handler
from shared.kit.events.membership import LEAVE_SECONDS, Membership
from shared.kit.observability import logs
from shared.kit.processes import tasks
from shared.kit.resilience.retries import Backoff, retry

#: How long a group waits for a killed consumer: Kafka's minimum.
SESSION_SECONDS = 6.0
#: Also how long it takes a consumer to learn of a rebalance.
HEARTBEAT_SECONDS = 0.5
#: How long the group waits for a consumer that finishes its batch.
REBALANCE_SECONDS = 30.0
#: How often a process that has lost its group tries to join again.
BACKOFF = Backoff.every(1.0)
METADATA_MS = 30_000
#: A handler may wait as long as a store is unavailable, and keeps its partitions.
POLL_INTERVAL_MS = 7 * 24 * 3600 * 1000


class GroupConsumer:
    """This process's consumer of a group.

    `handlers` maps a topic to a coroutine function that takes a batch of events; it
    must be idempotent. Topics are handled concurrently. It starts in the background, so
    an unavailable broker does not delay the service.
    """

    def __init__(
        self,
        name: str,
        server: Server | str,
        handlers: Mapping[str, Handler],
        bus: Bus,
        *,
        batch: int = 200,
        within: float = 0.02,
        tries: int = 5,
    ) -> None:
        self._name = name
        self._server = Server.of(server)
        self._bus = bus
        self._subscription = Subscription(
            name, dict(handlers), bus, batch=batch, within=within, tries=tries
        )
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger(name)
        #: The last failure that was logged since the group was joined.
        self._last_reason = ""
        self._leaving = asyncio.Event()
        #: Set while the group has assigned this consumer its partitions.
        self.joined = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"group-{self._name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is None:
            return
        self._leaving.set()
        if self.joined.is_set():
            # A consumer that leaves releases its partitions at once; a cancelled one
            # would keep them until its session ends.
            await asyncio.wait({self._task}, timeout=2 * LEAVE_SECONDS)
        await tasks.end(self._task, retry_seconds=2 * broker.END_SECONDS)

    async def check(self) -> None:
        """Raise Unavailable unless the group is joined, and the topics fit."""
        if not self.joined.is_set():
            raise Unavailable(f"The consumer of {self._name} has not joined its group")
        if isinstance(self._bus, KafkaBus):
            await self._bus.check()

    async def _run(self) -> None:
        """Be a member of the group until this process leaves it."""
        # An edge: without this, the consumer would end after an error.
        await retry(self._take_part_once, BACKOFF, on=(Exception,), note=self._note)

    async def _take_part_once(self) -> None:
        try:
            with broker.failing_if_cancelled():
                await self._take_part()
        finally:
            if self.joined.is_set():
                self._last_reason = ""
            self.joined.clear()

    def _note(self, error: Exception, _: float) -> None:
        """Log a failure, but the same one only once in a row."""
        reason = str(error) or type(error).__name__
        if reason != self._last_reason:
            self._log.warning("group_lost", group=self._name, error=reason)
            self._last_reason = reason

    async def _take_part(self) -> None:
        """Be a consumer of the group until this process leaves it, or it fails."""
        consumer = broker.make_consumer(
            self._server, await broker.abilities(self._server), **self._options()
        )
        membership = Membership(consumer, self._subscription, self.joined)
        upkeep = asyncio.create_task(membership.keep(), name=f"keep-{self._name}")
        leaving = asyncio.create_task(self._until_left())
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(broker.leave, consumer)
            stack.push_async_callback(tasks.end, upkeep, leaving)
            stack.push_async_callback(membership.end)
            await asyncio.wait({upkeep, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if upkeep.done():
                upkeep.result()

    async def _until_left(self) -> None:
        await self._leaving.wait()

    def _options(self) -> dict[str, Any]:
        # The assignor stores its state on its class, so each group needs its own class.
        sticky = type("Sticky", (StickyPartitionAssignor,), {})
        return {
            "group_id": self._name,
            "client_id": self._name,
            "partition_assignment_strategy": [sticky],
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "max_poll_interval_ms": POLL_INTERVAL_MS,
            "session_timeout_ms": int(SESSION_SECONDS * 1000),
            "heartbeat_interval_ms": int(HEARTBEAT_SECONDS * 1000),
            "rebalance_timeout_ms": int(REBALANCE_SECONDS * 1000),
            "metadata_max_age_ms": METADATA_MS,
        }
