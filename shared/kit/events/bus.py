"""The event log: producers, and readers of all messages (aiokafka).

Consumer groups are in `consumer_group.py`. `MemoryBus` is the twin for tests of
handlers; contract tests prove it against the real broker.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OffsetOutOfRangeError

from shared.contracts.envelope import Envelope
from shared.contracts.errors import TooLarge, Unavailable
from shared.kit.config.servers import Server
from shared.kit.events import broker, metrics
from shared.kit.events.announcements import Announcer
from shared.kit.events.topics import LARGEST_EVENT, TopicsCheck
from shared.kit.observability import logs
from shared.kit.processes import tasks
from shared.kit.resilience.retries import Backoff, retry

Message = tuple[str, str, bytes]

SEND_SECONDS = 10
BACKOFF = Backoff.every(0.5)
#: Seconds between two checks for added partitions.
PARTITION_CHECK_SECONDS = 5.0
#: How long a read waits for messages; a message ends it at once.
WAIT_MS = 2000


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One message with its position in the log."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes

    def envelope(self) -> Envelope:
        """The event in it.

        Raises:
            Invalid: if it is no CloudEvent.
        """
        return Envelope.parse(self.value)


class Bus(Protocol):
    """Publishes events. A call returns when the log has the messages."""

    async def publish(self, topic: str, key: str, value: bytes) -> None: ...

    async def publish_many(self, messages: Iterable[Message]) -> None: ...


class KafkaBus:
    """A Kafka producer; it starts with the first message, so the broker may be away.

    It is idempotent: messages that the client repeats are stored once, and in order.
    If the log does not take a batch in time, the producer is closed too, so that no
    message arrives late, after the caller's repetition.
    """

    def __init__(self, server: Server | str) -> None:
        self._server = Server.of(server)
        self._producer: AIOKafkaProducer | None = None
        #: For the embedded log, whose consumers wait for announcements.
        self._announcer: Announcer | None = None
        self._start_lock = asyncio.Lock()
        self._topics = TopicsCheck(self._server)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._give_up(self._producer)
        if self._announcer is not None:
            self._announcer.close()

    async def _running_producer(self) -> AIOKafkaProducer:
        async with self._start_lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **broker.client_options(self._server),
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=0,
                    request_timeout_ms=SEND_SECONDS * 1000,
                    max_request_size=LARGEST_EVENT,
                )
                try:
                    async with asyncio.timeout(SEND_SECONDS):
                        await producer.start()
                        abilities = await broker.BrokerClient(
                            producer.client
                        ).abilities()
                except (KafkaError, OSError, TimeoutError) as error:
                    await _end(producer)
                    raise Unavailable("The event log is not reachable") from error
                if not abilities.declares and self._announcer is None:
                    self._announcer = Announcer(self._server.address)
                self._producer = producer
            return self._producer

    async def _give_up(self, producer: AIOKafkaProducer | None) -> None:
        """End a producer; the next message gets a new one."""
        if producer is None:
            return
        if self._producer is producer:
            self._producer = None
        await _end(producer)

    async def publish(self, topic: str, key: str, value: bytes) -> None:
        """Send one message; Unavailable if the log does not take it."""
        await self.publish_many([(topic, key, value)])

    async def publish_many(self, messages: Iterable[Message]) -> None:
        """Send messages in order.

        Raises:
            TooLarge: if the log takes no message of that size.
            Unavailable: if it does not take them all.
        """
        producer = await self._running_producer()
        try:
            with metrics.PUBLISH_SECONDS.time():
                async with asyncio.timeout(SEND_SECONDS):
                    sent = [
                        await producer.send(topic, value, key=key.encode())
                        for topic, key, value in messages
                    ]
                    await asyncio.gather(*sent)
            if self._announcer is not None:
                self._announcer.announce()
        except (KafkaError, TimeoutError, OSError) as error:
            await self._give_up(producer)
            if isinstance(error, MessageSizeTooLargeError):
                raise TooLarge(
                    f"The event is too large for the event log, which takes at most "
                    f"{LARGEST_EVENT} bytes"
                ) from error
            reason = str(error) or type(error).__name__
            logs.get_logger("bus").warning("publish_failed", reason=reason)
            raise Unavailable("The event log did not take the message") from error

    async def check(self) -> None:
        """Raise Unavailable unless the broker answers and its topics fit."""
        producer = await self._running_producer()
        try:
            await producer.client.fetch_all_metadata()
        except (KafkaError, OSError) as error:
            raise Unavailable("The event log does not answer") from error
        await self._topics()


async def _end(producer: AIOKafkaProducer) -> None:
    """Stop a producer, also while its broker is unavailable.

    Its own `stop` waits until its messages are sent, and an idempotent producer keeps a
    message for ever.
    """
    if not await broker.end(producer.stop()):
        await broker.end(producer._sender.close())  # noqa: SLF001
        await broker.end(producer.client.close())


class MemoryBus:
    """The twin: stores sent messages and passes them to subscribers at once."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.away = False
        self._handlers: dict[str, list[Callable[[EventRecord], Awaitable[None]]]] = {}

    def subscribe(
        self, topic: str, handler: Callable[[EventRecord], Awaitable[None]]
    ) -> None:
        """Call `handler` for every later message of `topic`."""
        self._handlers.setdefault(topic, []).append(handler)

    async def publish(self, topic: str, key: str, value: bytes) -> None:
        await self.publish_many([(topic, key, value)])

    async def publish_many(self, messages: Iterable[Message]) -> None:
        for topic, key, value in messages:
            if self.away:
                raise Unavailable("The event log is not reachable")
            self.sent.append((topic, key, value))
            record = EventRecord(topic, 0, len(self.sent) - 1, key, value)
            for handler in self._handlers.get(topic, ()):
                await handler(record)

    def envelopes(self, topic: str | None = None) -> list[Envelope]:
        """The events sent so far, of one topic or of all."""
        return [Envelope.parse(v) for t, _, v in self.sent if topic in (None, t)]


class LiveReader:
    """Reads all partitions of topics, without a group: each process gets each message.

    It begins at the end unless `from_start`. After a restart of the broker it continues
    at its positions, and it reads partitions that are added. `on_gap` is called when
    messages may have been missed (reading began again, or the log has deleted the next
    ones); a snapshot of the events' owner then contains their effect.
    """

    def __init__(
        self,
        server: Server | str,
        topics: Sequence[str],
        on_batch: Callable[[Sequence[EventRecord]], Awaitable[None]],
        *,
        from_start: bool = False,
        on_gap: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._server = Server.of(server)
        self._topics = tuple(topics)
        self._on_batch = on_batch
        self._from_start = from_start
        self._on_gap = on_gap
        self._task: asyncio.Task[None] | None = None
        self._broker: broker.BrokerClient | None = None
        self._topics_check = TopicsCheck(self._server)
        #: The next offset of each partition.
        self._next: dict[TopicPartition, int] = {}
        self._log = logs.get_logger("bus")
        #: The last failure that was logged since the last successful start.
        self._last_reason = ""
        #: Set once the topics are assigned and positions are known.
        self.reading = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow(), name="live-reader")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task)

    async def check(self) -> None:
        """Raise Unavailable unless the topics are being read, and fit."""
        ended = self._task is None or self._task.done()
        if ended or self._broker is None or not self.reading.is_set():
            raise Unavailable("The event log is not being read")
        await self._broker.partitions(self._topics)
        await self._topics_check()

    async def _follow(self) -> None:
        errors = (KafkaError, OSError, Unavailable)
        await retry(self._follow_until_lost, BACKOFF, on=errors, note=self._note)

    async def _follow_until_lost(self) -> None:
        try:
            with broker.failing_if_cancelled():
                async with broker.connect(self._server) as client:
                    await self._follow_one(client)
        finally:
            if self._broker is not None:
                self._last_reason = ""
            self._broker = None
            self.reading.clear()

    def _note(self, error: Exception, _: float) -> None:
        """Log a failure, but the same one only once in a row."""
        reason = str(error) or type(error).__name__
        if reason != self._last_reason:
            self._log.warning("live_reader_lost", error=reason)
            self._last_reason = reason

    async def _follow_one(self, client: broker.BrokerClient) -> None:
        abilities = await client.abilities()
        consumer = broker.make_consumer(
            self._server,
            abilities,
            group_id=None,
            enable_auto_commit=False,
            # `_dropped` handles a missing offset.
            auto_offset_reset="none",
        )
        try:
            await consumer.start()
            self._broker = client
            await self._take_up(consumer)
            await self._missed()
            self.reading.set()
            await self._read(consumer)
        finally:
            await broker.end(consumer.stop())

    async def _missed(self) -> None:
        if self._on_gap is not None:
            await self._on_gap()

    async def _partitions(self) -> list[TopicPartition]:
        assert self._broker is not None  # noqa: S101 - narrows
        partitions = await self._broker.partitions(self._topics)
        return [
            TopicPartition(name, n) for name, ids in partitions.items() for n in ids
        ]

    async def _take_up(self, consumer: AIOKafkaConsumer) -> None:
        """Continue at the last positions; at first begin at the end, or the start."""
        partitions = await self._partitions()
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        has_positions = bool(self._next)
        for partition in partitions:
            begin, end = begins[partition], ends[partition]
            # A partition that was added meanwhile is read from its start.
            new = begin if has_positions or self._from_start else end
            offset = self._next.get(partition, new)
            # A log that ends before the position is another one: begin at its start.
            self._next[partition] = offset if begin <= offset <= end else begin
        self._seek(consumer)

    def _seek(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign(list(self._next))
        for partition, offset in self._next.items():
            consumer.seek(partition, offset)

    async def _take_in(self, consumer: AIOKafkaConsumer) -> None:
        """Read added partitions from their start, so that no message is missed."""
        partitions = await self._partitions()
        added = [partition for partition in partitions if partition not in self._next]
        if added:
            self._next |= await consumer.beginning_offsets(added)
            self._seek(consumer)
            self._log.info("partitions_added", partitions=[str(p) for p in added])

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        checked_at = time.monotonic()
        while True:
            if time.monotonic() - checked_at > PARTITION_CHECK_SECONDS:
                await self._take_in(consumer)
                checked_at = time.monotonic()
            try:
                batches = await consumer.getmany(timeout_ms=WAIT_MS, max_records=1000)
            except OffsetOutOfRangeError as error:
                await self._dropped(consumer, list(error.args[0]))
                continue
            if batches:
                await self._deliver(
                    [_record(r) for items in batches.values() for r in items]
                )
                for partition, items in batches.items():
                    self._next[partition] = items[-1].offset + 1

    async def _dropped(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
    ) -> None:
        """The log has deleted the next messages: continue with its oldest."""
        begins = await consumer.beginning_offsets(partitions)
        self._log.warning("messages_missed", partitions=[str(p) for p in partitions])
        for partition, begin in begins.items():
            self._next[partition] = begin
            consumer.seek(partition, begin)
        await self._missed()

    async def _deliver(self, records: Sequence[EventRecord]) -> None:
        try:
            await self._on_batch(records)
        except (KafkaError, OSError, Unavailable):
            raise
        except Exception:  # noqa: BLE001
            # An edge: without this, the reader would end and its owner become stale.
            self._log.exception("live_reader_failed", records=len(records))


def _record(item: Any) -> EventRecord:
    key = (item.key or b"").decode("utf-8", "replace")
    return EventRecord(item.topic, item.partition, item.offset, key, item.value or b"")
