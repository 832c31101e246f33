"""Repositories whose names differ by case alone: one to some hosts, two to others."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.catalog import context_for
from services.catalog.handlers.discovery import Provider, discover, reconcile_repository
from services.catalog.handlers.pushes import Push, apply_push
from services.catalog.handlers.spellings import restore_root
from services.catalog.model import ClosedFile, LocationRef
from services.catalog.readers.reading import CatalogSources
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git import addresses
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.url_reader import UrlReader
from tests.builders import component
from tests.catalog.running import Host, Running, pointing, running
from tests.catalog.test_source_rights import entity, readable

FILE = "catalog-info.yaml"


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    """A discovered repository, which a twin of another case comes beside."""
    host.commit("website", {FILE: component("website")})
    async with running(database, data, host.discovering()) as started:
        assert "component:website" in await started.refs()
        yield started


def provider(host: Host) -> Provider:
    return Provider("all", host.name, "", FILE)


async def push(catalog: Running, host: Host, repository: str, *paths: str) -> None:
    changed_paths = frozenset(paths) or None
    pushed = Push(host.name, repository, "main", changed_paths, "bo")
    await apply_push(catalog.work.catalog, [provider(host)], pushed)


def reports() -> tuple[list[str], Any]:
    problems: list[str] = []
    return problems, lambda source, problem: problems.append(f"{source}: {problem}")


async def test_a_push_without_a_descriptor_deletes_nothing_of_a_twin(
    catalog: Running, host: Host
) -> None:
    """Neither the push nor the next scan takes the one for the other."""
    host.commit("WEBSITE", {"README.md": "x"})
    await push(catalog, host, "WEBSITE")
    assert "component:website" in await catalog.refs()
    _, report = reports()
    await discover(catalog.work.catalog, provider(host), context_for("scan"), report)
    assert "component:website" in await catalog.refs()


@pytest.mark.parametrize("is_pushed", [True, False])
async def test_the_descriptor_of_a_twin_is_discovered(
    catalog: Running, host: Host, is_pushed: bool
) -> None:
    """By its push and by the scan; both stay, and each goes with its own file."""
    host.commit("WebSite", {FILE: component("twin")})
    if is_pushed:
        await push(catalog, host, "WebSite", FILE)
    else:
        problems, report = reports()
        await discover(
            catalog.work.catalog, provider(host), context_for("scan"), report
        )
        assert problems == []
    assert await catalog.refs() >= {"component:website", "component:twin"}
    host.commit("WebSite", {FILE: None})
    await push(catalog, host, "WebSite", FILE)
    assert "component:website" in await catalog.refs()
    assert "component:twin" not in await catalog.refs()


async def test_a_twin_opens_no_restricted_source(catalog: Running, host: Host) -> None:
    """Its visible entities make only its own files readable."""
    host.commit("hush", {FILE: entity("hush", restricted=True), "docs/a.md": "a"})
    await push(catalog, host, "hush")
    host.commit("HUSH", {f"docs/{FILE}": entity("loud")})
    target = host.url("HUSH", f"docs/{FILE}")
    host.commit("own", {FILE: pointing("own", target)})
    await push(catalog, host, "own")
    assert "component:loud" in await catalog.refs()
    assert await readable(catalog, host.url("HUSH", "docs/a.md"))
    assert not await readable(catalog, host.url("hush", "docs/a.md"))


async def test_a_root_goes_only_after_its_own_file_was_read(
    catalog: Running, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where another repository is taken for the same one."""
    monkeypatch.setattr(addresses, "folds_case", lambda _: True)
    host.commit("WEBSITE", {"README.md": "x"})
    context = context_for("push")
    twin = LocationRef("url", host.url("WEBSITE"))
    await reconcile_repository(catalog.work.catalog, provider(host), twin, context)
    assert "component:website" in await catalog.refs()
    host.commit("website", {FILE: None})
    await reconcile_repository(catalog.work.catalog, provider(host), twin, context)
    assert "component:website" not in await catalog.refs()


async def test_roots_of_earlier_versions_get_the_names_of_their_hosts(
    database: Any, data: Path, host: Host
) -> None:
    """They were stored in lower case, which is the name of a twin."""
    host.commit("Upper", {FILE: component("upper")})
    async with running(database, data, host.discovering()) as catalog:
        assert "component:upper" in await catalog.refs()
    [document] = await database["locations"].find({}).to_list(None)
    files = json.loads(document["files"])
    for file in files:
        # A place without what its host says of case.
        file[4] = file[4][:4]
    old_fields = {"files": json.dumps(files), "source": document["source"].lower()}
    await database["locations"].update_one(
        {"_id": document["_id"]}, {"$set": old_fields}
    )
    host.commit("upper", {FILE: component("lower")})
    async with running(database, data, host.discovering()) as catalog:
        assert await catalog.refs() >= {"component:upper", "component:lower"}
        host.commit("Upper", {FILE: component("upper", owner="team-b")})
        await push(catalog, host, "Upper", FILE)
        changed = await catalog.entity("component:default/upper")
        assert changed is not None
        assert changed["spec"]["owner"] == "team-b"
    documents = await database["locations"].find({}).to_list(None)
    assert {item["source"] for item in documents} == {
        f"{host.name}/{name}#main:{FILE}" for name in ("Upper", "upper")
    }


async def test_closed_files_get_the_names_of_their_hosts(
    catalog: Running, host: Host
) -> None:
    """A host whose type changed says of them, too, whether their case counts."""
    context = catalog.work.catalog
    [root] = context.state.roots.values()
    [(key, state)] = root.files.items()
    assert state.place is not None
    assert not state.place.folds_case
    folding_place = replace(state.place, folds_case=True)
    closed = {
        "component:default/hush": ClosedFile(key[1], folding_place, None, "c"),
        "component:default/away": ClosedFile("file:/somewhere"),
    }
    stored = await context.roots.put(replace(root, closed=closed))
    assert stored is not None
    await restore_root(context, stored)
    expected = {
        **closed,
        "component:default/hush": ClosedFile(key[1], state.place, None, "c"),
    }
    assert context.state.roots[root.name].closed == expected
    assert [item.closed for item in await context.roots.load([root.name])] == [expected]


def test_the_type_of_a_host_decides_whether_case_counts(tmp_path: Path) -> None:
    """Hosts on the web have one repository under all spellings; `local` has not."""
    integrations = Integrations(
        github=[Integration(host="github.com")],
        gitlab=[Integration(host="gitlab.example")],
        local=[Integration(host="git.example", directory=tmp_path)],
    )
    mirrors = RepositoryMirrors(tmp_path, integrations)
    sources = CatalogSources(UrlReader([], mirrors), [])

    def place(url: str) -> Any:
        return sources.source(LocationRef("url", url))

    for url in (
        "https://github.com/{}/shop/blob/main/a.yaml",
        "https://gitlab.example/{}/shop/-/blob/main/a.yaml",
    ):
        assert place(url.format("Acme")) == place(url.format("acme"))
        assert place(url.format("Acme")).key == place(url.format("acme")).key
    local = "https://git.example/{}/blob/main/a.yaml"
    assert place(local.format("Shop")).key != place(local.format("shop")).key
    assert sources.folds_case("GitHub.com")
    assert not sources.folds_case("git.example")
    assert not sources.folds_case("unknown.example")
