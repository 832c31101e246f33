"""Closed files stay closed, wherever the names of their entities come from now."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.source_views import BranchFiles, SourceView
from services.catalog.model import ClosedFile, RepositoryPath
from services.catalog.planning import closing
from tests.catalog.running import Host, Running, pointing, running
from tests.catalog.test_closed_sources import reads, vera
from tests.catalog.test_refused_sources import is_closed, refused
from tests.catalog.test_repository_names import FILE, push
from tests.catalog.test_source_rights import HIDDEN as HIDDEN_RULE
from tests.catalog.test_source_rights import MARK, entity, readable, somebody

A = "x/a.yaml"
SECRET = {A: refused("hush"), "docs/secret.md": MARK}


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    """One Location that leads to files of two repositories."""
    targets = [host.url(repository, A) for repository in ("one", "two")]
    host.commit("org", {FILE: pointing("org", *targets)})
    host.commit("one", SECRET)
    host.commit("two", {"docs/x": "x"})
    async with running(database, data, host.config()) as started:
        answer = await started.register(host.url("org", FILE))
        assert answer.status_code == 201, answer.text
        assert "component:hush" in await started.refs()
        yield started


async def pushed(catalog: Running, host: Host, repository: str, content: Any) -> None:
    host.commit(repository, {A: content})
    await push(catalog, host, repository, A)


async def test_a_restricted_entity_that_comes_from_another_repository_opens_nothing(
    catalog: Running, host: Host
) -> None:
    """What its old file lay beside is closed as before, and so is the new one."""
    await pushed(catalog, host, "one", "")
    await pushed(catalog, host, "two", refused("hush"))
    assert "component:hush" in await catalog.refs()
    for repository in ("one", "two"):
        assert await is_closed(catalog, host, repository)
    await pushed(catalog, host, "two", "")
    for _ in range(2):
        for repository in ("one", "two"):
            assert await is_closed(catalog, host, repository)
            assert await reads(catalog, host.url(repository, A), vera())
        await catalog.register(host.url("org", FILE), "?onConflict=refresh")
    await pushed(catalog, host, "one", entity("open"))
    assert await readable(catalog, host.url("one", "docs/secret.md"))
    assert await is_closed(catalog, host, "two")


async def test_who_takes_the_name_of_what_was_hidden_may_not_unregister_it(
    catalog: Running, host: Host
) -> None:
    """Their own entity of that name says nothing about the file that was closed."""
    host.commit("mine", {A: refused("hush")})
    answer = await catalog.register(host.url("mine", A))
    own_id = answer.json()["location"]["id"]
    await pushed(catalog, host, "one", "")
    stranger = replace(
        somebody(),
        permission="catalog.location.delete",
        decision="conditional",
        conditions={"not": HIDDEN_RULE},
    )
    host.commit("two", {"docs/x": "x", A: entity("hush")})
    state = catalog.work.catalog.state
    [root] = [r for r in state.roots.values() if "/org/" in str(r.location)]
    state.put_root(replace(root, registrant=stranger.subject))
    await push(catalog, host, "two", A)
    assert root.id is not None
    for identity in (root.id, own_id):
        answer = await catalog.ask("DELETE", f"/locations/{identity}", None, stranger)
        assert answer.status_code in (403, 404), answer.text
    assert await is_closed(catalog, host, "one")


async def test_of_very_many_closed_files_the_repositories_are_noted(
    catalog: Running, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is forgotten, whatever comes from the repository beside them."""
    monkeypatch.setattr(closing, "MOST_CLOSED", 0)
    await pushed(catalog, host, "one", "")
    state = catalog.work.catalog.state
    [root] = [r for r in state.roots.values() if "/org/" in str(r.location)]
    assert [file.place and file.place.path for file in root.closed.values()] == [""]
    assert await is_closed(catalog, host, "one")
    monkeypatch.undo()
    host.commit("one", {"docs/info.yaml": entity("web")})
    await catalog.register(host.url("one", "docs/info.yaml"))
    await pushed(catalog, host, "one", entity("open"))
    assert not await readable(catalog, host.url("one", "docs/secret.md"))
    assert await readable(catalog, host.url("two", "docs/x"))


def test_a_closed_repository_shows_the_files_of_visible_entities() -> None:
    """Those alone, not what lies around them."""
    view, place = SourceView(), RepositoryPath("h", "r", "", "a/b.yaml")
    view.add(place, is_visible=True)
    assert view.lies_around(replace(place, path="a/x"), raw=True)
    view.add(place.root, is_visible=False)
    assert view.has_hidden
    assert view.lies_around(place, raw=True)
    assert not view.lies_around(replace(place, path="a/x"), raw=True)
    assert not view.lies_around(replace(place, path="x"), raw=False)


def test_the_same_path_of_another_branch_is_another_file() -> None:
    """But for the default branch, which may be any."""
    files = BranchFiles([("main", "a"), ("", "b")])
    assert ("main", "a") in files
    assert ("", "a") in files
    assert ("draft", "a") not in files
    assert ("main", "b") in files
    assert ("main", "c") not in files


async def test_sources_of_few_closed_files_are_not_closed_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of one's own, however many, close nothing of another's repository."""
    monkeypatch.setattr(closing, "MOST_CLOSED", 3)

    def file(repository: str, number: int) -> ClosedFile:
        place = RepositoryPath("h", repository, "main", f"{number}.yaml")
        return ClosedFile(f"url:https://h/{repository}/{number}.yaml", place, {})

    few = {"one": file("theirs", 1), "two": file("theirs", 1), "x": file("mine", 1)}
    assert await closing.bounded(few) == few
    many = few | {f"{number}": file("mine", number) for number in range(2, 9)}
    noted = await closing.bounded(many)
    assert {name: one.is_whole_source for name, one in noted.items()} == {
        "h/mine": True,
        file("theirs", 1).location: False,
    }


async def test_a_copy_is_open_when_its_entity_comes_back_elsewhere(
    catalog: Running, host: Host
) -> None:
    """Whoever wrote what was hidden may open it, also what was made of its file."""
    host.commit("one", {A: "", "docs/example.yaml": refused("hush")})
    await push(catalog, host, "one", A, "docs/example.yaml")
    assert not await readable(catalog, host.url("one", "docs/example.yaml"))
    await pushed(catalog, host, "one", entity("hush"))
    assert await readable(catalog, host.url("one", "docs/example.yaml"))
    assert await readable(catalog, host.url("one", "docs/secret.md"))


async def test_what_another_location_made_public_is_not_closed_later(
    catalog: Running, host: Host
) -> None:
    """The first location names the file no longer, and has forgotten it."""
    await catalog.register(host.url("one", A))
    host.commit("org", {FILE: pointing("org", host.url("two", A))})
    await push(catalog, host, "org", FILE)
    await pushed(catalog, host, "one", entity("hush"))
    assert await readable(catalog, host.url("one", "docs/secret.md"))
    await catalog.register(host.url("org", FILE), "?onConflict=refresh")
    await pushed(catalog, host, "one", "")
    assert await readable(catalog, host.url("one", "docs/secret.md"))
