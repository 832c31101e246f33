"""A consumer group on the real event log: joining, handing over, waiting, lag."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from prometheus_client import REGISTRY

from shared.contracts.catalog import Cause, EntityCreated
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Unavailable
from shared.kit.config.servers import Server
from shared.kit.events import membership
from shared.kit.events.assignment import Assignment
from shared.kit.events.bus import EventRecord, KafkaBus, LiveReader
from shared.kit.events.consumer_group import GroupConsumer
from tests.waiting import until


def event(name: str) -> Envelope:
    ref = f"component:default/{name}"
    cause = Cause(kind="registration", changed_at=datetime.now(UTC))
    payload = EntityCreated(entity_ref=ref, revision=1, actor="user:x/y", cause=cause)
    return Envelope.of(payload, source="/test", subject=ref)


async def test_messages_are_handled_and_read_live_at_once(kafka: str) -> None:
    """A published message is handled by the group, and read by every live reader."""
    topic, subjects, live = "work-arrives", [], []

    async def handle(batch: Sequence[Envelope]) -> None:
        subjects.extend(envelope.subject for envelope in batch)

    async def read(records: Sequence[EventRecord]) -> None:
        live.extend(record.key for record in records)

    async with KafkaBus(kafka) as bus, LiveReader(kafka, [topic], read) as reader:
        await bus.publish(topic, "warm", event("warm").to_bytes())
        await asyncio.wait_for(reader.reading.wait(), 10)
        async with GroupConsumer("group-a", kafka, {topic: handle}, bus):
            await bus.publish(topic, "k", event("web").to_bytes())
            await until(lambda: "component:default/web" in subjects)
            await until(lambda: "k" in live)


async def test_an_interrupted_message_is_handled_by_the_next_owner(kafka: str) -> None:
    """A cancelled handler leaves its message to the next owner."""
    topic, started, subjects = "work-cut-off", asyncio.Event(), list[str]()

    async def never(batch: Sequence[Envelope]) -> None:
        started.set()
        await asyncio.Event().wait()

    async def handle(batch: Sequence[Envelope]) -> None:
        subjects.extend(envelope.subject for envelope in batch)

    async with KafkaBus(kafka) as bus:
        await bus.publish(topic, "k", event("web").to_bytes())
        async with GroupConsumer("cut-off", kafka, {topic: never}, bus):
            await asyncio.wait_for(started.wait(), 20)
        async with GroupConsumer("cut-off", kafka, {topic: handle}, bus):
            await until(lambda: subjects == ["component:default/web"])


async def test_a_waiting_consumer_leaves_the_group_at_once(kafka: str) -> None:
    """A consumer that waits for an unavailable service leaves without delay."""
    topic, started, subjects = "work-waiting", asyncio.Event(), list[str]()

    async def away(batch: Sequence[Envelope]) -> None:
        started.set()
        raise Unavailable("the store is away")

    async def handle(batch: Sequence[Envelope]) -> None:
        subjects.extend(envelope.subject for envelope in batch)

    async with KafkaBus(kafka) as bus:
        await bus.publish(topic, "k", event("web").to_bytes())
        async with GroupConsumer("waiting", kafka, {topic: away}, bus):
            await asyncio.wait_for(started.wait(), 20)
        assert bus_is_quiet(topic)
        async with GroupConsumer("waiting", kafka, {topic: handle}, bus):
            await until(lambda: subjects == ["component:default/web"])


def bus_is_quiet(topic: str) -> bool:
    """Whether nothing of a topic was put aside."""
    return not figure("callboard_dead_letters_total", topic=topic)


def figure(name: str, **labels: str) -> float | None:
    """What a metric with these labels says, whatever its others."""
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


async def test_handled_messages_are_not_repeated_after_a_restart(kafka: str) -> None:
    """A consumer that leaves commits its offsets; the next one begins there."""
    topic, subjects = "work-restarted", list[str]()

    async def handle(batch: Sequence[Envelope]) -> None:
        subjects.extend(envelope.subject for envelope in batch)

    async with KafkaBus(kafka) as bus:
        for number in range(3):
            async with GroupConsumer("restarted", kafka, {topic: handle}, bus):
                await bus.publish(topic, "k", event(f"e{number}").to_bytes())
                await until(lambda n=number: f"component:default/e{n}" in subjects)
    assert subjects == [f"component:default/e{number}" for number in range(3)]


async def test_a_stop_during_a_commit_hands_the_partitions_over(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interrupted commit ends no thread, and keeps no partition."""
    topic, subjects, left = "work-cut-save", list[str](), list[str]()
    saving, revoking = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    leave, save = GroupCoordinator._maybe_leave_group, GroupCoordinator.commit_offsets

    async def handle(batch: Sequence[Envelope]) -> None:
        subjects.extend(envelope.subject for envelope in batch)

    async def first(batch: Sequence[Envelope]) -> None:
        monkeypatch.setattr(GroupCoordinator, "commit_offsets", stuck)

    async def stuck(*_: object) -> None:
        monkeypatch.setattr(GroupCoordinator, "commit_offsets", save)
        loop.call_soon_threadsafe(saving.set)
        await asyncio.Event().wait()

    async def leaving(coordinator: GroupCoordinator) -> None:
        await leave(coordinator)
        left.append(coordinator.group_id)

    monkeypatch.setattr(GroupCoordinator, "_maybe_leave_group", leaving)
    async with KafkaBus(kafka) as bus:
        async with GroupConsumer("cut-save", kafka, {topic: first}, bus) as work:
            end = Assignment.end

            async def end_it(assignment: Assignment, seconds: float) -> bool:
                revoking.set()
                return await end(assignment, seconds)

            await asyncio.wait_for(work.joined.wait(), 20)
            monkeypatch.setattr(Assignment, "end", end_it)
            await bus.publish(topic, "k", event("web").to_bytes())
            await asyncio.wait_for(saving.wait(), 20)
            second = GroupConsumer("cut-save", kafka, {topic: handle}, bus)
            await second.__aenter__()
            await asyncio.wait_for(revoking.wait(), 20)
        await until(lambda: left == ["cut-save"])
        # What the first one did may have been saved: the next one goes on behind it.
        await bus.publish(topic, "k", event("api").to_bytes())
        await until(lambda: "component:default/api" in subjects)
        await second.__aexit__()


async def test_a_waiting_topic_does_not_delay_another_topic(kafka: str) -> None:
    """Topics are handled concurrently."""
    stuck, other, started, subjects = (
        "beside-stuck",
        "beside-other",
        asyncio.Event(),
        [],
    )

    async def never(batch: Sequence[Envelope]) -> None:
        started.set()
        await asyncio.Event().wait()

    async def handle(batch: Sequence[Envelope]) -> None:
        subjects.extend(envelope.subject for envelope in batch)

    async with KafkaBus(kafka) as bus:
        for topic in (stuck, other):
            await bus.publish(topic, "k", event("web").to_bytes())
        async with GroupConsumer("beside", kafka, {stuck: never, other: handle}, bus):
            await asyncio.wait_for(started.wait(), 20)
            await bus.publish(other, "k", event("api").to_bytes())
            await until(lambda: "component:default/api" in subjects)


async def test_a_slow_handler_is_cancelled_at_a_rebalance(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group goes on, and the next owner handles the message."""
    monkeypatch.setattr(membership, "FINISH_SECONDS", 0.5)
    topic, started, cut, subjects = (
        "too-slow",
        asyncio.Event(),
        asyncio.Event(),
        set[str](),
    )

    async def slow(batch: Sequence[Envelope]) -> None:
        if cut.is_set():
            subjects.update(envelope.subject for envelope in batch)
            return
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    async def handle(batch: Sequence[Envelope]) -> None:
        subjects.update(envelope.subject for envelope in batch)

    async with KafkaBus(kafka) as bus, GroupConsumer("slow", kafka, {topic: slow}, bus):
        await bus.publish(topic, "k", event("web").to_bytes())
        await asyncio.wait_for(started.wait(), 20)
        async with GroupConsumer("slow", kafka, {topic: handle}, bus):
            await asyncio.wait_for(cut.wait(), 20)
            await until(lambda: subjects == {"component:default/web"})


async def test_a_topic_created_after_the_group_is_read_soon(kafka: str) -> None:
    """Its first message does not wait until the consumers' metadata expires."""
    topic, started = "work-made-late", asyncio.Event()

    async def handle(batch: Sequence[Envelope]) -> None:
        started.set()

    async with (
        KafkaBus(kafka) as bus,
        GroupConsumer("early", kafka, {topic: handle}, bus) as work,
    ):
        await asyncio.wait_for(work.joined.wait(), 20)
        await bus.publish(topic, "k", event("web").to_bytes())
        await asyncio.wait_for(started.wait(), 15)


async def test_the_lag_is_measured(kafka: str) -> None:
    """Messages not handled yet are counted, also while a handler is stuck."""
    topic, going = "work-lag", asyncio.Event()

    async def handle(batch: Sequence[Envelope]) -> None:
        await going.wait()

    def lag() -> float | None:
        return figure("callboard_consumer_lag", group="lagging", topic=topic)

    async with KafkaBus(kafka) as bus:
        await bus.publish_many(
            [(topic, f"k{n}", event(f"e{n}").to_bytes()) for n in range(30)]
        )
        async with GroupConsumer("lagging", kafka, {topic: handle}, bus):
            await until(lambda: lag() == 30)
            going.set()
            await until(lambda: lag() == 0)


async def test_consumers_connect_over_tls_with_a_password(
    secured_kafka: Server,
) -> None:
    """Consumers authenticate with user and password like any other client."""
    topic, subjects = "work-secured", list[str]()

    async def handle(batch: Sequence[Envelope]) -> None:
        subjects.extend(envelope.subject for envelope in batch)

    async with (
        KafkaBus(secured_kafka) as bus,
        GroupConsumer("secured", secured_kafka, {topic: handle}, bus),
    ):
        await bus.publish(topic, "k", event("web").to_bytes())
        await until(lambda: subjects == ["component:default/web"])
