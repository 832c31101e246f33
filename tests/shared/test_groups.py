"""Groups of processes that share a topic: joining, leaving and dying under load."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from shared.contracts.envelope import Envelope
from shared.kit.config.servers import Server
from shared.kit.events import topics
from shared.kit.events.bus import KafkaBus
from shared.kit.events.consumer_group import GroupConsumer
from tests.shared.test_consumer_group import event
from tests.waiting import until

KEYS = 40
#: Between the rounds of a talker.
PACE_SECONDS = 0.01
ROOT = Path(__file__).resolve().parents[2]


class Crew:
    """Members as processes, and what they wrote down."""

    def __init__(self, address: str, topic: str, folder: Path) -> None:
        self.address = address
        self.topic = topic
        self.folder = folder
        self.members: list[subprocess.Popen[bytes]] = []

    def hire(self) -> subprocess.Popen[bytes]:
        file = self.folder / f"{len(self.members)}.txt"
        file.touch()
        command = [sys.executable, "-m", "tests.shared.worker"]
        arguments = [self.address, f"crew-{self.topic}", self.topic, str(file)]
        with (self.folder / f"{len(self.members)}.log").open("wb") as log:
            member = subprocess.Popen(
                [*command, *arguments], cwd=ROOT, stdout=log, stderr=log
            )
        self.members.append(member)
        return member

    def lines(self, number: int) -> list[str]:
        return (self.folder / f"{number}.txt").read_text().splitlines()

    def done(self) -> list[tuple[str, str]]:
        """Every effect: the key and the number of its message."""
        return [
            (fields[0], fields[1])
            for number in range(len(self.members))
            for fields in map(str.split, self.lines(number))
            if len(fields) == 2
        ]

    async def joined(self, number: int) -> None:
        await until(lambda: "joined" in self.lines(number), "joined")


@pytest.fixture
def crew(servers: None, kafka: str, data: Path) -> Iterator[Crew]:
    topic = f"crew-{time.time_ns()}"
    group_crew = Crew(kafka, topic, data)
    yield group_crew
    for member in group_crew.members:
        if member.poll() is None:
            member.kill()
        member.wait()


class Load:
    """Publishes numbered messages of forty keys, round after round."""

    def __init__(self, bus: KafkaBus, topic: str) -> None:
        self.bus = bus
        self.topic = topic
        self.published: list[tuple[str, str]] = []
        self.rounds = 0

    async def round(self) -> None:
        self.rounds += 1
        messages = []
        for key in range(KEYS):
            envelope = event(f"k{key}").model_copy(update={"id": f"{self.rounds:06}"})
            messages.append((self.topic, envelope.subject, envelope.to_bytes()))
            self.published.append((envelope.subject, envelope.id))
        await self.bus.publish_many(messages)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.round()
            # The pace of a producer; nothing is waited for.
            await asyncio.sleep(PACE_SECONDS)


def in_order(effects: list[tuple[str, str]]) -> bool:
    """Whether each key's first effects came in the order of its messages."""
    newest: dict[str, str] = {}
    handled: set[tuple[str, str]] = set()
    for key, number in effects:
        if (key, number) in handled:
            continue
        handled.add((key, number))
        if number < newest.get(key, ""):
            return False
        newest[key] = number
    return True


async def make(address: str, topic: str) -> None:
    await topics.ensure(Server(address), [topics.Topic(topic)])


@pytest.mark.timeout(240)
async def test_consumers_join_and_leave_under_load(crew: Crew) -> None:
    """No message is lost or handled twice, and each key keeps its order."""
    await make(crew.address, crew.topic)
    async with KafkaBus(crew.address) as bus:
        load, stop = Load(bus, crew.topic), asyncio.Event()
        crew.hire()
        await crew.joined(0)
        running = asyncio.create_task(load.run(stop))
        await until(lambda: len(crew.done()) > 500, "some are done")
        for number in (1, 2):
            crew.hire()
            await crew.joined(number)
            at = len(crew.lines(number))
            await until(lambda n=number, a=at: len(crew.lines(n)) > a, "work")
        crew.members[0].send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(crew.members[0].wait, 20) == 0
        done = len(crew.done())
        await until(lambda: len(crew.done()) > done + 500, "the others go on")
        stop.set()
        await running
        await until(lambda: set(crew.done()) >= set(load.published), "all is done")
    effects = Counter(crew.done())
    twice = [effect for effect, times in effects.items() if times > 1]
    assert twice == []
    for number in range(3):
        pairs = [tuple(line.split()) for line in crew.lines(number)]
        assert in_order([(p[0], p[1]) for p in pairs if len(p) == 2])


async def test_a_killed_consumer_is_replaced_under_load(crew: Crew) -> None:
    """The other consumer handles the uncommitted messages, and none is lost."""
    await make(crew.address, crew.topic)
    async with KafkaBus(crew.address) as bus:
        load, stop = Load(bus, crew.topic), asyncio.Event()
        for number in (0, 1):
            crew.hire()
            await crew.joined(number)
        running = asyncio.create_task(load.run(stop))
        await until(lambda: min(len(crew.lines(n)) for n in (0, 1)) > 200, "both")
        os.kill(crew.members[0].pid, signal.SIGKILL)
        await asyncio.to_thread(crew.members[0].wait)
        stop.set()
        await running
        await until(lambda: set(crew.done()) >= set(load.published), "all is done")
    survivor = [tuple(line.split()) for line in crew.lines(1)]
    assert in_order([(p[0], p[1]) for p in survivor if len(p) == 2])


async def test_a_frozen_consumer_joins_again(crew: Crew) -> None:
    """A consumer that was taken for dead joins again and gets its share."""
    await make(crew.address, crew.topic)
    async with KafkaBus(crew.address) as bus:
        load = Load(bus, crew.topic)
        for number in (0, 1):
            crew.hire()
            await crew.joined(number)
        await load.round()
        await until(lambda: set(crew.done()) >= set(load.published), "first round")
        frozen = crew.members[0]
        frozen.send_signal(signal.SIGSTOP)
        await load.round()
        await until(lambda: set(crew.done()) >= set(load.published), "the other did it")
        frozen.send_signal(signal.SIGCONT)

        async def shares() -> bool:
            before = len(crew.lines(0))
            await load.round()
            await until(lambda: set(crew.done()) >= set(load.published), "a round")
            return len(crew.lines(0)) > before

        await until(shares, "the frozen one works again")


async def test_a_second_consumer_of_a_new_group_loses_nothing(
    servers: None, kafka: str
) -> None:
    """Partitions without a committed offset are read from their first message."""
    topic, counts = f"crew-{time.time_ns()}", Counter[str]()
    await make(kafka, topic)

    async def handle(batch: Sequence[Envelope]) -> None:
        counts.update(envelope.id for envelope in batch)

    async def said(bus: KafkaBus, numbers: range) -> None:
        for number in numbers:
            envelope = event(f"k{number}").model_copy(update={"id": str(number)})
            await bus.publish(topic, envelope.subject, envelope.to_bytes())

    async with (
        KafkaBus(kafka) as bus,
        GroupConsumer(topic, kafka, {topic: handle}, bus) as first,
    ):
        await asyncio.wait_for(first.joined.wait(), 30)
        await said(bus, range(1))
        for round_ in (1, 2):
            async with GroupConsumer(topic, kafka, {topic: handle}, bus) as second:
                await asyncio.wait_for(second.joined.wait(), 30)
                await said(bus, range(round_ * 40, round_ * 40 + 40))
                await until(lambda r=round_: len(counts) == 1 + 40 * r)
    assert set(counts.values()) == {1}
