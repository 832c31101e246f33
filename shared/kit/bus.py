"""The event log: say something, and read everything as it happens (aiokafka).

Workers that share work among processes are in `workers.py`. `MemoryBus` is the twin
for tests of handlers; what it promises is proven on the real broker too.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.contracts.envelope import Envelope
from shared.contracts.errors import Unavailable
from shared.kit import logs

Message = tuple[str, str, bytes]

#: The longest a broker may sit on a fetch. The embedded broker answers only when this
#: is over, so it is most of an event's delay there; a real one answers at once.
FETCH_WAIT_MS = 30
SEND_SECONDS = 10
RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Record:
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
    """A Kafka producer; starts in the background, so that its broker may be away."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._producer is not None:
            with contextlib.suppress(KafkaError):
                await self._producer.stop()
            self._producer = None

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    acks="all",
                    linger_ms=0,
                    request_timeout_ms=SEND_SECONDS * 1000,
                    max_request_size=4 * 1024 * 1024,
                )
                try:
                    await producer.start()
                except (KafkaError, OSError) as error:
                    await producer.stop()
                    raise Unavailable("The event log is not reachable") from error
                self._producer = producer
            return self._producer

    async def publish(self, topic: str, key: str, value: bytes) -> None:
        """Send one message; Unavailable if the log does not take it."""
        await self.publish_many([(topic, key, value)])

    async def publish_many(self, messages: Iterable[Message]) -> None:
        """Send messages in order; Unavailable if the log does not take them all."""
        producer = await self._started()
        try:
            sent = [
                await producer.send(topic, value, key=key.encode())
                for topic, key, value in messages
            ]
            if sent:
                await asyncio.wait_for(asyncio.gather(*sent), SEND_SECONDS)
        except (KafkaError, TimeoutError, OSError) as error:
            raise Unavailable("The event log did not take the message") from error

    async def check(self) -> None:
        """Raise Unavailable unless the broker answers."""
        producer = await self._started()
        try:
            await producer.client.fetch_all_metadata()
        except (KafkaError, OSError) as error:
            raise Unavailable("The event log does not answer") from error


class MemoryBus:
    """The twin: remembers what was sent and hands it to subscribers at once."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.away = False
        self._handlers: dict[str, list[Callable[[Record], Awaitable[None]]]] = {}

    def subscribe(
        self, topic: str, handler: Callable[[Record], Awaitable[None]]
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
            record = Record(topic, 0, len(self.sent) - 1, key, value)
            for handler in self._handlers.get(topic, ()):
                await handler(record)

    def envelopes(self, topic: str | None = None) -> list[Envelope]:
        """The events sent so far, of one topic or of all."""
        return [Envelope.parse(v) for t, _, v in self.sent if topic in (None, t)]


class LiveReader:
    """Reads topics whole, without a group: every process sees every message.

    From the end unless `from_start`. Follows the broker through restarts; what was
    said while it was away is the business of the owner's snapshot (`on_gap` is called
    whenever reading began anew and messages may have been missed).
    """

    def __init__(
        self,
        bootstrap: str,
        topics: Sequence[str],
        on_batch: Callable[[Sequence[Record]], Awaitable[None]],
        *,
        from_start: bool = False,
        on_gap: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._topics = tuple(topics)
        self._on_batch = on_batch
        self._from_start = from_start
        self._on_gap = on_gap
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger("bus")
        #: Set once the topics are assigned and positions are known.
        self.reading = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow(), name="live-reader")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def check(self) -> None:
        """Raise Unavailable unless the topics are being read."""
        if not self.reading.is_set() or self._task is None or self._task.done():
            raise Unavailable("The event log is not being read")

    async def _follow(self) -> None:
        while True:
            consumer = self._consumer()
            try:
                await consumer.start()
                await self._position(consumer)
                if self._on_gap is not None:
                    await self._on_gap()
                self.reading.set()
                await self._read(consumer)
            except (KafkaError, OSError, Unavailable) as error:
                self._log.warning("live_reader_lost", error=str(error))
                self.reading.clear()
            finally:
                with contextlib.suppress(KafkaError):
                    await consumer.stop()
            await asyncio.sleep(RETRY_SECONDS)

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            *self._topics,
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest" if self._from_start else "latest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=30_000,
        )

    async def _position(self, consumer: AIOKafkaConsumer) -> None:
        # Positions are taken now: a message sent after this returns will be read.
        await asyncio.gather(*(consumer.position(tp) for tp in consumer.assignment()))

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            found = await consumer.getmany(timeout_ms=500, max_records=1000)
            records = [_record(item) for items in found.values() for item in items]
            if not records:
                continue
            try:
                await self._on_batch(records)
            except (KafkaError, OSError, Unavailable):
                raise
            except Exception:  # noqa: BLE001
                # One edge of the house: a reader that dies would go stale in silence.
                self._log.exception("live_reader_failed", records=len(records))


def _record(item: Any) -> Record:
    key = (item.key or b"").decode("utf-8", "replace")
    return Record(item.topic, item.partition, item.offset, key, item.value or b"")
