"""What a restricted descriptor includes is as closed as the descriptor, and as long."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.scanning import DesiredLocations, scan
from services.catalog.model import ClosedFile, RepositoryPath
from services.catalog.planning import closing
from services.catalog.planning.closing import bounded
from tests.catalog.running import Host, Running, pointing, running
from tests.catalog.test_closed_sources import reads, vera
from tests.catalog.test_repository_names import FILE, provider, push
from tests.catalog.test_source_rights import MARK, entity, readable


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    async with running(database, data, host.discovering()) as started:
        yield started


def including(name: str, path: str, *, restricted: bool = True) -> dict[str, Any]:
    """An entity whose definition is in a file of its own."""
    document = entity(name, restricted=restricted)
    return document | {"spec": document["spec"] | {"definition": {"$text": path}}}


TEXTS = {"texts/api.md": MARK, "texts/other.md": "other"}
STARTED = {
    FILE: [entity("web"), pointing("all", "./svc/*.yaml")],
    "svc/h.yaml": including("hidden", "../texts/api.md"),
    **TEXTS,
}


async def pushed(catalog: Running, host: Host, files: dict[str, Any]) -> None:
    host.commit("hush", files)
    await push(catalog, host, "hush", *files)


async def is_open(catalog: Running, host: Host, *paths: str) -> list[bool]:
    return [await readable(catalog, host.url("hush", path)) for path in paths]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([{"svc/h.yaml": ""}], id="emptied"),
        pytest.param([{"svc/h.yaml": None}], id="removed"),
        pytest.param([{"svc/h.yaml": "kind: [\n"}], id="broken"),
        pytest.param([{"svc/h.yaml": "kind: [\n"}, {"svc/h.yaml": None}], id="later"),
        pytest.param([{FILE: [entity("web")]}], id="named no longer"),
        pytest.param(
            [{"svc/h.yaml": None, "v1/h.yaml": STARTED["svc/h.yaml"]}], id="moved"
        ),
    ],
)
async def test_what_a_closed_file_included_stays_closed(
    catalog: Running, host: Host, steps: list[dict[str, Any]]
) -> None:
    """It lies around something for everybody; a start changes nothing."""
    await pushed(catalog, host, STARTED)
    assert await is_open(catalog, host, *TEXTS) == [False, True]
    for step in steps:
        await pushed(catalog, host, step)
        assert await is_open(catalog, host, *TEXTS) == [False, True]
    context = catalog.work.catalog
    for root in await context.roots.load(list(context.state.roots)):
        context.state.put_root(root)
    assert await is_open(catalog, host, *TEXTS) == [False, True]
    assert await reads(catalog, host.url("hush", "texts/api.md"), vera())


@pytest.mark.parametrize("is_emptied", [False, True])
async def test_a_new_default_branch_opens_no_included_file(
    catalog: Running, host: Host, *, is_emptied: bool
) -> None:
    """The location of the old branch goes, with what it read and what it noted."""
    await pushed(catalog, host, STARTED)
    if is_emptied:
        await pushed(catalog, host, {"svc/h.yaml": ""})
    host.rename_branch("hush", "trunk")
    url = f"https://{host.name}/hush/blob/trunk/texts/"
    for _ in range(2):
        desired = DesiredLocations((), (provider(host),))
        await scan(catalog.work.catalog, desired, 1, print)
        assert not await readable(catalog, f"{url}api.md")
        assert await readable(catalog, f"{url}other.md")


@pytest.mark.parametrize("step", [{"svc/h.yaml": ""}, {FILE: [entity("web")]}])
@pytest.mark.parametrize("is_noted", [False, True])
async def test_what_an_earlier_version_noted_is_completed(
    catalog: Running, host: Host, step: dict[str, Any], *, is_noted: bool
) -> None:
    """It noted no includes, or its reading was broken off before it noted any file."""
    await pushed(catalog, host, STARTED)
    context = catalog.work.catalog
    [root] = [root for root in context.state.roots.values() if root.closed]
    closed = {name: replace(file, includes=()) for name, file in root.closed.items()}
    earlier_root = replace(root, closed=closed if is_noted else {})
    context.state.put_root(await context.roots.put(earlier_root))
    await pushed(catalog, host, step)
    assert await is_open(catalog, host, "svc/h.yaml", *TEXTS) == [False, False, True]


async def test_many_included_files_close_their_repository(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None of them is left out; files of few are noted one by one."""
    most = 1_000
    monkeypatch.setattr(closing, "MOST_INCLUDED", most)

    def file(repository: str, name: str, includes: int) -> ClosedFile:
        paths = tuple(f"{number:05}" for number in range(includes))
        place = RepositoryPath("git.example", repository, "", name)
        return ClosedFile(f"url:{repository}/{name}", place, includes=paths)

    small, large = file("small", "a", 2), file("large", "b", most // 5)
    files = {"small": small, "large": large}
    noted = (await bounded(files)).values()
    assert {(one.source, one.is_whole_source) for one in noted} == {
        (small.source, False),
        (large.source, True),
    }
    large = replace(large, includes=large.includes[:-2])
    assert await bounded(files | {"large": large}) == files | {"large": large}
    large = replace(large, entity={"kind": "Component"})
    [noted_file] = (await bounded({"large": large, "another": large})).values()
    assert noted_file == replace(large, entity=None)


async def test_what_something_for_everybody_includes_is_open(
    catalog: Running, host: Host
) -> None:
    """A closed file hides its texts as a hidden entity does."""
    await pushed(catalog, host, STARTED)
    await pushed(catalog, host, {"svc/h.yaml": ""})
    public = including("public", "../texts/api.md", restricted=False)
    await pushed(catalog, host, {"svc/p.yaml": public})
    assert "component:public" in await catalog.refs()
    assert await is_open(catalog, host, "texts/api.md", "svc/h.yaml") == [True, False]
