"""What is moved away stays closed, whatever comes to its old place in the same push."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.kit.git.mirrors import RepositoryMirrors
from tests.catalog.running import Host, Running, pointing, running
from tests.catalog.test_closed_sources import reads, vera
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


VERSIONS = {FILE: [WEB, pointing("all", "./svc/h.yaml")], "svc/h.yaml": HIDDEN}
EDITED = entity("hidden", restricted=True, type="website")
MOVING = {"svc-v1/h.yaml": HIDDEN, "svc-v1/plan.md": MARK, "svc/plan.md": None}


@pytest.mark.parametrize(
    "commits",
    [
        pytest.param([MOVING | {"svc/h.yaml": EDITED}], id="one commit"),
        pytest.param(
            [MOVING | {"svc/h.yaml": None}, {"svc/h.yaml": EDITED}], id="two commits"
        ),
        pytest.param([MOVING | {"svc/h.yaml": "<<<<<<< ours"}], id="broken"),
        pytest.param([MOVING | {"svc/h.yaml": "#" * 2**24}], id="too large"),
        pytest.param(
            [MOVING | {"svc/h.yaml": [EDITED, refused("second")]}], id="and another"
        ),
        pytest.param([MOVING | {"svc/h.yaml": refused("second")}], id="another"),
        pytest.param(
            [
                MOVING
                | {"svc/h.yaml": None, "lib/h.yaml": EDITED}
                | {FILE: [WEB, pointing("all", "./lib/h.yaml")]}
            ],
            id="elsewhere",
        ),
    ],
)
@pytest.mark.parametrize("is_whole", [False, True])
async def test_an_old_version_that_is_moved_aside_stays_closed(
    catalog: Running, host: Host, commits: list[dict[str, Any]], *, is_whole: bool
) -> None:
    """The same entity comes anew, from its place or another; the old is no target."""
    await pushed(catalog, host, VERSIONS | {"svc/plan.md": MARK, "x": "x"})
    assert "component:hidden" in await catalog.refs()
    for files in commits:
        host.commit("hush", files)
    changed_paths = {path for files in commits for path in files}
    await push(catalog, host, "hush", *(() if is_whole else changed_paths))
    paths = ("svc-v1/h.yaml", "svc-v1/plan.md", "x")
    assert await is_open(catalog, host, *paths) == [False, False, True]
    await pushed(catalog, host, {FILE: [WEB]})
    assert await is_open(catalog, host, *paths) == [False, False, True]
    await pushed(catalog, host, {"svc-v1/h.yaml": None, "svc-v2/h.yaml": HIDDEN})
    assert await is_open(catalog, host, "svc-v2/h.yaml", "x") == [False, True]


async def test_an_old_version_that_is_closed_opens_by_what_it_brings_alone(
    catalog: Running, host: Host
) -> None:
    """Its owners read it meanwhile; its entity may go from place to place."""
    await pushed(catalog, host, VERSIONS)
    await pushed(catalog, host, MOVING | {"svc/plan.md": MARK, "svc/h.yaml": EDITED})
    old_url = host.url("hush", "svc-v1/h.yaml")
    assert await reads(catalog, old_url, vera())
    for path in ("lib/h.yaml", "svc/h.yaml"):
        locations = [WEB, pointing("all", f"./{path}")]
        await pushed(catalog, host, {FILE: locations, path: EDITED})
        assert not await readable(catalog, old_url)
    locations = [WEB, pointing("all", "./svc/h.yaml", "./svc-v1/h.yaml")]
    await pushed(catalog, host, {FILE: locations, "svc-v1/h.yaml": entity("first")})
    assert "component:first" in await catalog.refs()
    assert await is_open(catalog, host, "svc-v1/h.yaml", "svc/h.yaml") == [True, False]
    await pushed(catalog, host, {FILE: [WEB], "svc-v1/h.yaml": None})
    assert await is_open(catalog, host, "svc-v1/plan.md", "svc/h.yaml") == [True, False]


async def test_what_is_only_like_a_file_is_no_old_version_of_it(
    catalog: Running, host: Host
) -> None:
    """A skeleton and a new service's descriptor, of this push or of another before."""
    like = refused("${{ values.name }}")
    skeleton = {"t/skeleton/catalog-info.yaml": like, "t/skeleton/x": "x"}
    service = {"new/info.yaml": refused("new"), "new/x": "x"}
    await pushed(catalog, host, VERSIONS)
    await pushed(catalog, host, skeleton)
    await pushed(catalog, host, service | {"svc/h.yaml": EDITED})
    paths = (*skeleton, *service)
    assert await is_open(catalog, host, *paths) == [True] * 4
    moved = {
        "svc/h.yaml": None,
        "lib/h.yaml": EDITED,
        "more/info.yaml": refused("more"),
    }
    locations = [WEB, pointing("all", "./lib/h.yaml")]
    await pushed(catalog, host, moved | {FILE: locations})
    assert "component:hidden" in await catalog.refs()
    assert await is_open(catalog, host, *paths, "more/info.yaml") == [True] * 5


async def test_old_versions_of_one_push_cost_one_question(
    catalog: Running, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git is not started for files that a push leaves as they are."""
    names = [f"c/{number}/h.yaml" for number in range(5)]
    files = {name: refused(f"h-{number}") for number, name in enumerate(names)}
    await pushed(catalog, host, {FILE: [WEB, pointing("all", "./c/*/h.yaml")], **files})
    questions: list[Any] = []
    renames = RepositoryMirrors.renames

    async def counted(*arguments: Any, **options: Any) -> Any:
        questions.append(arguments[1:])
        return await renames(*arguments, **options)

    monkeypatch.setattr(RepositoryMirrors, "renames", counted)
    for path in (FILE, "README.md"):
        await pushed(catalog, host, {path: [WEB, pointing("all", "./c/*/h.yaml")]})
    assert questions == []
    moved = {f"old/{name}": document for name, document in files.items()}
    edited = {
        name: refused(f"h-{number}", note="edited")
        for number, name in enumerate(names[:3])
    }
    await pushed(catalog, host, moved | edited)
    assert len(questions) == 1
    old_paths = [f"old/{name}" for name in names[:3]]
    assert await is_open(catalog, host, *old_paths) == [False] * 3
    await push(catalog, host, "hush")
    assert len(questions) == 1
