"""What is moved away stays closed, whatever comes to its old place in the same push."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.running import Host, Running, pointing, running
from tests.catalog.test_refused_sources import refused
from tests.catalog.test_repository_names import FILE, push
from tests.catalog.test_source_rights import MARK, entity, readable

HIDDEN, WEB = refused("hidden"), entity("web")
SECRET = {"docs/secret.md": MARK, "mkdocs.yml": "site_name: Secret\n"}
MOVED = {f"private/{name}": content for name, content in SECRET.items()}


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    async with running(database, data, host.discovering()) as started:
        yield started


async def pushed(
    catalog: Running, host: Host, *commits: dict[str, Any], name: str = "hush"
) -> None:
    """Some commits in one push."""
    for files in commits:
        host.commit(name, files)
    await push(catalog, host, name, *{path for files in commits for path in files})


async def is_open(catalog: Running, host: Host, *paths: str) -> list[bool]:
    return [await readable(catalog, host.url("hush", path)) for path in paths]


GOING = {FILE: None, **dict.fromkeys(SECRET), "private/info.yaml": HIDDEN, **MOVED}


@pytest.mark.parametrize(
    "commits",
    [
        pytest.param([GOING | {FILE: WEB}], id="one commit"),
        pytest.param([GOING, {FILE: WEB}], id="two commits"),
        pytest.param(
            [GOING | {FILE: pointing("all", "./private/inof.yaml")}],
            id="a Location with a mistake",
        ),
    ],
)
async def test_a_descriptor_that_is_moved_and_replaced_closes_its_new_folder(
    catalog: Running, host: Host, commits: list[dict[str, Any]]
) -> None:
    """The author published what is new, not what went into a folder of its own."""
    await pushed(catalog, host, {FILE: HIDDEN, **SECRET})
    assert "component:hidden" in await catalog.refs()
    await pushed(catalog, host, *commits)
    paths = ("private/info.yaml", "private/docs/secret.md", "private/mkdocs.yml")
    assert await is_open(catalog, host, *paths) == [False] * 3
    await pushed(catalog, host, {"README.md": "# Read me"})
    assert await is_open(catalog, host, *paths) == [False] * 3
    await pushed(catalog, host, {"private/info.yaml": None})
    assert await is_open(catalog, host, *paths[1:]) == [False] * 2


async def test_a_document_that_is_split_from_a_file_stays_closed(
    catalog: Running, host: Host
) -> None:
    """The file that it was in is open, as what is left of it is for everybody."""
    await pushed(catalog, host, {FILE: [WEB, HIDDEN], "x": "x"})
    assert await is_open(catalog, host, FILE) == [False]
    await pushed(catalog, host, {FILE: [WEB], "later/hidden.yaml": [HIDDEN]})
    assert await is_open(catalog, host, FILE, "later/hidden.yaml") == [True, False]
    assert await is_open(catalog, host, "later/x", "x") == [False, True]


async def test_a_folder_of_a_pattern_that_is_moved_and_replaced_stays_closed(
    catalog: Running, host: Host
) -> None:
    """It matches the pattern no more; another folder has its place."""
    start = {FILE: pointing("all", "./c/*/e.yaml"), "c/b/e.yaml": HIDDEN}
    await pushed(catalog, host, start | {"c/b/plan.md": MARK})
    assert "component:hidden" in await catalog.refs()
    moved = {"c2/e.yaml": HIDDEN, "c2/plan.md": MARK, "c/b/plan.md": None}
    await pushed(catalog, host, {"c/b/e.yaml": WEB, **moved})
    assert "component:web" in await catalog.refs()
    assert await is_open(catalog, host, "c2/e.yaml", "c2/plan.md") == [False] * 2
    assert await is_open(catalog, host, "c/b/e.yaml") == [True]


async def test_what_comes_to_be_named_again_decides_for_itself(
    catalog: Running, host: Host
) -> None:
    """A like file of the same push that is for everybody is open."""
    await pushed(catalog, host, {FILE: HIDDEN, "x": "x"})
    locations = pointing("all", "./web/info.yaml")
    await pushed(catalog, host, {FILE: locations, "web/info.yaml": WEB})
    assert await is_open(catalog, host, "web/info.yaml", "web/x") == [True] * 2
