"""The live feed: what it makes of records of the log."""

from typing import Any

import pytest

from services.gateway.stream.events import LiveFeed
from services.gateway.stream.hub import LiveHub
from shared.contracts.catalog import (
    Cause,
    EntityDeleted,
    EntityUpdated,
    RelationTarget,
)
from shared.contracts.entity import Entity
from shared.contracts.envelope import Envelope, Payload
from shared.contracts.errors import Unavailable
from shared.contracts.scaffolder import RunStarted
from shared.contracts.techdocs import SiteBuilt
from shared.kit.events.bus import EventRecord
from shared.kit.http.conditions import matches
from tests.builders import component
from tests.gateway.live_events import (
    RESTRICTED,
    ROBOT,
    NoGroups,
    ReadPolicy,
    taken,
)


@pytest.fixture
def hub() -> LiveHub:
    return LiveHub(ReadPolicy(), NoGroups(), matches)


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


@pytest.mark.parametrize("kind", [EntityUpdated, EntityDeleted])
async def test_a_removed_relation_touches_with_a_deletion_alone(hub, kind) -> None:
    """Whoever sees a deletion saw the last state of the entity."""
    target = "user:default/new"
    removed = [RelationTarget(type="hasMember", targetRef=target)]
    entity = component() if kind is EntityUpdated else None
    change = updated("group:default/a", entity, relations_removed=removed)
    async with hub.subscribe(ROBOT) as stream:
        event = record(kind(**change.model_dump()), "group:default/a")
        await LiveFeed(hub, Catalog(), NoGroups()).take([event])
        [got] = await taken(stream, 1)
    assert got.former_targets == {target}
    assert (target in got.touches) == (kind is EntityDeleted)


async def test_a_gap_in_the_log_clears_memberships_and_resets_readers(hub) -> None:
    """Groups are requested again, and readers are told to read again."""
    groups = NoGroups()
    feed = LiveFeed(hub, Catalog(), groups)
    async with hub.subscribe(ROBOT) as stream:
        await feed.missed()
        assert await taken(stream, 1) == [None]
    assert groups.forgotten == ["*"]


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
