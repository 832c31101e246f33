"""The store: state and event in one write, no gaps, and nobody overwrites."""

import asyncio
import dataclasses
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from services.catalog.model import (
    FileState,
    LocationRef,
    RepositoryPath,
    RootLocation,
    StoredChange,
    StoredEntity,
    StoredRelation,
)
from services.catalog.store.documents import root_document, stored_root
from services.catalog.store.entities import MongoEntityStore
from services.catalog.store.roots import MongoRootLocationStore
from shared.contracts.catalog import Cause, EntityCreated, EntityDeleted, EntityUpdated
from shared.contracts.entity import Entity
from shared.contracts.events import payload_of
from shared.kit.events.bus import MemoryBus
from shared.kit.events.outbox import UNSENT, OutboxRelay
from tests import builders

CAUSE = Cause(kind="refresh", location="url:https://x.example/a.yaml")
NOW = datetime.now(UTC)


def state(name: str = "web", **spec: Any) -> StoredEntity:
    odd = {"$text": "kept", "a.b": {"c/d": None}, "nul": "a\0b", "big": 2**62}
    entity = builders.component(name, {"uid": "u", "etag": "e"}, odd=odd, **spec)
    return StoredEntity(
        ref=f"component:default/{name}",
        uid="u",
        revision=0,
        entity=Entity(entity),
        relations=(StoredRelation("ownedBy", "group:default/team-a", "ownerOf"),),
        location="url:x",
        origin="url:y",
        location_key="url:x",
        created=NOW,
        updated=NOW,
        cause=CAUSE,
        parents=("location:default/l",),
    )


def change(before: StoredEntity | None, after: StoredEntity | None) -> StoredChange:
    state = before or after
    assert state is not None
    return StoredChange(state.ref, before, after, "user:default/ann", CAUSE)


@pytest.fixture
async def store(database: Any) -> MongoEntityStore:
    store = MongoEntityStore(database)
    await store.prepare()
    return store


async def told(store: MongoEntityStore) -> list[Any]:
    bus = MemoryBus()
    await OutboxRelay(
        store.collection, bus, before_publish=store.keep_revisions
    ).drain()
    return [payload_of(envelope) for envelope in bus.envelopes()]


async def test_any_entity_is_read_back_as_it_was_written(
    store: MongoEntityStore,
) -> None:
    """Also an entity with unusual keys and values."""
    written = await store.write([change(None, state())])
    [stored] = written.stored
    assert stored.revision == 1
    entities = await store.load([stored.ref, "component:default/never"])
    assert entities == {stored.ref: stored}
    assert [batch async for batch in store.every()] == [[stored]]
    for moments in ([], [stored.updated], [NOW, stored.updated, stored.updated]):
        assert await store.versions(moments) == {stored.ref: 1}


async def test_each_change_is_published_once_in_order(store: MongoEntityStore) -> None:
    """Created, updated, deleted: with revision, difference, actor and cause."""
    [one] = (await store.write([change(None, state())])).stored
    other = (StoredRelation("ownedBy", "group:default/b", "ownerOf"),)
    second = dataclasses.replace(state(owner="b"), relations=other)
    [two] = (await store.write([change(one, second)])).stored
    await store.write([change(two, None)])
    created, updated, deleted = await told(store)
    assert isinstance(created, EntityCreated)
    assert isinstance(updated, EntityUpdated)
    assert isinstance(deleted, EntityDeleted)
    assert [e.revision for e in (created, updated, deleted)] == [1, 2, 3]
    assert created.entity is not None
    assert created.entity["relations"] == [
        {"type": "ownedBy", "targetRef": "group:default/team-a"}
    ]
    assert updated.changed == ["spec.owner", "relations"]
    assert [r.targetRef for r in updated.relations_added] == ["group:default/b"]
    assert [r.targetRef for r in updated.relations_removed] == ["group:default/team-a"]
    assert deleted.entity is None
    assert deleted.previous is not None
    assert deleted.previous["spec"]["owner"] == "b"
    assert {e.actor for e in (created, updated, deleted)} == {"user:default/ann"}
    assert updated.cause == CAUSE
    assert await told(store) == []


async def test_a_write_over_an_outdated_revision_fails(
    store: MongoEntityStore,
) -> None:
    """Of two writers one succeeds, and the other gets a conflict and no event."""
    [one] = (await store.write([change(None, state())])).stored
    results = await asyncio.gather(
        *(store.write([change(one, state(owner=f"o{n}"))]) for n in range(6))
    )
    assert sum(len(written.stored) for written in results) == 1
    assert sum(len(written.lost) for written in results) == 5
    again = await store.write([change(None, state()), change(None, state("fresh"))])
    assert again.lost == ["component:default/web"]
    assert [stored.ref for stored in again.stored] == ["component:default/fresh"]
    events = await told(store)
    assert len(events) == 3
    assert (await store.write([change(one, None)])).lost == ["component:default/web"]


async def test_a_recreated_entity_continues_its_revisions(
    store: MongoEntityStore,
) -> None:
    """Revisions never start again, so no consumer confuses new with old."""
    [one] = (await store.write([change(None, state())])).stored
    assert (await store.write([change(one, None)])).deleted == [one.ref]
    assert await store.load([one.ref]) == {}
    [again] = (await store.write([change(None, state())])).stored
    assert again.revision == 3
    history, total = await store.history(one.ref, limit=10)
    assert total == 3
    assert [entry.revision for entry in history] == [3, 2, 1]
    assert history[1].entity is None


async def test_publishing_twice_keeps_one_history_entry(
    store: MongoEntityStore,
) -> None:
    """A crash between the entry and the event repeats the entry without harm."""
    await store.write([change(None, state())])
    entity_documents = await store.collection.find(UNSENT).to_list(None)
    await store.keep_revisions(entity_documents)
    await told(store)
    history, _ = await store.history("component:default/web", limit=10)
    assert [entry.revision for entry in history] == [1]


async def test_history_is_read_in_pages_newest_first(store: MongoEntityStore) -> None:
    """Below a given revision, published or pending."""
    [stored] = (await store.write([change(None, state(owner="o1"))])).stored
    for number in range(2, 6):
        step = change(stored, state(owner=f"o{number}"))
        [stored] = (await store.write([step])).stored
        if number == 3:
            await told(store)
    page, total = await store.history(stored.ref, limit=2, before=5)
    assert total == 5
    owners = [entry.entity.owner for entry in page if entry.entity]
    assert owners == ["o4", "o3"]
    assert await store.history("component:default/never", limit=2) == ([], 0)


async def test_large_mixed_batches_report_each_result(store: MongoEntityStore) -> None:
    """Batches larger than one command: each change has its own result."""
    creations = [change(None, state(f"c{n}")) for n in range(2500)]
    first = await store.write(creations)
    assert len(first.stored) == 2500
    by_ref = {stored.ref: stored for stored in first.stored}
    stale = dataclasses.replace(by_ref["component:default/c7"], revision=9)
    mixed = [
        change(stale, state("c7", owner="x")),
        change(by_ref["component:default/c8"], state("c8", owner="x")),
        change(by_ref["component:default/c9"], None),
        change(None, state("c10")),
        change(None, state("new")),
    ]
    second = await store.write(mixed)
    assert sorted(second.lost) == ["component:default/c10", "component:default/c7"]
    assert second.deleted == ["component:default/c9"]
    assert {stored.ref for stored in second.stored} == {
        "component:default/c8",
        "component:default/new",
    }


async def test_roots_are_written_by_version(database: Any) -> None:
    """A writer of an outdated version gets a conflict."""
    store = MongoRootLocationStore(database)
    place = RepositoryPath("git.example.org", "web", "main", "a.yaml")
    file = FileState("location:default/x", "url:x", "d", None, place, (place,), ({},))
    root = RootLocation(
        LocationRef("url", "https://x.example/a.yaml"),
        frozenset({"registered", "git:all"}),
        NOW,
        id="i",
        files={(file.parent, file.location): file},
    )
    first = await store.put(root)
    assert first is not None
    assert await store.put(root) is None
    assert await store.load([root.name, "other"]) == [first]
    second = await store.put(dataclasses.replace(first, settled=True))
    assert second is not None
    assert await store.put(first) is None
    assert await store.every() == [second]
    await store.remove(second)
    assert await store.every() == []


def test_targets_of_earlier_versions_are_read_on() -> None:
    """They knew neither links nor targets that are refused to their location."""
    file = FileState("location:default/x", "url:x", None, was_admitted=False)
    location = LocationRef("url", "https://x.example/a.yaml")
    files = {(file.parent, file.location): file}
    root = RootLocation(location, frozenset(), NOW, files=files)
    document = root_document(root)
    assert stored_root(document) == root
    [item] = orjson.loads(document["files"])
    for length in (7, 8):
        earlier = {**document, "files": orjson.dumps([item[:length]]).decode()}
        [state_read] = stored_root(earlier).files.values()
        assert state_read == dataclasses.replace(file, was_admitted=True)
