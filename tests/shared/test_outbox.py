"""The outbox on the real document store: everything stored is said, in order."""

from typing import Any

import pytest

from shared.contracts.errors import Unavailable
from shared.kit.bus import MemoryBus
from shared.kit.outbox import Relay, pending_event
from tests.shared.test_workers import event
from tests.waiting import until


def document(name: str, *events: str) -> dict[str, Any]:
    pending = [pending_event("t", name, event(e)) for e in events]
    return {"_id": name, "pending": pending, "unsent": 1}


async def test_pending_events_are_published_and_removed(database: Any) -> None:
    """After a drain the log has them and the documents do not."""
    bus = MemoryBus()
    await database.states.insert_many([document("a", "a1", "a2"), document("b", "b1")])
    relay = Relay(database.states, bus)
    assert await relay.depth() == 2
    assert await relay.drain() == 3
    assert [e.subject[-2:] for e in bus.envelopes() if "/a" in e.subject] == [
        "a1",
        "a2",
    ]
    assert await relay.depth() == 0
    assert await relay.drain() == 0


async def test_nothing_is_removed_that_was_not_published(database: Any) -> None:
    """While the log is away the outbox fills, and is emptied afterwards."""
    bus = MemoryBus()
    bus.away = True
    await database.states.insert_one(document("a", "a1"))
    relay = Relay(database.states, bus)
    with pytest.raises(Unavailable):
        await relay.drain()
    assert await relay.depth() == 1
    bus.away = False
    assert await relay.drain() == 1


async def test_a_write_in_between_keeps_its_event(database: Any) -> None:
    """A document written while its events were being published is not cleared."""
    bus = MemoryBus()
    await database.states.insert_one(document("a", "a1"))

    async def meanwhile(_documents: Any) -> None:
        newer = document("a", "a1", "a2")
        await database.states.replace_one({"_id": "a"}, newer)

    await Relay(database.states, bus, before_publish=meanwhile)._publish(
        await database.states.find({"unsent": 1}).to_list(10)
    )
    left = await database.states.find_one({"_id": "a"})
    assert len(left["pending"]) == 2
    assert left["unsent"] == 1


async def test_the_relay_wakes_when_told(database: Any) -> None:
    """A nudge publishes at once instead of at the next sweep."""
    bus = MemoryBus()
    async with Relay(database.states, bus) as relay:
        await database.states.insert_one(document("a", "a1"))
        relay.nudge()
        await until(lambda: bus.sent, seconds=1.5)


async def test_events_that_were_pushed_onto_others_are_published_once(
    database: Any,
) -> None:
    """`$push` may store an event in another form; it is said, and removed, the same."""
    bus = MemoryBus()
    await database.states.insert_one(document("a", "a1"))
    more = document("a", "a2")["pending"]
    await database.states.update_one(
        {"_id": "a"}, {"$push": {"pending": {"$each": more}}}
    )
    relay = Relay(database.states, bus)
    assert await relay.drain() == 2
    assert [envelope.subject[-2:] for envelope in bus.envelopes()] == ["a1", "a2"]
    assert await relay.depth() == 0


async def test_what_is_pushed_in_between_is_kept(database: Any) -> None:
    """An event that joins the others while they are published is not removed."""
    bus = MemoryBus()
    push = {"$push": {"pending": {"$each": document("a", "a2")["pending"]}}}
    await database.states.insert_one(document("a", "a1"))
    await database.states.update_one({"_id": "a"}, push)

    async def meanwhile(_documents: Any) -> None:
        more = {"$each": document("a", "a3")["pending"]}
        await database.states.update_one({"_id": "a"}, {"$push": {"pending": more}})

    await Relay(database.states, bus, before_publish=meanwhile)._publish(
        await database.states.find({"unsent": 1}).to_list(10)
    )
    left = await database.states.find_one({"_id": "a"})
    assert len(left["pending"]) == 3
    assert left["unsent"] == 1
