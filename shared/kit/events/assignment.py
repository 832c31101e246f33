"""The partitions that a consumer has from one rebalance of its group to the next.

Groups are eager: a rebalance revokes all partitions of all consumers, so an assignment
ends as a whole. Before that, it finishes what it has begun and commits the offsets;
what it has not begun is left to the next consumer, which starts at these offsets.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.kit.events import metrics
from shared.kit.events.bus import Bus
from shared.kit.events.delivery import BatchDelivery, DeliveryStopped, Handler
from shared.kit.processes import tasks

#: How long a read waits for messages; they, and errors of the group, end the wait.
POLL_MS = 60_000
#: How long the log may take to answer.
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a group consumes: the handler of each topic, and how it is called."""

    group: str
    handlers: Mapping[str, Handler]
    bus: Bus
    #: The most messages that a handler gets at once.
    batch: int
    #: How many seconds the first message of a batch waits for others.
    within: float
    #: How often a message is tried before it becomes a dead letter.
    tries: int


class Assignment:
    """Some partitions of a group's topics: a task for each topic handles them."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        partitions: Iterable[TopicPartition],
        subscription: Subscription,
    ) -> None:
        self._consumer = consumer
        self._subscription = subscription
        self._revoked = asyncio.Event()
        self._delivery = BatchDelivery(
            subscription.group,
            subscription.bus,
            tries=subscription.tries,
            stopped=self._revoked,
        )
        self._partitions: dict[str, list[TopicPartition]] = {}
        for partition in partitions:
            self._partitions.setdefault(partition.topic, []).append(partition)
        #: The offset to read next of each partition of which something was read.
        self._offsets: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        #: The tasks with a batch that is not handled yet.
        self._busy: set[asyncio.Task[None]] = set()
        self._tasks = {
            asyncio.create_task(self._read(topic), name=f"read-{topic}")
            for topic in self._partitions
        }

    def raise_failure(self) -> None:
        """Raise the error that ended a task, if one failed."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def end(self, seconds: float) -> bool:
        """Finish what is begun, and commit; False if it was cut off after `seconds`."""
        self._revoked.set()
        for task in self._tasks - self._busy:
            task.cancel()
        late = set(self._tasks)
        try:
            if self._tasks:
                _, late = await asyncio.wait(self._tasks, timeout=seconds)
        finally:
            await tasks.end(*self._tasks)
        await self.commit()
        return not late

    async def commit(self) -> None:
        """Commit the new offsets; the next commit repeats what fails."""
        new = {
            partition: offset
            for partition, offset in self._offsets.items()
            if self._committed.get(partition) != offset
        }
        if not new:
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._consumer.commit(new)
        except (KafkaError, TimeoutError):
            return
        self._committed.update(new)

    async def measure_lag(self) -> None:
        """Count the messages that are not handled yet, topic by topic.

        Raises:
            KafkaError, TimeoutError: if the log does not answer.
        """
        async with asyncio.timeout(ANSWER_SECONDS):
            for topic in self._subscription.handlers:
                partitions = self._partitions.get(topic, [])
                ends = await self._consumer.end_offsets(partitions)
                lag = 0
                for partition in partitions:
                    offset = self._offsets.get(partition)
                    if offset is None:
                        offset = await self._consumer.position(partition)
                    lag += max(0, ends[partition] - offset)
                metrics.LAG.labels(self._subscription.group, topic).set(lag)

    async def _read(self, topic: str) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - narrows
        while not self._revoked.is_set():
            records = await self._next(topic, self._subscription.batch, POLL_MS)
            if not records or self._revoked.is_set():
                continue
            self._busy.add(task)
            try:
                records += await self._gather(topic, len(records))
                await self._handle(topic, records)
            except DeliveryStopped:
                return
            finally:
                self._busy.discard(task)

    async def _gather(self, topic: str, count: int) -> list[Any]:
        """Messages that follow soon on `count` others, up to a whole batch."""
        missing = self._subscription.batch - count
        if missing:
            await asyncio.sleep(self._subscription.within)
        # A read would wait for the end of the rebalance, and that waits for this batch.
        if not missing or self._revoked.is_set():
            return []
        return await self._next(topic, missing, 0)

    async def _next(self, topic: str, count: int, wait_ms: int) -> list[Any]:
        records = await self._consumer.getmany(
            *self._partitions[topic], timeout_ms=wait_ms, max_records=count
        )
        for partition, items in records.items():
            self._offsets.setdefault(partition, items[0].offset)
        return [record for items in records.values() for record in items]

    async def _handle(self, topic: str, records: list[Any]) -> None:
        items = [
            ((r.key or b"").decode("utf-8", "replace"), r.value or b"") for r in records
        ]
        handler = self._subscription.handlers[topic]
        await self._delivery.deliver(topic, handler, items)
        for record in records:
            partition = TopicPartition(topic, record.partition)
            self._offsets[partition] = record.offset + 1
