"""What one process stores of roots is known to another, with or without an event."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.catalog import context_for
from services.catalog.handlers.root_release import release_root
from services.catalog.handlers.roots import ensure_root
from services.catalog.handlers.scanning import DesiredLocations, scan
from services.catalog.model import LocationRef
from tests.catalog.running import Host, Running, generated, pointing, running
from tests.catalog.test_refused_sources import pushed, refused
from tests.catalog.test_repository_names import FILE, provider, push
from tests.catalog.test_source_rights import entity, readable

HUSH = "component:default/hush"


@pytest.fixture
async def both(
    database: Any, data: Path, host: Host, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Running, Running]]:
    """Two processes of one catalog; the other one learns what a test shows it."""
    host.commit("goal", {FILE: entity("goal")})
    folder = tmp_path_factory.mktemp("second")
    async with (
        running(database, data, host.discovering()) as one,
        running(database, folder, host.discovering()) as other,
    ):
        yield one, other


def before_each_put(one: Running, monkeypatch: pytest.MonkeyPatch, step: Any) -> None:
    """Take a step before one process stores a root."""
    roots = one.work.catalog.roots
    put = roots.put

    async def later_put(root: Any) -> Any:
        await step(root)
        return await put(root)

    monkeypatch.setattr(roots, "put", later_put)


async def test_closed_files_that_were_handed_over_are_known_elsewhere(
    both: tuple[Running, Running], host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the root that had them goes: its event is the only one there is."""
    one, other = both
    await pushed(one, host, "hush", refused("hush"))
    host.commit("hush", {FILE: ""})
    await push(one, host, "hush", FILE)
    await other.work.follower.catch_up()
    host.rename_branch("hush", "trunk")
    old = generated(host.url("hush"), "url")
    new = generated(f"https://{host.name}/hush/blob/trunk/{FILE}", "url")

    async def follow(root: Any) -> None:
        if root.name == new:
            await other.work.follower.catch_up()

    before_each_put(one, monkeypatch, follow)
    desired = DesiredLocations((), (provider(host),))
    await scan(one.work.catalog, desired, 1, print)
    assert one.work.catalog.state.roots[new].closed
    assert not other.work.catalog.state.roots[new].closed
    await other.work.follower.learn([f"location:default/{old}"])
    assert old not in other.work.catalog.state.roots
    assert other.work.catalog.state.roots[new].closed
    assert not await readable(other, f"https://{host.name}/hush/tree/trunk/")


async def test_a_renamed_closed_file_is_closed_elsewhere(
    both: tuple[Running, Running], host: Host
) -> None:
    """The root alone was stored: no entity's event tells of it."""
    one, other = both
    files = {
        FILE: pointing("all", "./svc/h.yaml", "./web.yaml"),
        "web.yaml": entity("web"),
        "svc/h.yaml": refused("hush"),
        "svc/x": "x",
    }
    host.commit("hush", files)
    await push(one, host, "hush", *files)
    host.commit("hush", {FILE: pointing("all", "./web.yaml")})
    await push(one, host, "hush", FILE)
    await other.work.follower.catch_up()
    text = refused("hush")
    moves = {"svc/h.yaml": None, "svc/x": None, "srv/h.yaml": text, "srv/x": "x"}
    host.commit("hush", moves)
    await push(one, host, "hush", *moves)
    assert not await readable(one, host.url("hush", "srv/x"))
    await other.work.follower.reload_roots()
    assert not await readable(other, host.url("hush", "srv/x"))


async def test_an_entity_goes_after_the_root_that_closes_it_is_known(
    both: tuple[Running, Running], host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No question is answered in between, not even one that comes at once."""
    one, other = both

    async def follow(root: Any) -> None:
        await other.work.follower.catch_up()

    with monkeypatch.context() as patch:
        before_each_put(one, patch, follow)
        await pushed(one, host, "hush", refused("hush"))
    state = other.work.catalog.state
    name = generated(host.url("hush"), "url")
    assert state.get(HUSH) is not None
    assert not state.roots[name].closed
    host.commit("hush", {FILE: ""})
    await push(one, host, "hush", FILE)
    drop, closed_refs = state.drop, []

    def noting_drop(ref: str, *rest: Any) -> None:
        closed_refs.append((ref, set(state.roots[name].closed)))
        drop(ref, *rest)

    monkeypatch.setattr(state, "drop", noting_drop)
    await other.work.follower.learn([HUSH])
    assert closed_refs == [(HUSH, {HUSH})]


async def test_roots_without_entities_come_and_go_elsewhere(
    both: tuple[Running, Running], host: Host
) -> None:
    """One that was never read has no entity whose event names it."""
    one, other = both
    state = other.work.catalog.state
    location = LocationRef("url", host.url("never"))

    async def may_go(_: Any) -> bool:
        return True

    for _ in range(2):
        root = await ensure_root(one.work.catalog, location, "git:all")
        await other.work.follower.reload_roots()
        assert state.roots[root.name] == root
        await release_root(
            one.work.catalog, root, "git:all", context_for("scan"), may_go
        )
        await other.work.follower.reload_roots()
        assert root.name not in state.roots


async def test_roots_of_versions_before_are_followed_by_events(
    both: tuple[Running, Running], host: Host, database: Any
) -> None:
    """They are stored without the moment that they are found by."""
    one, other = both
    await pushed(one, host, "hush", refused("hush"))
    await other.work.follower.catch_up()
    name = generated(host.url("hush"), "url")
    version = other.work.catalog.state.roots[name].version
    change = {"$set": {"version": version + 1}, "$unset": {"updated": ""}}
    await database["locations"].update_one({"_id": name}, change)
    await other.work.follower.learn([HUSH])
    assert other.work.catalog.state.roots[name].version == version + 1
