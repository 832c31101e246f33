"""The event log itself: what is said is read by everybody, through whatever happens."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.structs import TopicPartition

from shared.contracts.errors import TooLarge, Unavailable
from shared.kit.config.servers import Server
from shared.kit.events import broker, topics
from shared.kit.events.bus import EventRecord, KafkaBus, LiveReader
from tests.waiting import until


class Heard:
    """Keeps the keys of what was read, in order, and counts gaps."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.gaps = 0
        self.going = asyncio.Event()
        self.going.set()

    async def batch(self, records: Sequence[EventRecord]) -> None:
        await self.going.wait()
        self.keys.extend(record.key for record in records)

    async def gap(self) -> None:
        self.gaps += 1


@asynccontextmanager
async def admin(address: str) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=address)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


def new_topic() -> str:
    return f"bus-{time.time_ns()}"


async def test_published_messages_are_read_in_order(kafka: str) -> None:
    """A running reader gets every later message, in order within a key."""
    topic, heard = new_topic(), Heard()
    async with KafkaBus(kafka) as bus:
        await bus.publish(topic, "before", b"{}")
        async with LiveReader(kafka, [topic], heard.batch) as reader:
            await asyncio.wait_for(reader.reading.wait(), 20)
            await reader.check()
            messages = [(topic, f"k{n % 7}", str(n).encode()) for n in range(300)]
            await bus.publish_many(messages)
            await until(lambda: len(heard.keys) >= 300)
    assert "before" not in heard.keys
    assert len(heard.keys) == 300


async def test_a_reader_may_begin_at_the_start(kafka: str) -> None:
    """A reader from the start also reads earlier messages."""
    topic, heard = new_topic(), Heard()
    async with KafkaBus(kafka) as bus:
        await bus.publish_many([(topic, str(n), b"{}") for n in range(50)])
        async with LiveReader(kafka, [topic], heard.batch, from_start=True):
            await until(lambda: len(heard.keys) == 50)


async def test_a_failing_handler_does_not_stop_the_reader(kafka: str) -> None:
    """A failed batch is logged, and later messages are read."""
    topic, heard = new_topic(), Heard()

    async def batch(records: Sequence[EventRecord]) -> None:
        if any(record.key == "bad" for record in records):
            raise ValueError("cannot be shown")
        await heard.batch(records)

    async with KafkaBus(kafka) as bus, LiveReader(kafka, [topic], batch) as reader:
        await bus.publish(topic, "before", b"{}")
        await asyncio.wait_for(reader.reading.wait(), 20)
        await bus.publish(topic, "bad", b"{}")
        await bus.publish(topic, "good", b"{}")
        await bus.publish(topic, "later", b"{}")
        await until(lambda: "later" in heard.keys)


async def test_messages_are_redelivered_when_the_handler_was_unavailable(
    kafka: str,
) -> None:
    """A batch that the handler could not take is delivered again."""
    topic, heard, away = new_topic(), Heard(), [True]

    async def batch(records: Sequence[EventRecord]) -> None:
        if away and any(record.key == "one" for record in records):
            away.clear()
            raise Unavailable("the store is away")
        await heard.batch(records)

    async with KafkaBus(kafka) as bus, LiveReader(kafka, [topic], batch) as reader:
        await bus.publish(topic, "before", b"{}")
        await asyncio.wait_for(reader.reading.wait(), 20)
        await bus.publish(topic, "one", b"{}")
        await until(lambda: "one" in heard.keys)


async def test_a_large_event_is_published(kafka: str) -> None:
    """An event as large as a document fits into the event log."""
    topic = new_topic()
    if (await broker.abilities(Server(kafka))).declares:
        await topics.ensure(Server(kafka), [topics.Topic(topic)])
    sizes: list[int] = []

    async def batch(records: Sequence[EventRecord]) -> None:
        sizes.extend(len(record.value) for record in records)

    async with KafkaBus(kafka) as bus, LiveReader(kafka, [topic], batch) as reader:
        await bus.publish(topic, "before", b"{}")
        await asyncio.wait_for(reader.reading.wait(), 20)
        await bus.publish(topic, "large", bytes(10 * 1024 * 1024))
        await until(lambda: 10 * 1024 * 1024 in sizes)


async def test_an_event_over_the_limit_is_refused_for_good(kafka: str) -> None:
    """It is no failure that passes, and the bus goes on."""
    topic = new_topic()
    async with KafkaBus(kafka) as bus:
        with pytest.raises(TooLarge, match="at most 16777216 bytes"):
            await bus.publish(topic, "huge", b"x" * (topics.LARGEST_EVENT + 1))
        await bus.publish(topic, "next", b"{}")


async def test_added_partitions_are_read(servers: None, kafka: str) -> None:
    """A reader reads partitions that are added later from their start."""
    topic, heard = new_topic(), Heard()
    await topics.ensure(Server(kafka), [topics.Topic(topic, partitions=1)])
    async with (
        KafkaBus(kafka) as bus,
        LiveReader(kafka, [topic], heard.batch, on_gap=heard.gap) as reader,
    ):
        await asyncio.wait_for(reader.reading.wait(), 20)
        await bus.publish_many([(topic, f"a{n}", b"{}") for n in range(20)])
        async with admin(kafka) as client:
            await client.create_partitions({topic: NewPartitions(6)})
        async with KafkaBus(kafka) as other:
            await other.publish_many([(topic, f"b{n}", b"{}") for n in range(60)])
        await until(lambda: len(heard.keys) >= 80)
    assert sorted(heard.keys) == sorted([f"a{n}" for n in range(20)] + B_KEYS)
    assert heard.gaps == 1


B_KEYS = [f"b{n}" for n in range(60)]


async def test_a_gap_in_the_log_is_reported(servers: None, kafka: str) -> None:
    """A reader whose position has been deleted reports it, and goes on."""
    topic, heard = new_topic(), Heard()
    await topics.ensure(Server(kafka), [topics.Topic(topic, partitions=1)])
    async with (
        KafkaBus(kafka) as bus,
        LiveReader(kafka, [topic], heard.batch, on_gap=heard.gap) as reader,
    ):
        await asyncio.wait_for(reader.reading.wait(), 20)
        heard.going.clear()
        # More than a reader fetches ahead.
        for n in range(12):
            await bus.publish(topic, f"old{n}", bytes(900_000))
        async with admin(kafka) as client:
            all_of_it = {TopicPartition(topic, 0): RecordsToDelete(12)}
            await client.delete_records(all_of_it)
        heard.going.set()
        await until(lambda: heard.gaps == 2)
        await bus.publish(topic, "new", b"{}")
        await until(lambda: "new" in heard.keys)
    assert "old11" not in heard.keys


@pytest.mark.parametrize("secret", ["right", "wrong"])
async def test_tls_and_a_password_are_used_and_checked(
    secured_kafka: Server, secret: str
) -> None:
    """With the right password events pass; a wrong one is reported, not shown."""
    topic, heard, server = new_topic(), Heard(), secured_kafka
    if secret == "wrong":
        wrong = Server(server.address, server.user, "not-the-password", server.ca)
        with pytest.raises(Unavailable, match="refuses the user") as refused:
            await broker.abilities(wrong)
        assert "not-the-password" not in str(refused.value)
        return
    await topics.ensure(server, [topics.Topic(topic)])
    async with KafkaBus(server) as bus, LiveReader(server, [topic], heard.batch) as r:
        await asyncio.wait_for(r.reading.wait(), 20)
        await bus.publish(topic, "over tls", b"{}")
        await until(lambda: heard.keys == ["over tls"])


async def test_an_unknown_certificate_authority_is_reported(
    secured_kafka: Server,
) -> None:
    """A certificate of an unknown authority is refused, with the reason."""
    server = secured_kafka
    stranger = Server(server.address, server.user, server.password, tls=True)
    with pytest.raises(Unavailable, match="certificate is refused"):
        await broker.abilities(stranger)


@pytest.mark.parametrize(
    ("server", "message"),
    [
        (Server("nonsense"), "CALLBOARD_KAFKA: 'nonsense' is not host:port"),
        (Server("127.0.0.1:1"), "127.0.0.1:1 is not reachable"),
        (Server("h:1", "somebody"), "give both or none"),
    ],
)
async def test_a_wrong_address_is_reported(server: Server, message: str) -> None:
    """The error names what is wrong with the configuration."""
    with pytest.raises(Unavailable, match=message):
        await broker.abilities(server)
