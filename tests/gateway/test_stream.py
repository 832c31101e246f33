"""The live stream: who sees what, resuming, slow readers."""

import asyncio
import json
from dataclasses import replace

import pytest

from services.gateway.model import LiveEvent
from services.gateway.stream import hub as hub_module
from services.gateway.stream.api import _frames
from services.gateway.stream.hub import LiveHub
from shared.contracts.entity import Entity
from shared.kit.http.apps import sse_frame
from shared.kit.http.conditions import matches
from tests.builders import component
from tests.gateway.live_events import (
    ANN,
    BOB,
    RESTRICTED,
    ROBOT,
    NoGroups,
    ReadPolicy,
    changed,
    taken,
)


@pytest.fixture
def hub() -> LiveHub:
    return LiveHub(ReadPolicy(), NoGroups(), matches)


async def test_readers_get_the_events_after_they_connect(hub) -> None:
    """In order, each with a position of its own."""
    hub.publish(changed("component:default/before"))
    async with hub.subscribe(ANN) as stream:
        hub.publish(changed("component:default/a"))
        hub.publish(changed("component:default/b"))
        events = await taken(stream, 2)
    assert [event.subject[-1] for event in events] == ["a", "b"]
    assert events[1].position == hub.position()
    assert hub.readers == 0


async def test_a_reader_resumes_after_a_position(hub) -> None:
    """No event is repeated and none is missed."""
    hub.publish(changed("component:default/a"))
    start = hub.position()
    hub.publish(changed("component:default/b"))
    async with hub.subscribe(ANN, after=start) as stream:
        hub.publish(changed("component:default/c"))
        events = await taken(stream, 2)
    assert [event.subject[-1] for event in events] == ["b", "c"]


@pytest.mark.parametrize(
    "after", ["elsewhere-3", "nonsense", "{epoch}-99", "{epoch}-x"]
)
async def test_an_unknown_position_resets_the_reader(hub, after) -> None:
    """A position of another process, or an invented one."""
    epoch = hub.position().rpartition("-")[0]
    async with hub.subscribe(ANN, after=after.format(epoch=epoch)) as stream:
        assert await taken(stream, 1) == [None]


async def test_an_expired_position_resets_the_reader(hub, monkeypatch) -> None:
    """The memory for events is limited."""
    monkeypatch.setattr(hub_module, "STORED_EVENTS", 3)
    start = hub.position()
    for number in range(5):
        hub.publish(changed(f"component:default/{number}"))
    async with hub.subscribe(ANN, after=start) as stream:
        assert await taken(stream, 1) == [None]


async def test_missed_events_reset_every_reader(hub) -> None:
    """Positions from before the gap become invalid."""
    hub.publish(changed("component:default/a"))
    before = hub.position()
    async with hub.subscribe(ANN) as stream:
        await hub.missed()
        assert await taken(stream, 1) == [None]
    async with hub.subscribe(ANN, after=before) as stream:
        assert await taken(stream, 1) == [None]


async def test_a_slow_reader_is_disconnected_and_can_resume(hub) -> None:
    """Its stream ends; resuming after its last position delivers the rest."""
    async with hub.subscribe(ANN) as stream:
        hub.publish(changed("component:default/first"))
        (first,) = await taken(stream, 1)
        for number in range(hub_module.QUEUE_SIZE + 1):
            hub.publish(changed(f"component:default/{number}"))
        with pytest.raises(StopAsyncIteration):
            await taken(stream, 1)
    async with hub.subscribe(ANN, after=first.position) as stream:
        events = await taken(stream, hub_module.QUEUE_SIZE + 1)
    assert events[0].subject == "component:default/0"


async def test_a_stream_ends_after_its_lifetime() -> None:
    """Then its reader must authenticate again."""
    hub = LiveHub(ReadPolicy(), NoGroups(), matches, life_seconds=0.01)
    async with hub.subscribe(ANN) as stream, asyncio.timeout(5):
        assert [event async for event in stream] == []


async def test_events_are_filtered_by_topic_and_entity(hub) -> None:
    """By topic, and by an entity that the event is about or touches."""
    async with (
        hub.subscribe(ANN, entity="component:default/a") as about,
        hub.subscribe(ANN, topics=["docs-built"]) as docs,
    ):
        hub.publish(changed("component:default/x"))
        hub.publish(changed("component:default/y", None, "component:default/a"))
        hub.publish(changed("component:default/a"))
        built = LiveEvent("", "docs-built", "t", "s", b"{}", entity=Entity(component()))
        hub.publish(built)
        assert [e.subject[-1] for e in await taken(about, 2)] == ["y", "a"]
        assert [e.topic for e in await taken(docs, 1)] == ["docs-built"]


async def test_restricted_entities_are_invisible(hub) -> None:
    """Also when only their documentation was built, or nobody knows the entity."""
    async with hub.subscribe(ANN) as person, hub.subscribe(ROBOT) as service:
        hub.publish(changed("component:default/m", component("m", RESTRICTED)))
        unknown = LiveEvent("", "docs-built", "t", "component:default/u", b"{}")
        hub.publish(unknown)
        hub.publish(changed("component:default/open"))
        assert [e.subject[-4:] for e in await taken(person, 1)] == ["open"]
        assert len(await taken(service, 3)) == 3


async def test_an_opened_entity_tells_nothing_of_its_restricted_state(hub) -> None:
    """Removed fields and relations stay untold; services get the whole event."""
    opened = component("a", {"annotations": {"x.example/kept": "1"}})
    names = ["metadata.annotations.x.example/kept", "spec.type"]
    removed = ["metadata.annotations.x.example/s-key", "metadata.s", "spec.s.x", "s.y"]
    target = {"type": "dependsOn", "targetRef": "resource:default/s"}
    data = {
        "entity": opened,
        "changed": names + removed,
        "relations_removed": [target],
    }
    event = replace(
        changed("component:default/a"), document=json.dumps({"data": data}).encode()
    )
    async with hub.subscribe(ANN) as person, hub.subscribe(ROBOT) as service:
        hub.publish(event)
        [for_person], [for_service] = await taken(person, 1), await taken(service, 1)
    around = ["metadata.annotations", "metadata", "spec"]
    assert for_person.data()["changed"] == names + around
    assert for_person.data()["relations_removed"] == []
    assert for_service.data() == data


async def test_a_filter_tells_nothing_of_a_restricted_state(hub) -> None:
    """An entity that a change ceases to relate to filters it for services alone."""
    target = "resource:default/s"
    former = replace(changed("component:default/a"), former_targets=frozenset({target}))
    async with (
        hub.subscribe(ANN, entity=target) as person,
        hub.subscribe(ROBOT, entity=target) as service,
    ):
        hub.publish(former)
        hub.publish(changed(target))
        assert (await taken(person, 1))[0].subject == target
        assert (await taken(service, 1))[0].subject == former.subject


async def test_events_of_runs_are_for_their_creators(hub) -> None:
    """And for services."""
    run = LiveEvent("", "template-run", "t", "1", b"{}", owner="user:default/ann")
    async with (
        hub.subscribe(ANN) as hers,
        hub.subscribe(BOB) as his,
        hub.subscribe(ROBOT) as service,
    ):
        hub.publish(run)
        hub.publish(changed("component:default/open"))
        assert (await taken(hers, 1))[0].topic == "template-run"
        assert (await taken(his, 1))[0].topic == "entity-changed"
        assert (await taken(service, 1))[0].topic == "template-run"


async def test_push_events_are_for_services_only(hub) -> None:
    """They name repositories that a reader may not see."""
    async with hub.subscribe(ANN) as person, hub.subscribe(ROBOT) as service:
        hub.publish(LiveEvent("", "git-push", "t", "host/repo", b"{}"))
        hub.publish(changed("component:default/open"))
        assert (await taken(person, 1))[0].topic == "entity-changed"
        assert (await taken(service, 1))[0].topic == "git-push"


async def test_a_deletion_event_follows_the_entitys_last_visibility(hub) -> None:
    """A reader who could not see the entity does not get its deletion."""
    deletion = {"data": {"entity": None, "previous": component("m", RESTRICTED)}}
    event = replace(changed("x:y/m"), document=json.dumps(deletion).encode())
    async with hub.subscribe(ANN) as stream:
        hub.publish(event)
        hub.publish(changed("component:default/open"))
        assert (await taken(stream, 1))[0].subject == "component:default/open"


async def test_a_resumed_stream_hides_entities_restricted_since(hub) -> None:
    """An earlier state is not sent again, even if it was open to all."""
    ref = "component:default/x"
    hub.publish(changed("component:default/first"))
    start = hub.position()
    hub.publish(changed(ref, component("x")))
    hub.publish(changed(ref, component("x", RESTRICTED)))
    hub.publish(changed("component:default/last"))
    async with hub.subscribe(ANN, after=start) as stream:
        assert [e.subject[-4:] for e in await taken(stream, 1)] == ["last"]
    async with hub.subscribe(ROBOT, after=start) as stream:
        assert len(await taken(stream, 3)) == 3


@pytest.mark.parametrize(
    "after", ["x\n\ndata: forged", "0123456789ab-1\nid: 2", "-1", "é"]
)
async def test_a_position_cannot_inject_lines(hub, after) -> None:
    """The first block repeats a valid position only."""
    frames = _frames(hub, ANN, [], None, after)
    first = await anext(frames)
    assert first.decode().splitlines() == ["retry: 1000", f"id: {hub.position()}", ""]
    await frames.aclose()


def test_event_data_cannot_inject_lines() -> None:
    """Neither by its name nor by another line separator in its data."""
    with pytest.raises(ValueError, match="several lines"):
        sse_frame(data="x", event="a\rdata: b")
    assert (
        sse_frame(data="a\rid: 7\r\nb\nc")
        == b"data: a\ndata: id: 7\ndata: b\ndata: c\n\n"
    )
