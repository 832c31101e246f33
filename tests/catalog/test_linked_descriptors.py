"""A restricted descriptor that is a link closes where it is and where it leads."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.running import Host, Running, pointing, running
from tests.catalog.test_closed_sources import reads, vera
from tests.catalog.test_refused_sources import refused
from tests.catalog.test_repository_names import FILE, push
from tests.catalog.test_source_rights import MARK, entity, readable

WEB, HIDDEN = entity("web"), refused("hidden")
LOCATION = pointing("all", "./pub/c.yaml", "./sec/c.yaml")
PUBLIC = {FILE: LOCATION, "pub/c.yaml": WEB, "pub/x": "x"}
REAL = {"real/c.yaml": HIDDEN, "real/secret.md": MARK}
SECRETS = ("real/c.yaml", "real/secret.md", "real/docs/index.md")


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    async with running(database, data, host.discovering()) as started:
        yield started


async def pushed(catalog: Running, host: Host, files: dict[str, Any]) -> None:
    host.commit("mixed", files)
    await push(catalog, host, "mixed", *files)


async def opened(catalog: Running, host: Host, *paths: str) -> list[str]:
    return [path for path in paths if await readable(catalog, host.url("mixed", path))]


@pytest.mark.parametrize(
    "link",
    [{"sec": Path("real")}, {"sec/c.yaml": Path("../real/c.yaml"), "sec/x": "x"}],
    ids=["a folder", "a file"],
)
async def test_what_a_link_leads_to_is_hidden_with_its_folder(
    catalog: Running, host: Host, link: dict[str, Any]
) -> None:
    """While the entity is there; its owners read it, and others what is theirs."""
    await pushed(catalog, host, {**PUBLIC, **REAL, **link})
    assert "component:hidden" in await catalog.refs()
    paths = (*SECRETS, "sec/x", "sec/c.yaml")
    assert await opened(catalog, host, *paths) == []
    for path in SECRETS:
        assert await reads(catalog, host.url("mixed", path), vera())
    assert await opened(catalog, host, "pub/x", FILE) == ["pub/x", FILE]


@pytest.mark.parametrize(
    "commit",
    [
        pytest.param({FILE: Path("other.yaml"), "other.yaml": WEB}, id="another link"),
        pytest.param({FILE: WEB}, id="a file"),
        pytest.param(
            {
                FILE: WEB,
                **dict.fromkeys(REAL),
                "moved/c.yaml": HIDDEN,
                "moved/secret.md": MARK,
            },
            id="and its folder moved",
        ),
    ],
)
async def test_a_link_that_is_replaced_opens_nothing(
    catalog: Running, host: Host, commit: dict[str, Any]
) -> None:
    """What it led to is as restricted as before, wherever Git says it went."""
    await pushed(catalog, host, {FILE: Path("real/c.yaml"), **REAL})
    assert "component:hidden" in await catalog.refs()
    await pushed(catalog, host, commit)
    assert await catalog.refs() >= {"component:web"}
    moved = [path for path in commit if path.startswith("moved/")]
    assert await opened(catalog, host, *(moved or REAL)) == []
    await pushed(catalog, host, {"README.md": "# Read me"})
    assert await opened(catalog, host, *(moved or REAL)) == []


async def test_a_folder_that_a_link_no_longer_leads_to_stays_hidden(
    catalog: Running, host: Host
) -> None:
    """`git mv` of what the link leads to: it leads nowhere then."""
    await pushed(catalog, host, {**PUBLIC, **REAL, "sec": Path("real")})
    files = {"real2/c.yaml": HIDDEN, "real2/secret.md": MARK}
    await pushed(catalog, host, dict.fromkeys(REAL) | files)
    assert await opened(catalog, host, *files) == []
    await pushed(catalog, host, {"sec": None, FILE: pointing("all", "./pub/c.yaml")})
    assert await opened(catalog, host, *files) == []
    assert await opened(catalog, host, "pub/x") == ["pub/x"]


async def test_a_link_to_what_is_for_everybody_opens_that(
    catalog: Running, host: Host
) -> None:
    """The file that it leads to says so itself."""
    await pushed(catalog, host, {**PUBLIC, **REAL, "sec": Path("real")})
    await pushed(catalog, host, {"real/c.yaml": entity("hidden")})
    assert await opened(catalog, host, *SECRETS) == [*SECRETS]


async def test_a_broken_descriptor_that_is_moved_takes_its_folder_along(
    catalog: Running, host: Host
) -> None:
    """Git compares it with what it was before the move, not with its last good text."""
    files = {"sec/c.yaml": HIDDEN, "sec/secret.md": MARK}
    await pushed(catalog, host, {**PUBLIC, **files})
    await pushed(catalog, host, {"sec/c.yaml": "a: ["})
    moved = {"zzz/c.yaml": "a: [", "zzz/secret.md": MARK}
    await pushed(catalog, host, dict.fromkeys(files) | moved)
    assert await opened(catalog, host, *moved) == []


@pytest.mark.parametrize("is_shared", [False, True])
async def test_a_folder_of_docs_of_hidden_entities_is_hidden(
    catalog: Running, host: Host, is_shared: bool
) -> None:
    """Unless docs of others are built from it as well."""
    reference = {"backstage.io/techdocs-ref": "dir:../docs"}
    hidden = refused("hidden", **reference)
    public = entity("web")
    if is_shared:
        public["metadata"].setdefault("annotations", {}).update(reference)
    files = {**PUBLIC, "pub/c.yaml": public, "sec/c.yaml": hidden}
    await pushed(catalog, host, {**files, "docs/index.md": MARK, "x/y": "y"})
    assert "component:hidden" in await catalog.refs()
    is_open = await opened(catalog, host, "docs/index.md", "x/y")
    assert is_open == (["docs/index.md", "x/y"] if is_shared else ["x/y"])


async def test_a_link_to_a_file_of_the_same_content_closes_that(
    catalog: Running, host: Host
) -> None:
    """Also where nothing else tells that it leads elsewhere now."""
    hidden = refused("hidden")
    hidden["metadata"]["description"] = {"$text": "./words.md"}
    folders = {f"{name}/c.yaml": hidden for name in ("real", "other")}
    secrets = dict.fromkeys(("real/secret.md", "other/secret.md"), MARK)
    files = {"words.md": "words", **folders, **secrets}
    await pushed(catalog, host, {**files, FILE: Path("real/c.yaml")})
    assert "component:hidden" in await catalog.refs()
    await pushed(catalog, host, {FILE: Path("other/c.yaml")})
    root = catalog.work.catalog.state.roots_of(f"{host.name}/mixed")[0]
    [state] = root.files.values()
    assert state.linked is not None
    assert state.linked.place.path == "other/c.yaml"
    assert await opened(catalog, host, *folders, *secrets) == []


NEW = {"real/c.yaml": refused("hidden", note="edited")}


@pytest.mark.parametrize(
    "commit",
    [
        pytest.param(
            {**NEW, "real/secret.md": None}
            | {"old/c.yaml": HIDDEN, "old/secret.md": MARK},
            id="moved aside",
        ),
        pytest.param(
            {"pub/c.yaml": Path("../new/c.yaml"), "new/c.yaml": NEW["real/c.yaml"]},
            id="the link leads elsewhere",
        ),
    ],
)
async def test_an_old_version_behind_a_link_stays_closed(
    catalog: Running, host: Host, commit: dict[str, Any]
) -> None:
    """The restricted entity comes anew from another file by the same link."""
    locations = {FILE: [WEB, pointing("all", "./pub/c.yaml")], "x": "x"}
    await pushed(
        catalog, host, locations | REAL | {"pub/c.yaml": Path("../real/c.yaml")}
    )
    assert "component:hidden" in await catalog.refs()
    for files in (commit, {FILE: locations[FILE] + [entity("more")]}):
        await pushed(catalog, host, files)
        old = "old" if "old/c.yaml" in commit else "real"
        assert await opened(catalog, host, f"{old}/c.yaml", f"{old}/secret.md") == []
        assert await opened(catalog, host, "x", FILE) == ["x", FILE]
