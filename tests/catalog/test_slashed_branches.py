"""A branch with a slash in its name is one branch, however an address writes it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.source_branches import SlashedBranches
from services.catalog.model import FileState, LocationRef, RepositoryPath, RootLocation
from tests.catalog.running import Host, Running, run, running
from tests.catalog.test_hidden_files import hidden
from tests.catalog.test_refused_sources import refused
from tests.catalog.test_repository_names import FILE
from tests.catalog.test_source_rights import entity, readable

BRANCH = "release/v3"
SPELLINGS = (BRANCH, "release%2Fv3")
SECRET = f"docs/s/{FILE}"


def on_branch(host: Host, files: dict[str, Any], *, is_default: bool = False) -> str:
    """A repository with files on the branch, on others too; the address before it."""
    host.commit("shop", {FILE: entity("web"), "docs/index.md": "x", **files})
    bare = host.bare / "shop.git"
    run("git", "branch", BRANCH, "main", cwd=bare)
    if is_default:
        run("git", "symbolic-ref", "HEAD", f"refs/heads/{BRANCH}", cwd=bare)
    return f"https://{host.name}/shop/blob"


@asynccontextmanager
async def registered(
    database: Any, data: Path, host: Host, *urls: str, restarts: bool
) -> AsyncIterator[Running]:
    """A catalog with these locations, which may know them from before its start."""
    async with running(database, data, host.config()) as catalog:
        for url in urls:
            await catalog.register(url)
        if not restarts:
            yield catalog
    if restarts:
        async with running(database, data, host.config()) as catalog:
            yield catalog


async def opened(catalog: Running, root: str, paths: Sequence[str]) -> list[str]:
    return [path for path in paths if await readable(catalog, f"{root}/{path}")]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("is_default", [False, True])
@pytest.mark.parametrize("secret", SPELLINGS)
async def test_what_is_hidden_there_is_hidden_on_all_branches(
    database: Any,
    data: Path,
    host: Host,
    secret: str,
    *,
    is_default: bool,
    restarts: bool,
) -> None:
    """Also where the address of its descriptor leaves open which branch it means."""
    files = {SECRET: refused("secret"), "docs/s/plan.md": "x"}
    root = on_branch(host, files, is_default=is_default)
    urls = f"{root}/HEAD/{FILE}", f"{root}/{secret}/{SECRET}"
    async with registered(database, data, host, *urls, restarts=restarts) as catalog:
        assert await catalog.refs() >= {"component:web", "component:secret"}
        paths = [
            f"{branch}/{name}"
            for branch in ("HEAD", *SPELLINGS)
            for name in ("docs/s/plan.md", SECRET, "docs/index.md")
        ]
        assert await opened(catalog, root, paths) == ["HEAD/docs/index.md"]
        places = [f"url:{root}/{path}" for path in paths]
        expected = [place for place in places if "/s/" in place]
        assert await hidden(catalog, "web", places) == (True, expected)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_what_is_visible_there_opens_its_own_folder(
    database: Any, data: Path, host: Host, spelling: str, *, restarts: bool
) -> None:
    """Beside something hidden, by either way to write the branch."""
    files = {
        f"web/{FILE}": entity("shop"),
        "web/a.md": "x",
        SECRET: refused("secret"),
    }
    root = on_branch(host, files)
    urls = [f"{root}/{spelling}/{name}" for name in (f"web/{FILE}", SECRET)]
    async with registered(database, data, host, *urls, restarts=restarts) as catalog:
        paths = [f"{name}/{n}" for name in SPELLINGS for n in ("web/a.md", "docs/s/x")]
        expected = [path for path in paths if path.endswith("a.md")]
        assert await opened(catalog, root, paths) == expected


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_closed_file_stays_closed_on_all_branches(
    database: Any, data: Path, host: Host, *, restarts: bool
) -> None:
    """What is left there when the descriptor is emptied."""
    root = on_branch(host, {SECRET: refused("secret")})
    urls = f"{root}/HEAD/{FILE}", f"{root}/{BRANCH}/{SECRET}"
    async with registered(database, data, host, *urls, restarts=restarts) as catalog:
        host.commit("shop", {SECRET: "# nothing"})
        run("git", "branch", "-f", BRANCH, "main", cwd=host.bare / "shop.git")
        await catalog.register(urls[1], "?onConflict=refresh")
        assert "component:secret" not in await catalog.refs()
        paths = ["HEAD/docs/s/plan.md", "HEAD/docs/index.md"]
        assert await opened(catalog, root, paths) == paths[1:]


@pytest.mark.parametrize("branch", ["HEAD", "main", BRANCH])
async def test_docs_that_are_built_from_there_are_hidden_on_all_branches(
    database: Any, data: Path, host: Host, branch: str
) -> None:
    """No entity comes from the branch: each that may be meant is hidden."""
    secret = refused("secret")
    tree = f"https://{host.name}/shop/tree/{BRANCH}"
    secret["metadata"]["annotations"] |= {
        "backstage.io/techdocs-ref": f"url:{tree}/handbook"
    }
    root = on_branch(host, {SECRET: secret, "handbook/docs/x.md": "x"})
    urls = f"{root}/HEAD/{FILE}", f"{root}/main/{SECRET}"
    async with registered(database, data, host, *urls, restarts=True) as catalog:
        assert await catalog.refs() >= {"component:web", "component:secret"}
        paths = [f"{branch}/handbook/docs/x.md", f"{branch}/handbook/mkdocs.yml"]
        assert await opened(catalog, root, paths) == []
        assert await opened(catalog, root, ["HEAD/docs/index.md"]) != []


def root_of(name: str, place: RepositoryPath) -> RootLocation:
    """A root that has one file."""
    location = LocationRef("url", f"https://x/{name}")
    state = FileState(location.entity_ref, str(location), "a digest", place=place)
    files = {(state.parent, state.location): state}
    return RootLocation(location, frozenset(), datetime.now(UTC), files=files)


def test_a_branch_is_meant_as_long_as_a_root_has_files_of_it() -> None:
    """Only addresses that leave their branch open are read anew."""
    place = RepositoryPath("x", "y", BRANCH, "a/b")
    open_place = RepositoryPath("x", "y", "release", "v3/a/b", is_open=True)
    exact = replace(open_place, is_open=False)
    elsewhere = replace(open_place, repository="z")
    branches = SlashedBranches()
    roots = [root_of(name, place) for name in ("one", "two")]
    for root in roots:
        branches.add(root)
    for root in roots:
        assert branches.whole(open_place) == place
        assert [branches.whole(one) for one in (exact, elsewhere)] == [exact, elsewhere]
        branches.discard(root.name)
    assert branches.whole(open_place) == open_place
