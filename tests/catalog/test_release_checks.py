"""A location that is to go is checked as it is when it goes, not when that was decided.

What goes waits for a reading that has the location's lock; the reading may bring what
is not the caller's to delete, or what has to stay closed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.catalog import context_for
from services.catalog.handlers.discovery import discover
from services.catalog.handlers.dismissal import delete_abandoned
from services.catalog.model import ClosedFile
from shared.kit.http.service_tokens import Grant
from tests.catalog.running import Host, Running, generated, running
from tests.catalog.test_refused_sources import pushed, refused
from tests.catalog.test_registrants import bo, registered
from tests.catalog.test_repository_names import FILE, provider, push, reports
from tests.catalog.test_source_rights import entity, readable
from tests.waiting import until

MINE = entity("mine")
MINE["spec"]["owner"] = "group:default/b"


@pytest.fixture
async def both(
    database: Any, data: Path, host: Host, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Running, Running]]:
    """Two processes of one catalog with a discovered repository."""
    host.commit("goal", {FILE: entity("goal")})
    folder = tmp_path_factory.mktemp("second")
    async with (
        running(database, data, host.discovering()) as one,
        running(database, folder, host.discovering()) as other,
    ):
        yield one, other


@asynccontextmanager
async def waiting(
    catalog: Running, name: str, *steps: Awaitable[Any]
) -> AsyncIterator[list[asyncio.Future[Any]]]:
    """Steps that wait for a location's lock, in this order, while the block runs."""
    root = catalog.work.catalog.state.roots[name]
    lock = catalog.work.catalog.lock(root)
    futures: list[asyncio.Future[Any]] = []
    async with lock:
        for count, step in enumerate(steps, 1):
            future = asyncio.ensure_future(step)
            futures.append(future)
            await until(lambda: future.done() or len(lock._waiters or ()) == count)  # noqa: B023
            assert not future.done()
        yield futures


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("is_elsewhere", [False, True])
async def test_a_registration_that_came_to_bring_others_entities_stays(
    both: tuple[Running, Running], host: Host, is_moved: bool, is_elsewhere: bool
) -> None:
    """Whether this process or another one read them while the removal waited."""
    one, other = both
    host.commit("shop", {"a.yaml": MINE, "docs/x": "x"})
    host.commit("next", {"b.yaml": entity("next")})
    url, next_url = host.url("shop", "a.yaml"), host.url("next", "b.yaml")
    identity = (await registered(one, url))["location"]["id"]
    await other.work.follower.catch_up()
    path, body = f"/locations/{identity}", {"type": "url", "target": next_url}
    who = bo("catalog.location.delete")
    creates = {**who.also, "catalog.location.create": Grant("allow")}
    removal = one.ask("DELETE", path, None, who)
    if is_moved:
        removal = one.ask("PUT", path, body, replace(who, also=creates))
    catalog = one.work.catalog
    name = generated(url, "url")
    host.commit("shop", {"a.yaml": [MINE, refused("hush")]})
    steps = [] if is_elsewhere else [push(one, host, "shop", "a.yaml")]
    async with waiting(one, name, *steps, removal) as futures:
        if is_elsewhere:
            await push(other, host, "shop", "a.yaml")
    *_, answer = await asyncio.gather(*futures)
    assert answer.status_code == 403
    await one.work.follower.catch_up()
    assert name in catalog.state.roots
    assert generated(next_url, "url") not in catalog.state.roots
    assert await one.refs() == {"component:goal", "component:mine", "component:hush"}
    assert not await readable(one, host.url("shop", "a.yaml"))


@pytest.mark.parametrize("document", [refused("hush"), entity("open")])
async def test_a_discovered_location_that_came_to_bring_something_stays(
    both: tuple[Running, Running], host: Host, document: Any
) -> None:
    """Its descriptor was gone for a moment, and another process read it again."""
    one, other = both
    await pushed(one, host, "hush", entity("before"))
    await other.work.follower.catch_up()
    name = generated(host.url("hush"), "url")
    host.commit("hush", {FILE: None})
    async with waiting(one, name, push(one, host, "hush", FILE)) as [removal]:
        await pushed(other, host, "hush", document)
    await removal
    await one.work.follower.catch_up()
    assert name in one.work.catalog.state.roots
    is_open = await readable(one, host.url("hush", "docs/secret.md"))
    assert is_open == (document["metadata"]["name"] == "open")


async def test_a_vanished_location_hands_over_what_came_meanwhile(
    both: tuple[Running, Running], host: Host
) -> None:
    """Its default branch has a new name; another process still read the old one."""
    one, other = both
    context = one.work.catalog
    await pushed(one, host, "hush", entity("before"))
    root = context.state.roots[generated(host.url("hush"), "url")]
    host.rename_branch("hush", "trunk")
    [state] = root.files.values()
    closed_file = ClosedFile(str(root.location), state.place)
    _, report = reports()
    scan = discover(context, provider(host), context_for("scan"), report)
    async with waiting(one, root.name, scan) as [removal]:
        closing_root = replace(root, closed={"component:default/hush": closed_file})
        assert await other.work.catalog.roots.put(closing_root)
    await removal
    new = generated(f"https://{host.name}/hush/blob/trunk/{FILE}", "url")
    assert root.name not in context.state.roots
    assert context.state.roots[new].closed == closing_root.closed


async def test_a_location_goes_with_entities_whose_events_are_under_way(
    both: tuple[Running, Running], host: Host
) -> None:
    """The other process knows the location, and nothing yet of what it brought."""
    one, other = both
    host.commit("shop", {"a.yaml": MINE})
    identity = (await registered(one, host.url("shop", "a.yaml")))["location"]["id"]
    await other.work.follower.reload_roots()
    assert "component:mine" not in await other.refs()
    answer = await other.ask("DELETE", f"/locations/{identity}")
    assert answer.status_code == 204
    await one.work.follower.catch_up()
    assert await one.refs() == {"component:goal"}


@pytest.mark.parametrize("is_registered_again", [False, True])
async def test_abandoned_entities_stay_if_their_location_comes_back(
    both: tuple[Running, Running], host: Host, is_registered_again: bool
) -> None:
    """Another process registers it while the deletion waits for its lock."""
    one, other = both
    context = one.work.catalog
    host.commit("shop", {"a.yaml": MINE})
    await registered(one, host.url("shop", "a.yaml"))
    root = context.state.roots[generated(host.url("shop", "a.yaml"), "url")]
    deletion = delete_abandoned(context, context_for("scan"))
    assert await context.roots.remove(root)
    async with waiting(one, root.name, leaving(one, root.name, deletion)) as [removal]:
        if is_registered_again:
            assert await other.work.catalog.roots.put(replace(root, version=0))
    await removal
    assert ("component:mine" in await one.refs()) == is_registered_again


async def leaving(catalog: Running, name: str, deletion: Awaitable[Any]) -> None:
    """A deletion by a process that knows that the location is gone."""
    catalog.work.catalog.state.drop_root(name)
    await deletion
