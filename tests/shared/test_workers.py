"""Shared work on the real event log: batches, dead letters, waiting."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from shared.contracts.catalog import Cause, EntityCreated
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.topics import dead
from shared.kit.bus import KafkaBus, LiveReader, MemoryBus, Record
from shared.kit.workers import SharedWork
from tests.waiting import until


def event(name: str) -> Envelope:
    ref = f"component:default/{name}"
    cause = Cause(kind="registration", changed_at=datetime.now(UTC))
    payload = EntityCreated(entity_ref=ref, revision=1, actor="user:x/y", cause=cause)
    return Envelope.of(payload, source="/test", subject=ref)


async def test_work_arrives_on_the_real_log_within_moments(kafka: str) -> None:
    """What is published is handled by the group, and read live by everybody."""
    topic, seen, live = "work-arrives", [], []

    async def handle(batch: Sequence[Envelope]) -> None:
        seen.extend(envelope.subject for envelope in batch)

    async def read(records: Sequence[Record]) -> None:
        live.extend(record.key for record in records)

    async with KafkaBus(kafka) as bus, LiveReader(kafka, [topic], read) as reader:
        await bus.publish(topic, "warm", event("warm").to_bytes())
        await asyncio.wait_for(reader.reading.wait(), 10)
        async with SharedWork("group-a", kafka, {topic: handle}, bus):
            await bus.publish(topic, "k", event("web").to_bytes())
            await until(lambda: "component:default/web" in seen, 20)
            await until(lambda: "k" in live)


async def test_a_message_that_is_no_event_goes_to_the_dead_letters() -> None:
    """Poison is put aside with the reason, and what lies behind it is handled."""
    bus, seen = MemoryBus(), []

    async def handle(batch: Sequence[Envelope]) -> None:
        seen.extend(envelope.subject for envelope in batch)

    work = SharedWork("g", "nowhere:1", {}, bus)
    await work.handle("t", handle, [b"{not json", event("web").to_bytes()])
    assert seen == ["component:default/web"]
    assert [topic for topic, _, _ in bus.sent] == [dead("t")]
    assert b"InputError" in bus.sent[0][2]


async def test_only_the_message_that_fails_is_buried() -> None:
    """A batch with one bad message is handled one by one; the good ones take effect."""
    bus, seen = MemoryBus(), []

    async def handle(batch: Sequence[Envelope]) -> None:
        if any("bad" in envelope.subject for envelope in batch):
            raise Invalid("kind: unknown")
        seen.extend(envelope.subject for envelope in batch)

    work = SharedWork("g", "nowhere:1", {}, bus)
    values = [event(name).to_bytes() for name in ("one", "bad", "two")]
    await work.handle("t", handle, values)
    assert seen == ["component:default/one", "component:default/two"]
    assert len(bus.sent) == 1


async def test_work_waits_while_something_it_needs_is_away() -> None:
    """Unavailable is no fault of a message: it is tried again and never buried."""
    bus, tries = MemoryBus(), []

    async def handle(batch: Sequence[Envelope]) -> None:
        tries.append(len(batch))
        if len(tries) < 3:
            raise Unavailable("the store is away")

    work = SharedWork("g", "nowhere:1", {}, bus, tries=1)
    await work.handle("t", handle, [event("web").to_bytes()])
    assert len(tries) == 3
    assert bus.sent == []
