"""The outbox on the real document store: everything stored is said, in order."""

import asyncio
from typing import Any

import pytest

from shared.contracts.errors import Unavailable
from shared.kit.events import outbox
from shared.kit.events.bus import MemoryBus
from shared.kit.events.outbox import (
    UNSENT,
    OutboxRelay,
    mark,
    pending_event,
    pending_fields,
    replace_old_marks,
)
from tests.shared.test_consumer_group import event
from tests.waiting import until


def document(name: str, *events: str) -> dict[str, Any]:
    pending = [pending_event("t", name, event(e)) for e in events]
    return {"_id": name, **pending_fields(pending)}


def pushing(more: list[dict[str, Any]]) -> dict[str, Any]:
    """An update that adds events to those that wait already."""
    return {"$push": {"pending": {"$each": more}}, "$set": {"unsent": mark(more)}}


async def test_pending_events_are_published_and_removed(database: Any) -> None:
    """After a drain the log has them and the documents do not."""
    bus = MemoryBus()
    await database.states.insert_many([document("a", "a1", "a2"), document("b", "b1")])
    relay = OutboxRelay(database.states, bus)
    assert await relay.depth() == 2
    assert await relay.drain() == 3
    assert [e.subject[-2:] for e in bus.envelopes() if "/a" in e.subject] == [
        "a1",
        "a2",
    ]
    assert await relay.depth() == 0
    assert await relay.drain() == 0


async def test_unpublished_events_are_not_removed(database: Any) -> None:
    """While the log is away the outbox fills, and is emptied afterwards."""
    bus = MemoryBus()
    bus.away = True
    await database.states.insert_one(document("a", "a1"))
    relay = OutboxRelay(database.states, bus)
    with pytest.raises(Unavailable):
        await relay.drain()
    assert await relay.depth() == 1
    bus.away = False
    assert await relay.drain() == 1


async def test_a_concurrent_write_keeps_its_pending_event(database: Any) -> None:
    """A document that is written during its relay is not cleared."""
    bus = MemoryBus()
    await database.states.insert_one(document("a", "a1"))

    async def meanwhile(_documents: Any) -> None:
        newer = document("a", "a1", "a2")
        await database.states.replace_one({"_id": "a"}, newer)

    relay = OutboxRelay(database.states, bus, before_publish=meanwhile)
    await relay._publish(await database.states.find(UNSENT).to_list(10))
    left = await database.states.find_one({"_id": "a"})
    assert len(left["pending"]) == 2
    assert await relay.depth() == 1


async def test_a_nudge_wakes_the_relay(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It publishes at once instead of at the next sweep."""
    monkeypatch.setattr(outbox, "SWEEP_SECONDS", 600)
    bus = MemoryBus()
    async with OutboxRelay(database.states, bus) as relay:
        await database.states.insert_one(document("a", "a1"))
        relay.nudge()
        await until(lambda: bus.sent)


async def test_events_added_by_push_are_published_once(
    database: Any,
) -> None:
    """`$push` may store an event in another form; it is removed all the same."""
    bus = MemoryBus()
    await database.states.insert_one(document("a", "a1"))
    more = document("a", "a2")["pending"]
    await database.states.update_one({"_id": "a"}, pushing(more))
    relay = OutboxRelay(database.states, bus)
    assert await relay.drain() == 2
    assert [envelope.subject[-2:] for envelope in bus.envelopes()] == ["a1", "a2"]
    assert await relay.depth() == 0


async def test_events_added_during_a_relay_stay_pending(database: Any) -> None:
    """An event that is added while others are published is not removed."""
    bus = MemoryBus()
    push = pushing(document("a", "a2")["pending"])
    await database.states.insert_one(document("a", "a1"))
    await database.states.update_one({"_id": "a"}, push)

    async def meanwhile(_documents: Any) -> None:
        more = pushing(document("a", "a3")["pending"])
        await database.states.update_one({"_id": "a"}, more)

    relay = OutboxRelay(database.states, bus, before_publish=meanwhile)
    await relay._publish(await database.states.find(UNSENT).to_list(10))
    left = await database.states.find_one({"_id": "a"})
    assert len(left["pending"]) == 3
    assert await relay.depth() == 1


async def test_concurrent_writers_and_relays_lose_nothing(database: Any) -> None:
    """Two relays and several writers of the same documents: all is published."""
    names, rounds, bus = [f"d{n}" for n in range(20)], 15, MemoryBus()
    states = database.states
    await states.insert_many([{**document(n, f"{n}-0"), "revision": 0} for n in names])
    relays = [OutboxRelay(states, bus) for _ in range(2)]
    ended = asyncio.Event()

    async def relay(one: OutboxRelay) -> None:
        while not ended.is_set():
            await one.drain()
            await asyncio.sleep(0)
        await one.drain()

    async def write(name: str) -> None:
        for number in range(1, rounds):
            while True:
                state = await states.find_one({"_id": name})
                [event_] = document(name, f"{name}-{number}")["pending"]
                newer = {
                    "revision": number,
                    **pending_fields([*state["pending"], event_]),
                }
                same = {"_id": name, "revision": number - 1}
                if (await states.replace_one(same, newer)).matched_count:
                    break

    relaying = [asyncio.create_task(relay(one)) for one in relays]
    await asyncio.gather(*(write(name) for name in names))
    ended.set()
    await asyncio.gather(*relaying)
    subjects = {envelope.subject for envelope in bus.envelopes()}
    assert len(subjects) == len(names) * rounds
    assert await relays[0].depth() == 0
    documents = await states.find({}).to_list(None)
    assert {state["revision"] for state in documents} == {rounds - 1}
    assert all(state["pending"] == [] and "unsent" not in state for state in documents)


async def test_documents_without_a_pending_mark_get_one(database: Any) -> None:
    """Once; a document without pending events gets none."""
    old = {**document("a", "a1"), "unsent": 1}
    await database.states.insert_many(
        [old, document("b", "b1"), {"_id": "c", "pending": [], "unsent": 1}]
    )
    before = await database.states.find_one({"_id": "b"})
    await replace_old_marks(database.states)
    await replace_old_marks(database.states)
    assert await database.states.find_one({"_id": "b"}) == before
    assert "unsent" not in await database.states.find_one({"_id": "c"})
    bus = MemoryBus()
    assert await OutboxRelay(database.states, bus).drain() == 2
    assert await database.states.find(UNSENT).to_list(None) == []
