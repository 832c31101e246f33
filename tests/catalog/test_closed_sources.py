"""What closes a source that nothing comes from any more, and what does not."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.scanning import DesiredLocations, scan
from tests.catalog.running import Host, Running, generated, pointing, running
from tests.catalog.test_refused_sources import (
    VISIBILITY,
    is_closed,
    pushed,
    refused,
)
from tests.catalog.test_repository_names import FILE, provider, push
from tests.catalog.test_source_rights import MARK, entity, readable


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    """Nothing is hidden yet; the skeleton is compared with what is closed."""
    host.commit("goal", {FILE: entity("goal")})
    host.commit("skeleton", {"docs/x": "x"})
    async with running(database, data, host.discovering()) as started:
        yield started


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({FILE: None}, id="removed"),
        pytest.param({FILE: None, "catalog-info.yml": refused("hush")}, id="renamed"),
        pytest.param({FILE: ""}, id="emptied"),
        pytest.param({FILE: "# Nothing yet\n"}, id="only comments"),
        pytest.param({FILE: f"# {'x' * 10_500_000}\n"}, id="too large"),
        pytest.param({FILE: Path("/nowhere/outside")}, id="a link out"),
    ],
)
async def test_a_source_stays_closed_when_its_descriptor_is_gone(
    catalog: Running, host: Host, files: dict[str, Any]
) -> None:
    """Until an entity for everybody comes from it, also over scans and starts."""
    await pushed(catalog, host, "hush", refused("hush"))
    host.commit("hush", files)
    await push(catalog, host, "hush", *files)
    context = catalog.work.catalog
    is_unread = isinstance(files[FILE], Path) or len(files[FILE] or "") > 100
    assert ("component:hush" in await catalog.refs()) == is_unread
    assert await is_closed(catalog, host, "hush")
    name = generated(host.url("hush"), "url")
    assert context.state.is_restricted(f"location:default/{name}")
    for _ in range(2):
        await scan(context, DesiredLocations((), (provider(host),)), 1, print)
        assert await is_closed(catalog, host, "hush")
    for root in await context.roots.load(context.state.roots):
        context.state.put_root(root)
    assert await is_closed(catalog, host, "hush")
    await pushed(catalog, host, "hush", entity("open"))
    assert await readable(catalog, host.url("hush", "docs/secret.md"))


@pytest.mark.parametrize(
    "descriptor",
    [f"# {'x' * 10_500_000}\n", Path("/nowhere/outside"), Path("../../outside")],
    ids=["too large", "a link out", "a link above"],
)
async def test_a_descriptor_that_cannot_be_read_has_a_root(
    catalog: Running, host: Host, descriptor: Any
) -> None:
    """It shows what is wrong, and its repository is closed until that is mended."""
    host.commit("heavy", {FILE: descriptor, "docs/secret.md": MARK})
    await push(catalog, host, "heavy", FILE)
    assert await is_closed(catalog, host, "heavy")
    name = generated(host.url("heavy"), "url")
    [problem] = await catalog.problems(name)
    assert "over the limit" in problem or "leads outside the repository" in problem


async def test_the_location_of_a_refused_restricted_descriptor_is_hidden(
    catalog: Running, host: Host
) -> None:
    """It would tell that there is such a repository; who registers a file sees it."""
    await pushed(catalog, host, "hush", refused("no name"))
    name = generated(host.url("hush"), "url")
    state = catalog.work.catalog.state
    assert state.is_restricted(f"location:default/{name}")
    await pushed(catalog, host, "hush", entity("open"))
    assert not state.is_restricted(f"location:default/{name}")
    host.commit("goal", {"own.yaml": refused("no name")})
    answer = await catalog.register(host.url("goal", "own.yaml"))
    assert answer.status_code == 201
    own_name = generated(host.url("goal", "own.yaml"), "url")
    assert not state.is_restricted(f"location:default/{own_name}")


async def test_nobody_closes_a_repository_by_registering_a_file_of_it(
    database: Any, data: Path, host: Host
) -> None:
    """Nor by naming one in their own: a skeleton's descriptor, a page about hiding."""
    page = f"# Hiding\n\n    {VISIBILITY}: restricted\n\n`x: [`\n"
    files = {
        "skeleton/info.yaml": refused("${{ values.name }}"),
        "docs/hiding.md": page,
    }
    host.commit("guide", {**files, "docs/x": "x"})
    async with running(database, data, host.discovering()) as catalog:
        for path in files:
            answer = await catalog.register(host.url("guide", path))
            assert answer.status_code == 201, answer.text
        await pushed(
            catalog,
            host,
            "own",
            pointing("own", *(host.url("guide", path) for path in files)),
        )
        for place in ("blob/main/docs/hiding.md", "tree/main/skeleton", "tree/main/"):
            assert await readable(catalog, f"https://{host.name}/guide/{place}"), place
