"""A broker that dies and comes back: nothing is lost, and the order is kept."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.engines import kafka as event_log
from deploy.engines.engine import Engine
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Unavailable
from shared.kit.config.servers import Server
from shared.kit.events import topics
from shared.kit.events.bus import EventRecord, KafkaBus, LiveReader
from shared.kit.events.consumer_group import GroupConsumer
from shared.kit.events.outbox import OutboxRelay, mark, pending_event
from tests.shared.test_consumer_group import event
from tests.waiting import until

TOPIC = "entity-changed"
KEYS = 20


class Broker:
    """A Kafka of this test's own, to be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "kafka"
        self.log = folder / "kafka.log"
        self.engine: Engine = self.start()
        self.address = self.engine.address

    def start(self) -> Engine:
        self.engine = event_log.start(self.folder, self.log)
        return self.engine

    def kill(self) -> None:
        self.engine.process.kill()
        self.engine.process.wait()
        self.engine.stop()


@pytest.fixture
def broker(servers: None, data: Path) -> Iterator[Broker]:
    log_broker = Broker(data)
    asyncio.run(topics.ensure(Server(log_broker.address)))
    yield log_broker
    log_broker.engine.stop()


class State:
    """Documents with events, as a service writes them."""

    def __init__(self, table: Any) -> None:
        self.table = table
        self.stored_ids: dict[str, list[str]] = {}

    async def write(self, number: int) -> None:
        """One more event for each key, beside those that are still to be told."""
        for key in range(KEYS):
            name = f"k{key}"
            envelope = event(name).model_copy(update={"id": f"{number:04}"})
            pending = pending_event(TOPIC, envelope.subject, envelope)
            await self.table.update_one(
                {"_id": name},
                {
                    "$push": {"pending": {"$each": [pending]}},
                    "$set": {"unsent": mark([pending])},
                },
                upsert=True,
            )
            self.stored_ids.setdefault(envelope.subject, []).append(envelope.id)


class Followed:
    """What was heard of each key: the first time that each event came."""

    def __init__(self) -> None:
        self.heard: dict[str, list[str]] = {}

    def take(self, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            ids = self.heard.setdefault(envelope.subject, [])
            if envelope.id not in ids:
                ids.append(envelope.id)

    async def batch(self, records: Sequence[EventRecord]) -> None:
        self.take([record.envelope() for record in records])

    async def work(self, envelopes: Sequence[Envelope]) -> None:
        self.take(envelopes)


@pytest.mark.timeout(180)
async def test_pending_events_are_published_when_the_log_is_back(
    broker: Broker, database: Any
) -> None:
    """Meanwhile writes go on and readiness fails; then all arrive in order."""
    state, live, shared = State(database.states), Followed(), Followed()
    async with (
        KafkaBus(broker.address) as bus,
        OutboxRelay(database.states, bus) as relay,
        LiveReader(broker.address, [TOPIC], live.batch) as reader,
        GroupConsumer("away", broker.address, {TOPIC: shared.work}, bus) as work,
    ):
        await asyncio.wait_for(reader.reading.wait(), 30)
        await asyncio.wait_for(work.joined.wait(), 30)
        await state.write(1)
        relay.nudge()
        await until(lambda: live.heard == state.stored_ids == shared.heard, "first")
        for check in (bus.check, reader.check, work.check):
            await check()

        await asyncio.to_thread(broker.kill)
        for number in range(2, 5):
            await state.write(number)
            relay.nudge()
        assert await relay.depth() == KEYS
        for check in (bus.check, reader.check, work.check):
            with pytest.raises(Unavailable):
                await check()

        await asyncio.to_thread(broker.start)
        back = time.monotonic()
        await state.write(5)
        await until(lambda: live.heard == state.stored_ids, "all is read")
        await until(lambda: shared.heard == state.stored_ids, "all is handled")
        assert time.monotonic() - back < 30
        assert await relay.depth() == 0
        for check in (bus.check, reader.check, work.check):
            await until(lambda c=check: _passes(c), "ready again")


async def _passes(check: Any) -> bool:
    try:
        await check()
    except Unavailable:
        return False
    return True


async def test_a_failed_message_is_not_sent_later(
    broker: Broker,
) -> None:
    """A message that was given up does not arrive late, behind newer ones."""
    heard: list[str] = []

    async def batch(records: Sequence[EventRecord]) -> None:
        heard.extend(record.value.decode() for record in records)

    async with KafkaBus(broker.address) as bus:
        await bus.publish(TOPIC, "k", b"first")
        await asyncio.to_thread(broker.kill)
        with pytest.raises(Unavailable):
            await bus.publish(TOPIC, "k", b"given up")
        await asyncio.to_thread(broker.start)
        await bus.publish(TOPIC, "k", b"last")
        async with LiveReader(broker.address, [TOPIC], batch, from_start=True):
            await until(lambda: "last" in heard)
    assert heard == ["first", "last"]
