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


async def test_the_newest_change_stands_first(database: Any, data: Path) -> None:
    """With who, why and which fields, under the title that people know."""
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


async def test_a_commit_is_told_with_its_message(database: Any, data: Path) -> None:
    """What came by Git names the commit that it came by."""
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


async def test_pages_follow_each_other_whatever_comes(
    database: Any, data: Path
) -> None:
    """A reader who goes on meets everything once, though more has changed since."""
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


async def test_the_restricted_is_told_to_its_owners_alone(
    database: Any, data: Path
) -> None:
    """Neither what it is nor what it once was, and pages have no gaps for it."""
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


async def test_what_is_told_before_it_is_shown_waits(database: Any, data: Path) -> None:
    """Between an event and the read model's turn nobody is guessed to be allowed."""
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


async def test_what_is_gone_is_told_to_those_who_could_see_it_last(
    database: Any, data: Path
) -> None:
    """A deletion is a change too; the restricted goes as quietly as it was."""
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


async def test_who_comes_back_hidden_takes_the_past_along(
    database: Any, data: Path
) -> None:
    """Changes of an entity's former life do not tell of its present one."""
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


async def test_a_restart_remembers_the_newest(database: Any, data: Path) -> None:
    """The window is filled from the store: every revision of what is there."""
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


async def test_others_writes_are_heard(database: Any, data: Path, kafka: str) -> None:
    """A process tells of what another one wrote."""
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
async def test_bad_questions_are_told_why(
    database: Any, data: Path, query: str, message: str
) -> None:
    """400 names the parameter and the rule."""
    async with running(database, data) as catalog:
        answer = await catalog.ask("GET", f"/changes{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message


def test_the_window_keeps_the_newest_however_they_come() -> None:
    """The oldest go first, a repetition is none, a late one finds its place."""
    window = RecentChanges(limit=3)
    for number in (4, 1, 3, 3, 5):
        window.note(change_of(_event(number=number)))
    newest = window.newest(lambda _: True, limit=10)
    assert [change.revision for change in newest] == [5, 4, 3]
    assert len(window) == 3
    assert not window.holds("component:default/web", 1)


def test_a_deletion_is_forgotten_with_its_change() -> None:
    """What is remembered of the deleted is bounded by the same window."""
    window = RecentChanges(limit=2)
    window.note(change_of(_event(number=1, is_deletion=True)))
    assert window.deletion("component:default/web") is not None
    for number in (2, 3):
        window.note(change_of(_event(number=number)))
    assert window.deletion("component:default/web") is None


def test_the_huge_is_not_kept_for_having_been() -> None:
    """Of a deleted entity beyond the limit nobody but those allowed all hears."""
    change = change_of(_event(number=1, is_deletion=True, description="x" * 70_000))
    assert change.deleted
    assert change.state is None


def test_what_is_no_change_is_refused() -> None:
    """A foreign message on the topic is named as what it is."""
    for text in ("", "{}", '{"time":"x","data":{"entity":1}}'):
        with pytest.raises(Invalid, match="not a change"):
            change_of(text)


async def test_revisions_lead_back_as_far_as_they_are_new(
    database: Any, data: Path
) -> None:
    """An entity that changed often counts with each of its newest revisions."""
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
