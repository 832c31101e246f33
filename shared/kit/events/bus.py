"""The event log: say something, and read everything as it happens (aiokafka).

Workers that share work among processes are in `workers.py`. `MemoryBus` is the twin
for tests of handlers; what it promises is proven on the real broker too.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from shared.contracts.envelope import Envelope
from shared.contracts.errors import Unavailable
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
#: How often partitions that were added are looked for.
LOOK_SECONDS = 5.0
#: How long a read waits before the reader looks around; a message ends it at once.
WAIT_MS = 2000


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One message where it lies in the log."""

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
    """Where events go. A call returns when the log has the message."""

    async def publish(self, topic: str, key: str, value: bytes) -> None: ...

    async def publish_many(self, messages: Iterable[Message]) -> None: ...


class KafkaBus:
    """A Kafka producer; starts in the background, so that its broker may be away.

    Idempotent: what the client itself repeats is stored once, and in order. A batch
    that the log does not take in time is given up with its producer, so that nothing
    arrives late and behind what the caller says again.
    """

    def __init__(self, server: Server | str) -> None:
        self._server = Server.of(server)
        self._producer: AIOKafkaProducer | None = None
        #: For the embedded log, whose consumers wait for announcements.
        self._announcer: Announcer | None = None
        self._starting = asyncio.Lock()
        self._topics = TopicsCheck(self._server)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._give_up(self._producer)
        if self._announcer is not None:
            self._announcer.close()

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
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
                        able = await broker.Asking(producer.client).abilities()
                except (KafkaError, OSError, TimeoutError) as error:
                    await _end(producer)
                    raise Unavailable("The event log is not reachable") from error
                if not able.declares and self._announcer is None:
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
        """Send messages in order; Unavailable if the log does not take them all."""
        producer = await self._started()
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
            reason = str(error) or type(error).__name__
            raise Unavailable(
                f"The event log did not take the message: {reason}"
            ) from error

    async def check(self) -> None:
        """Raise Unavailable unless the broker answers and its topics fit."""
        producer = await self._started()
        try:
            await producer.client.fetch_all_metadata()
        except (KafkaError, OSError) as error:
            raise Unavailable("The event log does not answer") from error
        await self._topics()


async def _end(producer: AIOKafkaProducer) -> None:
    """Stop a producer, also one whose broker is away.

    Its own way to stop waits for what it holds to be taken, and an idempotent producer
    holds a message for ever.
    """
    if not await broker.end(producer.stop()):
        await broker.end(producer._sender.close())  # noqa: SLF001
        await broker.end(producer.client.close())


class MemoryBus:
    """The twin: remembers what was sent and hands it to subscribers at once."""

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
    """Reads topics whole, without a group: every process sees every message.

    From the end unless `from_start`. Follows the broker through restarts from where it
    was, and takes in partitions that are added. `on_gap` is called whenever messages
    may have been missed (reading began anew, or the log has dropped what was next):
    what was said then is the business of the owner's snapshot.
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
        self._asked: broker.Asking | None = None
        self._fit = TopicsCheck(self._server)
        #: What is read next, of every partition known.
        self._next: dict[TopicPartition, int] = {}
        self._log = logs.get_logger("bus")
        #: The last failure that was logged, since the reader last began to read.
        self._noted = ""
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
        if ended or self._asked is None or not self.reading.is_set():
            raise Unavailable("The event log is not being read")
        await self._asked.partitions(self._topics)
        await self._fit()

    async def _follow(self) -> None:
        passing = (KafkaError, OSError, Unavailable)
        await retry(self._follow_until_lost, BACKOFF, on=passing, note=self._note)

    async def _follow_until_lost(self) -> None:
        try:
            async with broker.asking(self._server) as asked:
                await self._follow_one(asked)
        except asyncio.CancelledError as error:
            if broker.is_cancelled_itself():
                raise
            raise Unavailable("cancelled by its client") from error
        finally:
            if self._asked is not None:
                self._noted = ""
            self._asked = None
            self.reading.clear()

    def _note(self, error: Exception, _: float) -> None:
        """Log a failure: a broker that is away for an hour once, not at every try."""
        reason = str(error) or type(error).__name__
        if reason != self._noted:
            self._log.warning("live_reader_lost", error=reason)
            self._noted = reason

    async def _follow_one(self, asked: broker.Asking) -> None:
        able = await asked.abilities()
        consumer = broker.make_consumer(
            self._server,
            able,
            group_id=None,
            enable_auto_commit=False,
            # Never moved in silence: what to do then is decided here.
            auto_offset_reset="none",
        )
        try:
            await consumer.start()
            self._asked = asked
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
        assert self._asked is not None  # noqa: S101 - narrows
        found = await self._asked.partitions(self._topics)
        return [TopicPartition(name, n) for name, ids in found.items() for n in ids]

    async def _take_up(self, consumer: AIOKafkaConsumer) -> None:
        """Read on from where this was; at first from the end, or the start."""
        partitions = await self._partitions()
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        known = bool(self._next)
        for partition in partitions:
            begin, end = begins[partition], ends[partition]
            # A partition that was added meanwhile has said nothing yet that was heard.
            new = begin if known or self._from_start else end
            following = self._next.get(partition, new)
            # A log that holds less than was read of it is another one: from its start.
            self._next[partition] = following if begin <= following <= end else begin
        self._seek(consumer)

    def _seek(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign(list(self._next))
        for partition, following in self._next.items():
            consumer.seek(partition, following)

    async def _take_in(self, consumer: AIOKafkaConsumer) -> None:
        """Read partitions that were added: from their start, so that none is missed."""
        added = [p for p in await self._partitions() if p not in self._next]
        if added:
            self._next |= await consumer.beginning_offsets(added)
            self._seek(consumer)
            self._log.info("partitions_added", partitions=[str(p) for p in added])

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        looked = time.monotonic()
        while True:
            if time.monotonic() - looked > LOOK_SECONDS:
                await self._take_in(consumer)
                looked = time.monotonic()
            try:
                found = await consumer.getmany(timeout_ms=WAIT_MS, max_records=1000)
            except OffsetOutOfRangeError as error:
                await self._dropped(consumer, list(error.args[0]))
                continue
            if found:
                await self._hand(
                    [_record(r) for items in found.values() for r in items]
                )
                for partition, items in found.items():
                    self._next[partition] = items[-1].offset + 1

    async def _dropped(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
    ) -> None:
        """The log no longer has what was next: go on with the oldest that it has."""
        begins = await consumer.beginning_offsets(partitions)
        self._log.warning("messages_missed", partitions=[str(p) for p in partitions])
        for partition, begin in begins.items():
            self._next[partition] = begin
            consumer.seek(partition, begin)
        await self._missed()

    async def _hand(self, records: Sequence[EventRecord]) -> None:
        try:
            await self._on_batch(records)
        except (KafkaError, OSError, Unavailable):
            raise
        except Exception:  # noqa: BLE001
            # One edge of the house: a reader that dies would go stale in silence.
            self._log.exception("live_reader_failed", records=len(records))


def _record(item: Any) -> EventRecord:
    key = (item.key or b"").decode("utf-8", "replace")
    return EventRecord(item.topic, item.partition, item.offset, key, item.value or b"")
