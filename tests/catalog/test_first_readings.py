"""A root whose first reading was broken off, or is under way, hears of pushes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.roots import ensure_root
from services.catalog.model import REGISTERED, LocationRef
from tests.builders import component
from tests.catalog.running import Host, Running, running
from tests.catalog.test_repository_names import FILE, provider, push


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    host.commit("web", {FILE: component("web")})
    async with running(database, data, host.config()) as started:
        yield started


@pytest.mark.parametrize("is_discovered", [True, False])
async def test_a_push_reads_what_was_never_read_whole(
    catalog: Running, host: Host, is_discovered: bool
) -> None:
    """The process was killed after it stored the root: nothing else would read it."""
    context = catalog.work.catalog
    location = LocationRef("url", host.url("web"))
    by = provider(host).provider_id if is_discovered else REGISTERED
    root = await ensure_root(context, location, by, registrant="user:default/bo")
    assert not root.settled
    assert not context.state.emitted_by(root.location.entity_ref)
    await push(catalog, host, "web", FILE)
    assert "component:web" in await catalog.refs()
    assert context.state.roots[root.name].settled
    assert [r.name for r in context.state.roots_of(f"{host.name}/web")] == [root.name]


async def test_a_root_that_goes_before_it_was_read_is_forgotten(
    catalog: Running, host: Host
) -> None:
    """No push looks for it any more."""
    context = catalog.work.catalog
    location = LocationRef("url", host.url("web"))
    root = await ensure_root(context, location, REGISTERED)
    context.state.drop_root(root.name)
    assert context.state.roots_of(f"{host.name}/web") == []
