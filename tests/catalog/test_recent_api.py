"""What changed lately in the whole catalog: in order, in pages, for whom it is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.catalog.handlers.recent import RecentChangesUpdater
from services.catalog.readmodel.recent import RecentChanges, change_of
from services.catalog.store.entities import MongoEntityStore
from services.catalog.store.revisions import MongoRevisionLog
from shared.contracts.errors import Invalid
from shared.kit.http.service_tokens import Principal
from tests import builders
from tests.catalog.running import Host, Running, pointing, running, write
from tests.waiting import until

HIDDEN = {"annotations": {"callboard.dev/visibility": "restricted"}}
READING = builders.open_or_owned("group:default/team-b")
BO = Principal("user:default/bo", "user", decision="conditional", conditions=READING)
OPEN_CONDITIONS = {"anyOf": [READING["anyOf"][0]]}
CY = Principal(
    "user:default/cy", "user", decision="conditional", conditions=OPEN_CONDITIONS
)


async def changes(catalog: Running, query: str = "", who: Any = None) -> Any:
    await catalog.work.relay.drain()
    answer = await catalog.ask("GET", f"/changes{query}", principal=who)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def told(catalog: Running, who: Any = None) -> list[tuple[str, int]]:
    items = (await changes(catalog, who=who))["items"]
    return [
        (item["entityRef"].rpartition("/")[2], item["revision"])
        for item in items
        if item["kind"] != "Location"
    ]


async def test_the_newest_change_comes_first(database: Any, data: Path) -> None:
    """With actor, cause and changed fields, under the entity's title."""
    file = write(data, "all.yaml", builders.component("web", {"title": "The web"}))
    async with running(database, data) as catalog:
        await catalog.register(file)
        write(data, "all.yaml", builders.component("web", {"title": "Web"}))
        await catalog.ask("POST", "/refresh", {"entityRef": "component:web"})
        newest, *rest = (await changes(catalog))["items"]
    at = newest.pop("at")
    assert datetime.now(UTC) - datetime.fromisoformat(at) < timedelta(minutes=1)
    assert newest == {
        "entityRef": "component:default/web",
        "title": "Web",
        "kind": "Component",
        "revision": 2,
        "actor": "user:default/ann",
        "cause": {"kind": "refresh", "location": f"file:{file}"},
        "changed": ["metadata.title"],
        "deleted": False,
    }
    [first] = [item for item in rest if item["entityRef"] == "component:default/web"]
    assert (first["title"], first["revision"]) == ("The web", 1)


async def test_a_change_by_git_has_its_commit_message(
    database: Any, data: Path
) -> None:
    """A change that came by Git names its commit."""
    host = Host(data)
    commit = host.commit(
        "web", {"catalog-info.yaml": builders.component("web")}, "Say it\n\nAt length"
    )
    async with running(database, data, host.config()) as catalog:
        await catalog.register(host.url("web"))
        items = (await changes(catalog))["items"]
    [cause] = [item["cause"] for item in items if item["kind"] == "Component"]
    assert (cause["commit"], cause["subject"]) == (commit, "Say it")
    assert cause["author"].startswith("Bo Example")


async def test_pages_stay_consistent_while_changes_arrive(
    database: Any, data: Path
) -> None:
    """A reader who pages gets everything once, though entities changed meanwhile."""
    names = [f"c{number}" for number in range(7)]
    write(data, "some.yaml", *(builders.component(name) for name in names))
    file = write(data, "all.yaml", pointing("more", "./some.yaml"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        before = [
            (i["entityRef"], i["revision"]) for i in (await changes(catalog))["items"]
        ]
        page = await changes(catalog, "?limit=4")
        write(data, "late.yaml", builders.component("late"))
        await catalog.register(data / "late.yaml")
        items = page["items"]
        while cursor := page["pageInfo"].get("nextCursor"):
            assert len(page["items"]) == 4
            page = await changes(catalog, f"?limit=4&after={cursor}")
            items += page["items"]
    assert [(item["entityRef"], item["revision"]) for item in items] == before


async def test_changes_of_restricted_entities_are_for_owners_only(
    database: Any, data: Path
) -> None:
    """Neither its present nor an earlier state shows, and pages have no gaps."""
    open_then = builders.component("turning", owner="team-b")
    file = write(
        data,
        "all.yaml",
        builders.component("seen"),
        builders.component("secret", HIDDEN, owner="team-b"),
        open_then,
    )
    async with running(database, data) as catalog:
        await catalog.register(file)
        assert ("turning", 1) in await told(catalog, CY)
        write(
            data,
            "all.yaml",
            builders.component("seen", {"title": "Seen"}),
            builders.component("secret", HIDDEN, owner="team-b"),
            builders.component("turning", HIDDEN, owner="team-b"),
        )
        await catalog.ask("POST", "/refresh", {"entityRef": "component:seen"})
        page = await changes(catalog, "?limit=2", CY)
        assert {name for name, _ in await told(catalog, BO)} == {
            "seen",
            "secret",
            "turning",
        }
        assert {name for name, _ in await told(catalog, CY)} == {"seen"}
    assert len(page["items"]) == 2


async def test_the_fields_of_a_restricted_state_stay_untold(
    database: Any, data: Path
) -> None:
    """Who sees the opened entity reads only names of fields that it has now."""
    marks = {**HIDDEN["annotations"], "x.example/hush": "1"}
    labels = {"labels": {"hush": "1"}, "annotations": marks}
    restricted = builders.component("opened", labels)
    file = write(data, "all.yaml", restricted)
    async with running(database, data) as catalog:
        await catalog.register(file)
        write(data, "all.yaml", builders.component("opened", {"title": "Opened"}))
        await catalog.ask("POST", "/refresh", {"entityRef": "component:opened"})
        pages = [await changes(catalog, who=CY), await changes(catalog)]
    for_cy, for_service = (
        next(item for item in page["items"] if item["kind"] == "Component")
        for page in pages
    )
    assert (for_cy["revision"], "metadata.title" in for_cy["changed"]) == (2, True)
    assert "hush" not in str(for_cy)
    assert "metadata.labels.hush" in str(for_service["changed"])


async def test_a_change_waits_until_the_read_model_has_it(
    database: Any, data: Path
) -> None:
    """Between event and read model the catalog does not guess who may see it."""
    file = write(data, "all.yaml", builders.component("web"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        assert await told(catalog, CY) == [("web", 1)]
        event = catalog.bus.envelopes()[-1].document()
        turned = {**builders.component("web", HIDDEN), "relations": []}
        data_of = {
            **event["data"],
            "entity_ref": "component:default/web",
            "entity": turned,
        }
        await catalog.work.recent.consume([_event(event, data_of, revision=2)])
        assert await told(catalog, CY) == [("web", 1)]
        assert await told(catalog) == [("web", 2), ("web", 1)]


async def test_a_deletion_is_shown_to_the_last_readers_only(
    database: Any, data: Path
) -> None:
    """A deletion is a change too; that of a restricted entity stays hidden."""
    file = write(
        data,
        "all.yaml",
        builders.component("stays"),
        builders.component("leaves"),
        builders.component("secret", HIDDEN, owner="team-b"),
    )
    async with running(database, data) as catalog:
        await catalog.register(file)
        write(data, "all.yaml", builders.component("stays"))
        await catalog.ask("POST", "/refresh", {"entityRef": "component:stays"})
        for name in ("leaves", "secret"):
            entity = await catalog.entity(f"component:default/{name}")
            if entity is not None:
                await catalog.ask(
                    "DELETE", f"/entities/by-uid/{entity['metadata']['uid']}"
                )
        assert ("leaves", 2) in await told(catalog, CY)
        assert "secret" not in {name for name, _ in await told(catalog, CY)}
        assert ("secret", 2) in await told(catalog, BO)
        items = (await changes(catalog, who=CY))["items"]
    [deletion] = [
        i for i in items if i["entityRef"].endswith("/leaves") and i["deleted"]
    ]
    assert (deletion["kind"], deletion["title"]) == ("Component", "leaves")


async def test_an_entity_recreated_as_restricted_hides_its_past(
    database: Any, data: Path
) -> None:
    """Changes of an entity's former life do not show the present one."""
    file = write(data, "all.yaml", builders.component("web"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        write(data, "all.yaml", builders.component("web", HIDDEN))
        entity = await catalog.entity("component:default/web")
        assert entity is not None
        await catalog.ask("DELETE", f"/entities/by-uid/{entity['metadata']['uid']}")
        assert await catalog.entity("component:default/web") is not None
        assert await told(catalog) == [("web", 3), ("web", 2), ("web", 1)]
        assert await told(catalog, CY) == []


async def test_recent_changes_survive_a_restart(database: Any, data: Path) -> None:
    """The window is filled from the store: every revision of current entities."""
    file = write(data, "all.yaml", builders.component("web"), builders.component("b"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        for title in ("One", "Two"):
            changed = builders.component("web", {"title": title})
            write(data, "all.yaml", changed, builders.component("b"))
            await catalog.ask("POST", "/refresh", {"entityRef": "component:web"})
        before = await changes(catalog)
    async with running(database, data) as catalog:
        assert await changes(catalog) == before
    assert [item["revision"] for item in before["items"][:2]] == [3, 2]


async def test_changes_of_other_replicas_are_listed(
    database: Any, data: Path, kafka: str
) -> None:
    """A process lists what another process wrote."""
    file = write(data, "all.yaml", builders.component("heard"))
    first, second = data / "first", data / "second"
    first.mkdir()
    second.mkdir()
    async with (
        running(database, first, kafka=kafka) as writer,
        running(database, second, kafka=kafka) as reader,
    ):
        await writer.register(file)

        async def heard() -> bool:
            answer = await reader.ask("GET", "/changes", principal=CY)
            refs = [item["entityRef"] for item in answer.json()["items"]]
            return "component:default/heard" in refs

        await until(heard, condition="the other process tells of the change")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?limit=0", "request/query/limit must be >= 1"),
        ("?limit=many", "request/query/limit must be integer"),
        ("?after=x", "request/query/after: malformed cursor"),
        ("?after=WzEsMiwzXQ", "request/query/after: malformed cursor"),
    ],
)
async def test_an_invalid_query_names_parameter_and_rule(
    database: Any, data: Path, query: str, message: str
) -> None:
    """400 names the parameter and the rule."""
    async with running(database, data) as catalog:
        answer = await catalog.ask("GET", f"/changes{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message


def test_the_window_keeps_the_newest_changes_in_any_order() -> None:
    """The oldest go first, a duplicate is ignored, a late change is sorted in."""
    window = RecentChanges(limit=3)
    for number in (4, 1, 3, 3, 5):
        window.note(change_of(_event(number=number)))
    newest = window.newest(lambda _: True, limit=10)
    assert [change.revision for change in newest] == [5, 4, 3]
    assert len(window) == 3
    assert not window.holds("component:default/web", 1)


def test_deleted_entities_leave_the_window_with_their_change() -> None:
    """The states of deleted entities are limited by the same window."""
    window = RecentChanges(limit=2)
    window.note(change_of(_event(number=1, is_deletion=True)))
    assert window.deletion("component:default/web") is not None
    for number in (2, 3):
        window.note(change_of(_event(number=number)))
    assert window.deletion("component:default/web") is None


def test_the_state_of_a_huge_deleted_entity_is_not_kept() -> None:
    """Its deletion is shown only to readers who may see everything."""
    change = change_of(_event(number=1, is_deletion=True, description="x" * 70_000))
    assert change.deleted
    assert change.state is None


def test_a_message_that_is_no_change_is_refused() -> None:
    """The error names what a foreign message on the topic is."""
    for text in ("", "{}", '{"time":"x","data":{"entity":1}}'):
        with pytest.raises(Invalid, match="not a change"):
            change_of(text)


async def test_each_recent_revision_of_an_entity_is_listed(
    database: Any, data: Path
) -> None:
    """An entity that changed often is listed with each of its newest revisions."""
    file = write(data, "all.yaml", builders.component("busy"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        for number in range(4):
            write(data, "all.yaml", builders.component("busy", {"title": f"T{number}"}))
            await catalog.ask("POST", "/refresh", {"entityRef": "component:busy"})
        await catalog.work.relay.drain()
    recent = RecentChangesUpdater(MongoRevisionLog(database))
    recent.changes = RecentChanges(limit=3)
    stored = [s async for batch in MongoEntityStore(database).every() for s in batch]
    await recent.fill(stored)
    newest = recent.changes.newest(lambda _: True, limit=10)
    assert [(change.title, change.revision) for change in newest] == [
        ("T3", 5),
        ("T2", 4),
        ("T1", 3),
    ]


def _event(
    envelope: Any = None,
    data: Any = None,
    *,
    number: int = 1,
    revision: int | None = None,
    is_deletion: bool = False,
    description: str = "",
) -> bytes:
    entity = builders.component("web", {"description": description})
    data = data or {
        "entity_ref": "component:default/web",
        "entity": None if is_deletion else entity,
        "previous": entity if is_deletion else None,
        "changed": [],
        "actor": "user:default/ann",
        "cause": {"kind": "scan"},
    }
    at = datetime.now(UTC) if envelope else datetime(2026, 1, 1, tzinfo=UTC)
    at += timedelta(seconds=number)
    fields = {**data, "revision": revision or number}
    return orjson.dumps({**(envelope or {}), "time": at.isoformat(), "data": fields})
