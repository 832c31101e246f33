"""A root whose first reading was broken off, or is under way, hears of pushes."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers import pushes
from services.catalog.handlers.catalog import context_for
from services.catalog.handlers.discovery import discover
from services.catalog.handlers.roots import ensure_root, resume
from services.catalog.model import REGISTERED, LocationRef, RootLocation
from shared.contracts.errors import Unavailable
from tests.builders import component
from tests.catalog.running import Host, Running, running
from tests.catalog.test_refused_sources import is_closed, refused
from tests.catalog.test_repository_names import FILE, provider, push
from tests.catalog.test_source_rights import MARK, entity


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


@pytest.mark.parametrize("next_step", ["push", "scan", "start"])
async def test_a_broken_off_reading_opens_nothing(
    database: Any, data: Path, host: Host, next_step: str
) -> None:
    """Its entity was written and nothing of it noted; then its file goes."""
    host.commit("goal", {FILE: entity("goal")})
    host.commit("skeleton", {"docs/x": "x"})
    async with running(database, data, host.discovering()) as catalog:
        context = catalog.work.catalog
        host.commit("hush", {FILE: refused("hush"), "docs/secret.md": MARK})
        await push(catalog, host, "hush", FILE)
        assert "component:hush" in await catalog.refs()
        [root] = context.state.roots_of(f"{host.name}/hush")
        stored = await context.roots.put(
            replace(root, files={}, closed={}, settled=False)
        )
        assert stored is not None
        context.state.put_root(stored)
        host.commit("hush", {FILE: None})
        if next_step == "push":
            await push(catalog, host, "hush", FILE)
        elif next_step == "start":
            await resume(context, context_for("scan"), print)
        else:
            await discover(context, provider(host), context_for("scan"), print)
        assert await is_closed(catalog, host, "hush")
        await resume(context, context_for("scan"), print)
        assert "component:hush" not in await catalog.refs()
        assert await is_closed(catalog, host, "hush")


async def test_a_new_default_branch_takes_over_what_was_not_noted(
    catalog: Running, host: Host
) -> None:
    """The location of the old branch was made by an earlier version."""
    context = catalog.work.catalog
    host.commit("hush", {FILE: refused("hush"), "docs/secret.md": MARK})
    await push(catalog, host, "hush", FILE)
    [root] = context.state.roots_of(f"{host.name}/hush")
    stored = await context.roots.put(replace(root, closed={}))
    assert stored is not None
    context.state.put_root(stored)
    host.commit("hush", {FILE: ""})
    host.rename_branch("hush", "trunk")
    for _ in range(2):
        await discover(context, provider(host), context_for("scan"), print)
    [root] = context.state.roots_of(f"{host.name}/hush")
    assert "/trunk/" in str(root.location)
    assert list(root.closed) == ["component:default/hush"]


async def test_a_root_that_cannot_be_read_keeps_no_push_from_others(
    catalog: Running, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another host, which it names, may be away; the push is read again then."""
    context = catalog.work.catalog
    host.commit("web", {f"{name}.yaml": component(name) for name in "abc"})
    for name in "abc":
        await catalog.register(host.url("web", f"{name}.yaml"))
    first = context.state.roots_of(f"{host.name}/web")[0]

    async def ingest(catalog: Any, root: RootLocation, *rest: Any, **only: Any) -> Any:
        if root.name == first.name:
            raise Unavailable("another host is away")
        return await pushes_ingest(catalog, root, *rest, **only)

    pushes_ingest = pushes.ingest
    monkeypatch.setattr(pushes, "ingest", ingest)
    host.commit("web", {f"{name}.yaml": component(f"new-{name}") for name in "abc"})
    with pytest.raises(Unavailable, match="another host"):
        await push(catalog, host, "web", "a.yaml", "b.yaml", "c.yaml")
    new_refs = {ref for ref in await catalog.refs() if ref.startswith("component:new-")}
    assert len(new_refs) == 2
    monkeypatch.undo()
    await push(catalog, host, "web", "a.yaml", "b.yaml", "c.yaml")
    assert await catalog.refs() >= {f"component:new-{name}" for name in "abc"}
