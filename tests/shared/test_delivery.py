"""Batches of messages reach their handler, and poison the dead letters."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.topics import dead
from shared.kit.events.bus import MemoryBus
from shared.kit.events.delivery import BatchDelivery, DeliveryStopped, Handler
from tests.shared.test_consumer_group import event, figure


async def deliver(
    bus: MemoryBus, handler: Handler, values: Sequence[bytes], *, tries: int = 5
) -> None:
    delivery = BatchDelivery("group", bus, tries=tries, stopped=asyncio.Event())
    await delivery.deliver("t", handler, [("k", value) for value in values])


async def test_a_message_that_is_no_event_goes_to_the_dead_letters() -> None:
    """A malformed message is stored with the reason, and the next one is handled."""
    bus, subjects = MemoryBus(), []

    async def handle(batch: Sequence[Envelope]) -> None:
        subjects.extend(envelope.subject for envelope in batch)

    await deliver(bus, handle, [b"{not json", event("web").to_bytes()])
    assert subjects == ["component:default/web"]
    assert [topic for topic, _, _ in bus.sent] == [dead("t")]
    assert b"InputError" in bus.sent[0][2]


async def test_only_the_failing_message_becomes_a_dead_letter() -> None:
    """A batch with one bad message is handled one by one; the others take effect."""
    bus, subjects = MemoryBus(), []

    async def handle(batch: Sequence[Envelope]) -> None:
        if any("bad" in envelope.subject for envelope in batch):
            raise Invalid("kind: unknown")
        subjects.extend(envelope.subject for envelope in batch)

    values = [event(name).to_bytes() for name in ("one", "bad", "two")]
    await deliver(bus, handle, values)
    assert subjects == ["component:default/one", "component:default/two"]
    assert len(bus.sent) == 1


async def test_a_message_is_retried_while_a_dependency_is_unavailable() -> None:
    """It is never a dead letter for that: the message is not at fault."""
    bus, tries = MemoryBus(), []

    async def handle(batch: Sequence[Envelope]) -> None:
        tries.append(len(batch))
        if len(tries) < 3:
            raise Unavailable("the store is away")

    await deliver(bus, handle, [event("web").to_bytes()], tries=1)
    assert len(tries) == 3
    assert bus.sent == []


async def test_dead_letters_are_counted() -> None:
    """Each dead letter counts for its consumer group and topic."""
    before = figure("callboard_dead_letters_total", group="group") or 0
    await deliver(MemoryBus(), _refuse, [b"{not json", event("web").to_bytes()])
    assert figure("callboard_dead_letters_total", group="group") == before + 2


async def _refuse(batch: Sequence[Envelope]) -> None:
    raise Invalid("never")


async def test_a_waiting_delivery_ends_when_it_is_stopped() -> None:
    """Its messages are left to the next reader, and are no dead letters."""
    bus, stopped, tried = MemoryBus(), asyncio.Event(), asyncio.Event()

    async def wait(batch: Sequence[Envelope]) -> None:
        tried.set()
        raise Unavailable("the store is away")

    delivery = BatchDelivery("group", bus, tries=1, stopped=stopped)
    items = [("k", event("web").to_bytes())]
    waiting = asyncio.create_task(delivery.deliver("t", wait, items))
    await tried.wait()
    stopped.set()
    with pytest.raises(DeliveryStopped):
        await waiting
    assert bus.sent == []
