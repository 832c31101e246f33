"""Location entities that move: between the files and the Locations that name them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests import builders
from tests.catalog.running import Host, Running, pointing, running

FILE = "catalog-info.yaml"
WEB = "component:default/web"
INNER = "location:default/inner"


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    async with running(database, data, host.config()) as started:
        yield started


async def push(catalog: Running, host: Host, files: dict[str, Any]) -> None:
    """Push files, have the repository read, and see that the next reading agrees."""
    host.commit("shop", files)
    for _ in range(2):
        await catalog.register(host.url("shop"), "?onConflict=refresh")


async def parents_of(catalog: Running, ref: str) -> set[str]:
    parents = catalog.work.catalog.state.parents(ref)
    assert parents is not None, f"{ref} is gone"
    return set(parents)


async def test_a_location_that_names_its_own_file_is_no_error(
    catalog: Running, host: Host
) -> None:
    """The file is read once more, and the Location does not keep itself alive."""
    files = [pointing("all", f"./{FILE}", "./web.yaml"), builders.component("cart")]
    await push(catalog, host, {FILE: files, "web.yaml": builders.component("web")})
    assert await catalog.refs() == {"location:all", "component:cart", "component:web"}
    assert await catalog.problems("all") == []
    await push(catalog, host, {FILE: [builders.component("cart")]})
    assert await catalog.refs() == {"component:cart"}


@pytest.mark.parametrize("moves_to_file", [False, True])
async def test_entities_below_a_moved_location_stay(
    catalog: Running, host: Host, moves_to_file: bool
) -> None:
    """The moved Location's own file is unchanged and is not read again."""
    inner = pointing("inner", "./web.yaml")
    one, two = pointing("one", "./inner.yaml"), pointing("two", "./cart.yaml")
    await push(
        catalog,
        host,
        {
            FILE: [one, two],
            "inner.yaml": inner,
            "cart.yaml": builders.component("cart"),
            "web.yaml": builders.component("web"),
        },
    )
    before = await catalog.entity(WEB)
    one = pointing("one", "./cart.yaml")
    two = pointing("two", "./inner.yaml")
    await push(catalog, host, {FILE: [one, inner] if moves_to_file else [one, two]})
    after = await catalog.entity(WEB)
    assert before is not None
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    [above] = await parents_of(catalog, INNER)
    assert above.startswith("location:default/")
    assert above != "location:default/one"
    assert (above == "location:default/two") is not moves_to_file
