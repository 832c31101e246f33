"""A Location that has something from a source reads nothing else there by that."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.running import ANN, Host, Running, generated, pointing, running
from tests.catalog.test_source_rights import BO, MARK, entity

FILE = "catalog-info.yaml"
HIDDEN_FOLDER = {
    "sub/info.yaml": entity("sub", restricted=True),
    "sub/loose.yaml": entity("loose", description={"$text": "./plan.txt"}),
    "sub/broken.yaml": {**entity("broken"), "kind": MARK},
    "sub/plan.txt": f"{MARK}\n",
}


@pytest.fixture
def host(data: Path) -> Host:
    return Host(data)


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    """A repository with something for everybody at its top, and a hidden folder."""
    documents = [entity("pub"), pointing("all", "./sub/info.yaml")]
    host.commit("mixed", {FILE: documents, **HIDDEN_FOLDER})
    host.commit("away", {FILE: pointing("away", host.url("mixed"))})
    async with running(database, data, host.discovering()) as started:
        assert await started.refs() >= {"component:pub", "component:sub"}
        yield started


async def register(catalog: Running, url: str, who: Any = BO) -> str:
    """Register an address, or read it again; the name of its Location entity."""
    body = {"type": "url", "target": url}
    answer = await catalog.ask("POST", "/locations?onConflict=refresh", body, who)
    assert answer.status_code == 201, answer.text
    return generated(url, "url")


async def refresh(catalog: Running, name: str) -> None:
    """Read a location again for nobody, as a push does."""
    body = {"entityRef": f"location:default/{name}"}
    assert (await catalog.ask("POST", "/refresh", body)).status_code == 200


def names_of(catalog: Running, location: str) -> set[str]:
    """The components that a Location entity has."""
    refs = catalog.work.catalog.state.emitted_by(f"location:default/{location}")
    return {ref.rpartition("/")[2] for ref in refs if ref.startswith("component:")}


async def require_only(catalog: Running, location: str, *names: str) -> None:
    """Check what a Location has, and that it shows nothing of hidden files."""
    assert names_of(catalog, location) == set(names)
    messages = await catalog.problems(location)
    assert not any(MARK in text for text in messages), messages


async def test_a_pattern_matches_nothing_hidden_at_later_readings(
    catalog, host
) -> None:
    """Whoever reads it again, and whatever it has from its source."""
    url = f"https://{host.name}/mixed/blob/main/**/*.yaml"
    name = await register(catalog, url)
    await require_only(catalog, name, "pub")
    await register(catalog, url)
    await require_only(catalog, name, "pub")
    host.commit("mixed", {"sub/new.yaml": entity("new"), "more.yaml": entity("more")})
    await refresh(catalog, name)
    await require_only(catalog, name, "pub", "more")
    assert await catalog.problems(name) == []
    assert not {"component:loose", "component:new"} & await catalog.refs()


@pytest.mark.parametrize("source", ["all.yaml", FILE])
@pytest.mark.parametrize(
    "path", ["sub/loose.yaml", "sub/broken.yaml", "sub/info.yaml", "sub/*.yaml"]
)
async def test_a_location_file_gets_no_hidden_targets_later(
    catalog, host, path: str, source: str
) -> None:
    """By a name or a pattern, registered or discovered, for nobody and for a person."""
    repository = "away" if source == FILE else "thief"
    targets = [host.url("mixed")]
    host.commit(repository, {source: pointing("away", *targets)})
    if repository == "thief":
        host.commit("away", {FILE: entity("other")})
        await refresh(catalog, generated(host.url("away"), "url"))
    url = host.url(repository, source)
    name = await register(catalog, url)
    await require_only(catalog, "away", "pub")
    targets.append(host.url("mixed", path))
    host.commit(repository, {source: pointing("away", *targets)})
    for _ in range(2):
        await refresh(catalog, name)
        await require_only(catalog, "away", "pub")
    await register(catalog, url)
    await require_only(catalog, "away", "pub")
    assert "component:loose" not in await catalog.refs()


async def test_a_wholly_restricted_source_gives_a_location_nothing_new(
    catalog, host
) -> None:
    """It keeps what it has from there; who may read the rest adds it."""
    aims = [host.url("mixed")]
    hidden = [entity("pub", restricted=True), pointing("all", "./sub/info.yaml")]
    host.commit("mixed", {FILE: hidden})
    await refresh(catalog, generated(aims[0], "url"))
    for path in ("sub/loose.yaml", "sub/*o.yaml"):
        aims.append(host.url("mixed", path))
        host.commit("away", {FILE: pointing("away", *aims)})
        await refresh(catalog, generated(host.url("away"), "url"))
        await require_only(catalog, "away", "pub")
    assert any("onConflict=refresh" in text for text in await catalog.problems("away"))
    await register(catalog, host.url("away"), ANN)
    assert names_of(catalog, "away") == {"pub", "sub", "loose"}
    # From now on the Location has them.
    host.commit("mixed", {"sub/info.yaml": entity("sub", restricted=True, type="x")})
    await refresh(catalog, generated(host.url("away"), "url"))
    assert names_of(catalog, "away") == {"pub", "sub", "loose"}


async def test_a_pattern_goes_on_in_a_folder_that_is_hidden_now(catalog, host) -> None:
    """Where it could not be registered any more: its own files are read."""
    host.commit("parts", {"a/x.yaml": entity("part-a"), "b/x.yaml": entity("part-b")})
    name = await register(catalog, f"https://{host.name}/parts/blob/main/*/x.yaml")
    host.commit("parts", {"a/x.yaml": entity("part-a", restricted=True)})
    await refresh(catalog, name)
    await require_only(catalog, name, "part-a", "part-b")
    changed = entity("part-a", restricted=True, type="changed")
    late = {"c/x.yaml": entity("part-c"), "b/deep/x.yaml": entity("part-d")}
    host.commit("parts", {"a/x.yaml": changed, "b/x.yaml": None, **late})
    await refresh(catalog, name)
    await require_only(catalog, name, "part-a")
    part = await catalog.entity("component:default/part-a")
    assert part is not None
    assert part["spec"]["type"] == "changed"
    await register(catalog, f"https://{host.name}/parts/blob/main/*/x.yaml", ANN)
    await require_only(catalog, name, "part-a", "part-c")


async def test_a_pattern_stays_out_of_a_folder_that_it_closed(catalog, host) -> None:
    """Its own closed files count, or it would read what lies around them."""
    files = {"a/x.yaml": entity("part-a", restricted=True), "b/x.yaml": entity("b")}
    host.commit("parts", files)
    url = f"https://{host.name}/parts/blob/main/**/*.yaml"
    name = await register(catalog, url)
    assert names_of(catalog, name) == {"part-a", "b"}
    host.commit("parts", {"a/x.yaml": None, "a/n.yaml": entity("n", type=MARK)})
    for _ in range(2):
        await refresh(catalog, name)
        await require_only(catalog, name, "b")
    host.commit("parts", {"a/x.yaml": entity("part-a", restricted=True)})
    await register(catalog, url, ANN)
    assert names_of(catalog, name) == {"part-a", "b", "n"}


async def test_a_target_that_moved_is_read_where_everybody_may_see_it(
    catalog, host
) -> None:
    """A hidden one stays as it was until somebody who may read it registers it."""
    host.commit("list", {"all.yaml": pointing("listed", host.url("mixed", "a.yaml"))})
    host.commit("mixed", {"a.yaml": entity("mover")})
    name = await register(catalog, host.url("list", "all.yaml"))
    for paths in (("a.yaml", "b.yaml"), ("b.yaml", "sub/c.yaml")):
        host.commit("mixed", {paths[0]: None, paths[1]: entity("mover")})
        aim = host.url("mixed", paths[1])
        host.commit("list", {"all.yaml": pointing("listed", aim)})
        await refresh(catalog, name)
        assert names_of(catalog, "listed") == {"mover"}
        mover = catalog.work.catalog.state.get("component:default/mover")
        assert mover is not None
        assert mover.location == f"url:{host.url('mixed', 'b.yaml')}"
    await register(catalog, host.url("list", "all.yaml"), ANN)
    mover = catalog.work.catalog.state.get("component:default/mover")
    assert mover is not None
    assert mover.location == f"url:{host.url('mixed', 'sub/c.yaml')}"


async def test_a_closed_file_that_moved_is_not_read_by_naming_it(catalog, host) -> None:
    """Although the location notes where its closed file is now."""
    host.commit("far", {"a.yaml": entity("far"), "keep.yaml": entity("keep")})
    aims = [host.url("far", "keep.yaml"), host.url("far", "a.yaml")]
    host.commit("list", {"all.yaml": pointing("listed", *aims)})
    name = await register(catalog, host.url("list", "all.yaml"))
    secret = entity("far", restricted=True)
    host.commit("far", {"a.yaml": secret})
    await refresh(catalog, name)
    assert names_of(catalog, "listed") == {"keep", "far"}
    host.commit("far", {"a.yaml": None, "x/b.yaml": secret})
    await refresh(catalog, name)
    host.commit("far", {"x/b.yaml": entity("loose-now")})
    aims[1] = host.url("far", "x/b.yaml")
    host.commit("list", {"all.yaml": pointing("listed", *aims)})
    for _ in range(3):
        await refresh(catalog, name)
        await require_only(catalog, "listed", "keep")


async def test_configured_locations_read_what_their_files_name(
    database: Any, data: Path, host: Host
) -> None:
    """The operator decides about them: also in hidden folders, at any reading."""
    host.commit("mixed", {FILE: entity("pub"), **HIDDEN_FOLDER})
    host.commit("list", {"all.yaml": pointing("listed", host.url("mixed"))})
    url = host.url("list", "all.yaml")
    configured = f"{host.config()}".replace(
        "catalog:\n",
        f"catalog:\n  locations:\n    - type: url\n      target: {url}\n",
        1,
    )
    async with running(database, data, configured) as catalog:
        assert names_of(catalog, "listed") == {"pub"}
        aims = [host.url("mixed", name) for name in (FILE, "sub/info.yaml")]
        for new_aim in ("sub/loose.yaml", "sub/*.yaml"):
            aims.append(host.url("mixed", new_aim))
            host.commit("list", {"all.yaml": pointing("listed", *aims)})
            await refresh(catalog, generated(url, "url"))
            assert names_of(catalog, "listed") == {"pub", "sub", "loose"}
