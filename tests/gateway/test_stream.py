"""The live stream: who sees what, resuming, slow readers."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from services.gateway.model import Decision, Identity, LiveEvent
from services.gateway.stream import hub as hub_module
from services.gateway.stream.api import _frames
from services.gateway.stream.events import LiveFeed
from services.gateway.stream.hub import LiveHub
from shared.contracts.catalog import Cause, EntityUpdated, RelationTarget
from shared.contracts.entity import Entity
from shared.contracts.envelope import Envelope, Payload
from shared.contracts.errors import Unavailable
from shared.contracts.scaffolder import RunStarted
from shared.contracts.techdocs import SiteBuilt
from shared.kit.events.bus import EventRecord
from shared.kit.http.apps import sse_frame
from shared.kit.http.conditions import matches
from tests.builders import component

ANN = Identity("user:default/ann", "user", ("user:default/ann",))
BOB = Identity("user:default/bob", "user", ("user:default/bob",))
ROBOT = Identity("service:robot", "service")
HIDDEN = {
    "not": {
        "rule": "HAS_ANNOTATION",
        "params": {"annotation": "callboard.dev/visibility", "value": "restricted"},
    }
}
RESTRICTED = {"annotations": {"callboard.dev/visibility": "restricted"}}


class ReadPolicy:
    """People read all but restricted entities, and their own runs."""

    async def decision(self, *_: Any) -> Decision:
        return Decision("conditional", HIDDEN)


class NoGroups:
    """Everybody is alone."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    async def ownership(self, user_ref: str) -> tuple[str, ...]:
        return (user_ref,)

    def forget(self, entity_ref: str) -> None:
        self.forgotten.append(entity_ref)

    def forget_all(self) -> None:
        self.forgotten.append("*")


@pytest.fixture
def hub() -> LiveHub:
    return LiveHub(ReadPolicy(), NoGroups(), matches)


def changed(ref: str, entity: Any = None, *targets: str) -> LiveEvent:
    document = json.dumps({"data": {"entity": entity or component()}}).encode()
    return LiveEvent(
        "",
        "entity-changed",
        "callboard.entity.updated.v1",
        ref,
        document,
        frozenset((ref, *targets)),
    )


async def taken(stream: AsyncIterator[Any], count: int) -> list[Any]:
    async with asyncio.timeout(5):
        return [await anext(stream) for _ in range(count)]


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


class Catalog:
    """The catalog as far as the feed asks it."""

    def __init__(self) -> None:
        self.entity_of_docs: Entity | None = Entity(component())
        self.away = False

    async def entity(self, _: str) -> Any:
        if self.away:
            raise Unavailable("away")
        return self.entity_of_docs

    async def apply_conditions(self, *_: Any) -> list[bool]:
        return []


def record(payload: Payload, subject: str) -> EventRecord:
    envelope = Envelope.of(payload, source="/test", subject=subject)
    return EventRecord(payload.TOPIC, 0, 0, subject, envelope.to_bytes())


def updated(ref: str, entity: Any, **more: Any) -> EntityUpdated:
    return EntityUpdated(
        entity_ref=ref,
        revision=2,
        entity=entity,
        actor="user:default/ann",
        cause=Cause(kind="push"),
        **more,
    )


def built(ref: str) -> SiteBuilt:
    return SiteBuilt(entity_ref=ref, title="Docs", built_at="2026-01-01T00:00:00Z")


async def test_the_feed_reads_entities_from_event_payloads(hub) -> None:
    """Filters and the policy use the refs in the payload."""
    groups = NoGroups()
    feed = LiveFeed(hub, Catalog(), groups)
    added = [RelationTarget(type="hasMember", targetRef="user:default/New")]
    async with hub.subscribe(ROBOT) as stream:
        await feed.take(
            [
                record(
                    updated("group:default/a", component(), relations_added=added),
                    "group:default/a",
                ),
                record(built("component:default/web"), "component:default/web"),
                record(
                    RunStarted(
                        task_id="1",
                        template_ref="template:default/x",
                        created_by="user:default/ann",
                        status="processing",
                        sequence=1,
                    ),
                    "1",
                ),
            ]
        )
        group, docs, run = await taken(stream, 3)
    assert group.touches == {"group:default/a", "user:default/new"}
    assert groups.forgotten == ["group:default/a"]
    assert docs.entity == Entity(component())
    assert (run.owner, run.subject) == ("user:default/ann", "1")


async def test_a_gap_in_the_log_clears_memberships_and_resets_readers(hub) -> None:
    """Groups are requested again, and readers are told to read again."""
    groups = NoGroups()
    feed = LiveFeed(hub, Catalog(), groups)
    async with hub.subscribe(ROBOT) as stream:
        await feed.missed()
        assert await taken(stream, 1) == [None]
    assert groups.forgotten == ["*"]


async def test_a_deletion_event_follows_the_entitys_last_visibility(hub) -> None:
    """A reader who could not see the entity does not get its deletion."""
    deletion = {"data": {"entity": None, "previous": component("m", RESTRICTED)}}
    event = replace(changed("x:y/m"), document=json.dumps(deletion).encode())
    async with hub.subscribe(ANN) as stream:
        hub.publish(event)
        hub.publish(changed("component:default/open"))
        assert (await taken(stream, 1))[0].subject == "component:default/open"


async def test_the_feed_skips_malformed_messages(hub) -> None:
    """The stream goes on after a message that is no event."""
    feed = LiveFeed(hub, Catalog(), NoGroups())
    bad = [b"", b"{", b"[]", b'"x"', b'{"type": "x"}', b'{"type":1,"subject":"s"}']
    records = [EventRecord("entity-changed", 0, 0, "k", value) for value in bad]
    runs = b'{"type":"x","subject":"s","data":{}}'
    async with hub.subscribe(ROBOT) as stream:
        await feed.take([*records, EventRecord("template-run", 0, 0, "k", runs)])
        await feed.take([record(updated("x:y/z", component()), "x:y/z")])
        assert (await taken(stream, 1))[0].subject == "x:y/z"


async def test_a_site_event_follows_a_restriction_at_once(hub) -> None:
    """The feed tracks the entities of the sites that it has published."""
    feed = LiveFeed(hub, Catalog(), NoGroups())
    ref = "component:default/web"
    async with hub.subscribe(ROBOT) as stream:
        await feed.take([record(built(ref), ref)])
        secret = component("web", RESTRICTED)
        await feed.take([record(updated(ref, secret), ref), record(built(ref), ref)])
        first, _, last = await taken(stream, 3)
    assert first.entity == Entity(component())
    assert last.entity == Entity(secret)


async def test_site_events_of_unknown_entities_are_for_services(hub) -> None:
    """While the catalog is away, nobody's right to see it is known."""
    catalog = Catalog()
    catalog.away = True
    feed = LiveFeed(hub, catalog, NoGroups())
    async with hub.subscribe(ROBOT) as stream:
        await feed.take([record(built("component:d/web"), "component:d/web")])
        assert (await taken(stream, 1))[0].entity is None


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
