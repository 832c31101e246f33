"""A visit to the docs: it looks at their source, builds them and says how it went."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from services.techdocs.model import CHECK, DocsFolder
from tests.builders import component
from tests.techdocs.box_office import TRIPLET
from tests.techdocs.installation import Running
from tests.waiting import until

REF = "component:default/box-office"

pytestmark = pytest.mark.asyncio(loop_scope="module")


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    result = []
    for frame in answer.text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in frame.split("\n"))
        result.append((lines["event"], json.loads(lines["data"])))
    return result


async def test_sync_checks_the_source_once_a_minute(own: Running) -> None:
    """The first visit checks the source and says so; the next finds it fresh."""
    answer = await own.get(f"/sync/{TRIPLET}")
    assert answer.headers["content-type"].startswith("text/event-stream")
    *log, last = events(answer)
    assert {name for name, _ in log} == {"log"}
    assert last == ("finish", {"updated": False})
    again = await own.get(f"/sync/{TRIPLET}")
    assert events(again) == [("finish", {"updated": False})]


async def test_sync_builds_changes_of_a_missed_push(own: Running) -> None:
    """A visit finds a push without a webhook, and shows the result."""
    own.host.commit("box", {"docs/guide.md": "# Guide\n\nmarimba\n"})
    result = events(await own.get(f"/sync/{TRIPLET}"))
    assert result[-1] == ("finish", {"updated": True})
    assert any("Step 2 of 3" in line for name, line in result if name == "log")
    assert "marimba" in (await own.get(f"/pages/{TRIPLET}/guide")).text


async def test_a_warning_stands_in_the_log_once(own: Running) -> None:
    """Of mkdocs and of the portal; all of them are in the log as well."""
    links = "".join(f"[{n}](absent-{n}.md)\n\n" for n in range(60))
    own.host.commit("box", {"docs/guide.md": f"# Guide\n\n{links}[a](#absent)\n"})
    result = events(await own.get(f"/sync/{TRIPLET}"))
    log = [line for name, line in result if name == "log"]
    for name in (*(f"'absent-{n}.md'" for n in range(60)), "'#absent'"):
        assert sum(name in line for line in log) == 1, name


async def test_a_visit_during_a_check_finds_what_was_pushed_after_it(
    own: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check that is under way has read the source before; one more follows it."""
    records, sources = (
        getattr(own.app.state.dependencies, name) for name in ("records", "sources")
    )
    read, has_read, goes_on = sources.commit, asyncio.Event(), asyncio.Event()

    async def commit(place: DocsFolder) -> str | None:
        result: str | None = await read(place)
        has_read.set()
        await goes_on.wait()
        return result

    async def requests() -> int:
        return int((await records.get(REF)).requests)

    monkeypatch.setattr(sources, "commit", commit)
    await records.ask([REF], CHECK)
    await has_read.wait()
    own.host.commit("box", {"docs/guide.md": "# Guide\n\nmarimba\n"})
    before = await requests()
    visit = asyncio.create_task(own.get(f"/sync/{TRIPLET}"))

    async def is_visited() -> bool:
        return await requests() > before

    await until(is_visited, "the visit is noted")
    goes_on.set()
    assert events(await visit)[-1] == ("finish", {"updated": True})


async def test_sync_builds_the_docs_of_a_new_entity(
    built: Running,
) -> None:
    """A visit of an entity whose event has not arrived waits for the first build."""
    managed = "url:https://git.playhouse.example/box/blob/main/catalog-info.yaml"
    built.catalog.put(
        component("fresh"),
        **{
            "backstage.io/techdocs-ref": "dir:.",
            "backstage.io/managed-by-location": managed,
        },
    )
    result = events(await built.get("/sync/default/component/fresh"))
    assert result[-1] == ("finish", {"updated": True})


async def test_sync_without_docs_answers_as_in_backstage(built: Running) -> None:
    """For an entity without the annotation the error is that of Backstage."""
    built.catalog.put(component("bare"))
    result = events(await built.get("/sync/default/component/bare"))
    message = "No backstage.io/techdocs-ref annotation provided in entity: bare"
    assert [name for name, _ in result] == ["log", "error"]
    assert result[-1] == ("error", message)
    missing = await built.get("/sync/default/component/nope")
    assert missing.status_code == 404


async def test_sync_of_failing_docs_ends_with_the_reason(own: Running) -> None:
    """The reason comes as the last event."""
    own.host.commit("box", {"mkdocs.yml": "docs_dir: ../..\n"})
    result = events(await own.get(f"/sync/{TRIPLET}"))
    assert result[-1][0] == "error"
    assert "docs_dir" in result[-1][1]
