"""A consumer of the embedded log fetches when a message has arrived, and rests else."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.kit.config.servers import Server
from shared.kit.events import announcements, broker
from shared.kit.events.announcements import AnnouncementRelay, Announcer, Listener
from shared.kit.events.bus import EventRecord, KafkaBus, LiveReader
from shared.kit.events.embedded_log import EmbeddedLogConsumer
from tests.conftest import SERVERS
from tests.waiting import until

pytestmark = pytest.mark.skipif(SERVERS, reason="Apache Kafka holds fetches itself")


@asynccontextmanager
async def consuming(address: str, topic: str) -> AsyncIterator[tuple[Any, list[float]]]:
    """A consumer at the end of a topic, and when it sent its fetches."""
    server = Server.of(address)
    able = await broker.abilities(server)
    consumer = broker.make_consumer(server, able, group_id=None)
    assert isinstance(consumer, EmbeddedLogConsumer)
    fetches: list[float] = []
    send = consumer._send

    async def counted(node: Any, request: Any, **options: Any) -> Any:
        if type(request).__name__ == "FetchRequest":
            fetches.append(time.monotonic())
        return await send(node, request, **options)

    consumer._send = counted
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, n) for n in range(4)])
        await consumer.seek_to_end()
        yield consumer, fetches
    finally:
        await consumer.stop()


async def test_an_idle_consumer_fetches_once_a_second(kafka: str) -> None:
    """Where nothing arrives, a consumer asks about once a second."""
    async with consuming(kafka, "docs-built") as (consumer, fetches):
        await until(lambda: consumer._listener.is_confirmed)
        await consumer.getmany(timeout_ms=1500)
        before = len(fetches)
        await consumer.getmany(timeout_ms=2000)
        assert len(fetches) - before <= 4


async def test_a_published_message_ends_the_pause(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An announcement triggers the next fetch before the end of the pause."""
    arrived: list[EventRecord] = []
    resting = asyncio.Event()
    wait = Listener.wait

    async def rest(listener: Listener, known_count: int) -> None:
        resting.set()
        await wait(listener, known_count)
        resting.clear()

    async def keep(records: Any) -> None:
        arrived.extend(records)

    monkeypatch.setattr(Listener, "wait", rest)
    bus = KafkaBus(kafka)
    async with bus, LiveReader(kafka, ["template-run"], keep) as reader:
        await reader.reading.wait()
        await bus.publish("template-run", "first", b"1")
        await until(lambda: len(arrived) >= 1)
        # A rest that is long beside what a busy machine takes for anything else.
        monkeypatch.setattr(announcements, "IDLE_SECONDS", 10.0)
        took = []
        for number in range(5):
            async with asyncio.timeout(20):
                await resting.wait()
            sent = time.monotonic()
            await bus.publish("template-run", "k", b"%d" % number)
            expected = number + 2
            await until(lambda n=expected: len(arrived) >= n)  # type: ignore[misc]
            took.append(time.monotonic() - sent)
        # Without announcements the median would be as long as a rest.
        assert sorted(took)[2] < announcements.IDLE_SECONDS / 4


async def test_a_backlog_is_read_without_announcements(kafka: str) -> None:
    """A fetch that brought something is followed by the next at once."""
    bus = KafkaBus(kafka)
    async with bus, consuming(kafka, "git-push") as (consumer, _):
        await consumer.seek_to_end()
        ends = sum((await consumer.end_offsets(consumer.assignment())).values())
        rows = [("git-push", f"k{n}", b"x" * 200_000) for n in range(40)]
        await bus.publish_many(rows)
        read = 0
        started = time.monotonic()
        while read < len(rows):
            batch = await consumer.getmany(timeout_ms=500)
            read += sum(map(len, batch.values()))
            assert time.monotonic() - started < 30
        after = sum((await consumer.end_offsets(consumer.assignment())).values())
        assert after - ends == len(rows)


@contextmanager
def relaying(address: str) -> Iterator[AnnouncementRelay]:
    """A relay of the test's own, in a thread."""
    relay, stop = AnnouncementRelay(address), Event()

    def serve() -> None:
        while not stop.is_set():
            relay.serve(0.05)

    thread = Thread(target=serve)
    thread.start()
    try:
        yield relay
    finally:
        stop.set()
        thread.join()
        relay.close()


async def test_without_a_relay_a_consumer_polls(
    unused_udp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without confirmation by a relay, a listener waits as long as one poll."""
    monkeypatch.setattr(announcements, "IDLE_SECONDS", 10.0)
    listener = Listener(f"127.0.0.1:{unused_udp_port}")
    await listener.open()
    started = time.monotonic()
    await listener.wait(listener.count)
    assert time.monotonic() - started < announcements.IDLE_SECONDS / 2
    assert not listener.is_confirmed
    listener.close()


async def test_announcements_reach_every_listener(unused_udp_port: int) -> None:
    """One announcement is passed on to all that registered."""
    address = f"127.0.0.1:{unused_udp_port}"
    with relaying(address):
        listeners = [Listener(address) for _ in range(3)]
        for listener in listeners:
            await listener.open()
        await until(lambda: all(item.is_confirmed for item in listeners))
        announcer = Announcer(address)
        announcer.announce()
        await until(lambda: all(item.count == 1 for item in listeners))
        announcer.close()
        for listener in listeners:
            listener.close()


async def test_announcements_of_a_burst_are_merged(unused_udp_port: int) -> None:
    """Announcements that follow each other at once are sent as one."""
    address = f"127.0.0.1:{unused_udp_port}"
    with relaying(address):
        listener = Listener(address)
        await listener.open()
        await until(lambda: listener.is_confirmed)
        announcer = Announcer(address)
        for _ in range(1000):
            announcer.announce()
        await until(lambda: listener.count >= 2)
        assert listener.count <= 10
        announcer.close()
        listener.close()


async def test_foreign_datagrams_are_ignored(unused_udp_port: int) -> None:
    """A relay accepts its own messages only, and a limited number of listeners."""
    address = f"127.0.0.1:{unused_udp_port}"
    with relaying(address) as relay:
        relay.MOST = 1  # type: ignore[misc]
        first, second = Listener(address), Listener(address)
        await first.open()
        await until(lambda: first.is_confirmed)
        await second.open()
        assert second._transport is not None
        second._transport.sendto(
            b"anything else, and longer than a datagram of ours" * 9
        )
        await second.wait(second.count)
        assert not second.is_confirmed
        assert first.count == 0
        first.close()
        second.close()
