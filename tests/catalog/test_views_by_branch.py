"""What something visible of one branch opens is that branch's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.source_views import SourceView
from services.catalog.model import RepositoryPath
from tests.catalog.running import Host, Running, run, running
from tests.catalog.test_closed_sources import reads, vera
from tests.catalog.test_refused_sources import refused
from tests.catalog.test_repository_names import FILE, push
from tests.catalog.test_source_rights import MARK, entity, readable

VISIBLE, HIDDEN = True, False


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    """A released version for everybody of what is hidden on the default branch."""
    host.commit("mixed", {FILE: entity("released"), "docs/x": "x"})
    run("git", "branch", "v1", "main", cwd=host.bare / "mixed.git")
    host.commit("mixed", {FILE: refused("hush"), "docs/x": MARK})
    async with running(database, data, host.discovering()) as started:
        answer = await started.register(address(host, "v1", FILE))
        assert answer.status_code == 201, answer.text
        assert await started.refs() >= {"component:hush", "component:released"}
        yield started


def address(host: Host, branch: str, path: str) -> str:
    return f"https://{host.name}/mixed/blob/{branch}/{path}"


async def opened(catalog: Running, host: Host) -> list[str]:
    branches = ("v1", "main", "HEAD")
    urls = {branch: address(host, branch, "docs/x") for branch in branches}
    return [branch for branch, url in urls.items() if await readable(catalog, url)]


async def test_a_visible_version_opens_nothing_of_the_default_branch(
    catalog: Running, host: Host
) -> None:
    """Under whatever name; its own branch it opens."""
    assert await opened(catalog, host) == ["v1"]
    whole = f"https://{host.name}/mixed"
    assert not await readable(catalog, f"{whole}/tree/HEAD/docs")
    assert not await readable(catalog, f"{whole}/tree/HEAD/")
    assert not await readable(catalog, whole)
    for branch in ("v1", "main", "HEAD"):
        assert await reads(catalog, address(host, branch, "docs/x"), vera())


async def test_a_closed_file_is_closed_beside_a_visible_version(
    catalog: Running, host: Host
) -> None:
    """Until something for everybody comes from the default branch itself."""
    for content in ("", None):
        host.commit("mixed", {FILE: content})
        await push(catalog, host, "mixed", FILE)
        assert await opened(catalog, host) == ["v1"]
    host.commit("mixed", {FILE: entity("open")})
    await push(catalog, host, "mixed", FILE)
    assert await opened(catalog, host) == ["v1", "main", "HEAD"]


@pytest.mark.parametrize("branch", ["HEAD", "next"])
async def test_a_file_of_another_branch_opens_no_closed_one(
    catalog: Running, host: Host, branch: str
) -> None:
    """Neither one of the default branch, nor that one of it."""
    host.commit("two", {FILE: refused("quiet"), "docs/x": MARK})
    bare = host.bare / "two.git"
    run("git", "branch", "-f", "next", "main", cwd=bare)
    root = f"https://{host.name}/two/blob"
    await catalog.register(f"{root}/{branch}/{FILE}")
    assert "component:quiet" in await catalog.refs()
    host.commit("two", {FILE: ""})
    run("git", "branch", "-f", "next", "main", cwd=bare)
    await catalog.register(f"{root}/{branch}/{FILE}", "?onConflict=refresh")
    assert "component:quiet" not in await catalog.refs()
    assert not await readable(catalog, f"{root}/{branch}/docs/x")
    other = "v1" if branch == "HEAD" else "HEAD"
    host.commit("two", {FILE: entity("open")})
    run("git", "branch", "-f", "v1", "main", cwd=bare)
    await catalog.register(f"{root}/{other}/{FILE}")
    assert "component:open" in await catalog.refs()
    assert not await readable(catalog, f"{root}/{branch}/docs/x")
    assert await readable(catalog, f"{root}/{other}/docs/x")


def view_of(*files: tuple[str, str, bool]) -> SourceView:
    view = SourceView()
    for branch, path, is_visible in files:
        view.add(RepositoryPath("h", "r", branch, path), is_visible=is_visible)
    return view


TOP = "c.yaml"


@pytest.mark.parametrize(
    ("files", "opened"),
    [
        pytest.param(
            [("main", "a/c", VISIBLE), ("main", TOP, HIDDEN)],
            ["main", ""],
            id="one branch",
        ),
        pytest.param(
            [("", "a/c", VISIBLE), ("", TOP, HIDDEN)], [""], id="the default branch"
        ),
        pytest.param(
            [("v1", "a/c", VISIBLE), ("main", TOP, HIDDEN)],
            ["v1"],
            id="another branch's folder below",
        ),
        pytest.param(
            [("v1", "a/c", VISIBLE), ("", TOP, HIDDEN)],
            ["v1"],
            id="below a folder of the default branch",
        ),
        pytest.param(
            [("v1", TOP, VISIBLE), ("main", "a/c", HIDDEN)], [], id="a folder above"
        ),
        pytest.param(
            [
                ("main", "b/c", VISIBLE),
                ("v1", "a/c", VISIBLE),
                ("main", TOP, HIDDEN),
            ],
            ["v1"],
            id="a folder that is hidden on a branch of something visible",
        ),
        pytest.param(
            [
                ("main", "b/c", VISIBLE),
                ("v1", "a/c", VISIBLE),
                ("main", "z/c", HIDDEN),
            ],
            ["v1", ""],
            id="beside what is hidden",
        ),
        pytest.param(
            [("", "a/c", VISIBLE), ("main", "b/c", VISIBLE), ("main", "z/c", HIDDEN)],
            ["main", ""],
            id="of the default branch, beside what is hidden",
        ),
        pytest.param(
            [("main", "a/c", VISIBLE), ("main", "a/d", HIDDEN), ("v1", "a/c", VISIBLE)],
            ["main", "v1", ""],
            id="in one folder",
        ),
        pytest.param(
            [("v1", "a/c", VISIBLE), ("main", "a/d", HIDDEN), ("v1", TOP, HIDDEN)],
            ["v1"],
            id="in one folder of two branches",
        ),
    ],
)
def test_a_folder_is_shown_on_the_branch_of_what_is_visible_there(
    files: list[tuple[str, str, bool]], opened: list[str]
) -> None:
    """And on the default one where no branch hides it that it may be."""
    view = view_of(*files)
    places = [RepositoryPath("h", "r", branch, "a/x") for branch in ("main", "v1", "")]
    branches = [
        place.branch
        for place in places
        if view.has_branch(place) and view.lies_around(place, raw=True)
    ]
    assert branches == opened


def test_a_hidden_file_is_not_shown_by_one_of_another_branch() -> None:
    """Neither where entities alone are read, nor in a repository closed whole."""
    view = view_of(("v1", "a/c", VISIBLE), ("main", "a/c", HIDDEN))
    view.add(RepositoryPath("h", "r", "main", "a/d"), is_visible=True)
    visible, *hidden = (
        RepositoryPath("h", "r", branch, "a/c") for branch in ("v1", "main", "")
    )
    assert view.lies_around(visible, raw=False)
    assert not any(view.lies_around(place, raw=False) for place in hidden)
    view.add(visible.root, is_visible=False)
    assert view.lies_around(visible, raw=True)
    assert not any(view.lies_around(place, raw=True) for place in hidden)


async def test_a_place_of_a_visible_branch_is_shown_as_a_whole() -> None:
    """A folder of docs, and a file: another branch's are hidden by its name alone."""
    view = view_of(
        ("main", "a/c", VISIBLE), ("", "b/c", VISIBLE), ("dev", "b/c", HIDDEN)
    )
    await view.hide_docs([("dev", "a/docs")], [("main", "a/docs")])
    for branch, path in (("main", "a/docs"), ("main", "a/docs/x"), ("", "b/c")):
        assert view.lies_around(RepositoryPath("h", "r", branch, path), raw=False)
    assert view.lies_around(RepositoryPath("h", "r", "main", "a/docs"), raw=True)
    assert not view.lies_around(RepositoryPath("h", "r", "dev", "a/docs"), raw=True)


async def test_what_is_included_on_another_branch_stays_hidden(
    catalog: Running, host: Host
) -> None:
    """A version's own text stays readable there, and the rest of the branch too."""
    released, quiet = entity("released"), refused("quiet")
    released["metadata"]["description"] = {"$text": "./texts/a.md"}
    quiet["metadata"]["description"] = {"$text": "../texts/a.md"}
    host.commit("mixed", {FILE: released, "texts/a.md": "words"})
    run("git", "branch", "-f", "v1", "main", cwd=host.bare / "mixed.git")
    host.commit("mixed", {FILE: entity("top"), "s/c.yaml": quiet, "texts/a.md": MARK})
    await push(catalog, host, "mixed", FILE, "texts/a.md")
    for branch, path in (("v1", FILE), ("main", "s/c.yaml")):
        await catalog.register(address(host, branch, path), "?onConflict=refresh")
    assert await catalog.refs() >= {"component:quiet", "component:top"}
    for branch, is_open in (("v1", True), ("main", False), ("HEAD", False)):
        url = address(host, branch, "texts/a.md")
        assert await readable(catalog, url) == is_open, branch
        assert await readable(catalog, address(host, branch, "docs/x")), branch
