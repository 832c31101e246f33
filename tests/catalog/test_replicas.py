"""Two processes of one catalog on one store: what one wrote, the other shows if asked.

Neither hears the other here: nothing but the question brings the news.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.catalog.events import EntityChangeFollower
from services.catalog.handlers.catalog import context_for
from services.catalog.handlers.dismissal import delete_entities
from services.catalog.handlers.ingestion import ingest
from services.catalog.handlers.state_follower import MARGIN
from shared.contracts.headers import AT_LEAST, REVISION
from tests import builders
from tests.catalog.running import Host, Running, running, write
from tests.waiting import until

CART = "/entities/by-name/component/default/cart"


@pytest.fixture
async def both(
    database: Any, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Running, Running]]:
    """Two catalogs with the same store."""
    async with running(database, data) as one:
        folder = tmp_path_factory.mktemp("second")
        async with running(database, folder) as other:
            yield one, other


async def after(catalog: Running, path: str, revision: str) -> Any:
    """The answer to a question of somebody who saw `revision`."""
    headers = {AT_LEAST: revision, **catalog.headers()}
    return await catalog.http.get(path, headers=headers)


async def test_a_write_is_read_at_another_replica(both, data: Path) -> None:
    """An entity registered at one is read at the other, with location and change."""
    one, other = both
    file = write(data / "files", "cart.yaml", builders.component("cart"))
    registration = await one.register(file)
    assert (await other.ask("GET", CART)).status_code == 404
    assert (await after(other, CART, registration.headers[REVISION])).status_code == 200
    locations = await after(other, "/locations", registration.headers[REVISION])
    assert [item["data"]["id"] for item in locations.json()] == [
        registration.json()["location"]["id"]
    ]
    write(data / "files", "cart.yaml", builders.component("cart", {"title": "Fresh"}))
    changed = await one.ask("POST", "/refresh", {"entityRef": "component:cart"})
    answer = await after(other, CART, changed.headers[REVISION])
    assert answer.json()["metadata"]["title"] == "Fresh"


async def test_a_deletion_takes_effect_at_another_replica(both, data: Path) -> None:
    """An entity deleted at one is gone at the other; either may delete it."""
    one, other = both
    file = write(data / "files", "cart.yaml", builders.component("cart"))
    registration = await one.register(file)
    identity = registration.json()["location"]["id"]
    deletion = await other.ask("DELETE", f"/locations/{identity}")
    assert deletion.status_code == 204
    assert (await one.ask("GET", CART)).status_code == 200
    assert (await after(one, CART, deletion.headers[REVISION])).status_code == 404
    locations = await after(one, "/locations", deletion.headers[REVISION])
    assert locations.json() == []


async def test_a_replica_refreshes_an_entity_of_another_one(both, data: Path) -> None:
    """A replica looks an unknown entity up in the store before it refuses it."""
    one, other = both
    file = write(data / "files", "cart.yaml", builders.component("cart"))
    await one.register(file)
    answer = await other.ask("POST", "/refresh", {"entityRef": "component:cart"})
    assert answer.status_code == 200


async def test_a_stale_reading_never_overwrites_a_newer_one(both, data: Path) -> None:
    """A process that was suspended after reading does not restore the old state.

    The fault driver found it with seed 1: a commit was there twice, and later entities
    were gone for a moment.
    """
    one, other = both
    file = write(data / "files", "cart.yaml", described("first"))
    registration = await one.register(file)
    assert (await after(other, CART, registration.headers[REVISION])).status_code == 200
    store, still, may_go = other.work.store, asyncio.Event(), asyncio.Event()
    whole = store.write

    async def stands_still(changes: Any) -> Any:
        still.set()
        await may_go.wait()
        return await whole(changes)

    store.write = stands_still
    write(data / "files", "cart.yaml", described("second"))
    question = other.ask("POST", "/refresh", {"entityRef": "component:cart"})
    late = asyncio.create_task(question)
    await still.wait()
    write(data / "files", "cart.yaml", described("third"), builders.component("new"))
    refreshed = await one.ask("POST", "/refresh", {"entityRef": "component:cart"})
    assert refreshed.status_code == 200
    may_go.set()
    assert (await late).status_code == 200
    revisions = [
        item["revision"] for item in await one.history("component:default/cart")
    ]
    assert sorted(revisions) == [1, 2]
    for catalog in both:
        answer = await after(catalog, CART, refreshed.headers[REVISION])
        assert answer.json()["metadata"]["description"] == "third"
        assert "component:new" in await catalog.refs()


@pytest.mark.parametrize("is_registered_again", [False, True])
async def test_a_reading_removes_entities_of_an_unregistered_root(
    both, data: Path, is_registered_again: bool
) -> None:
    """A reading deletes its entities if their root was unregistered meanwhile.

    If the root was registered again, the entities stay. The fault driver found it with
    seed 22: a scan restored deleted entities.
    """
    one, other = both
    file = write(data / "files", "cart.yaml", described("first"))
    registration = await one.register(file)
    identity = registration.json()["location"]["id"]
    assert (await after(other, CART, registration.headers[REVISION])).status_code == 200
    roots, standing_still, may_go_on = (
        other.work.catalog.roots,
        asyncio.Event(),
        asyncio.Event(),
    )
    put = roots.put

    async def late_put(root: Any) -> Any:
        standing_still.set()
        await may_go_on.wait()
        return await put(root)

    roots.put = late_put
    write(data / "files", "cart.yaml", described("second"), builders.component("new"))
    question = other.ask("POST", "/refresh", {"entityRef": "component:cart"})
    late = asyncio.create_task(question)
    await standing_still.wait()
    # The second process has written its entities; the first has not heard of them.
    assert (await one.ask("DELETE", f"/locations/{identity}")).status_code == 204
    if is_registered_again:
        assert (await one.register(file)).status_code == 201
    may_go_on.set()
    assert (await late).status_code == 200
    expected = {"component:cart", "component:new"} if is_registered_again else set()
    for catalog in both:
        await catalog.work.follower.catch_up()
        assert await catalog.refs() == expected
    assert len((await one.ask("GET", "/locations")).json()) == is_registered_again


async def test_entities_stored_during_an_unregistration_are_deleted(
    both, data: Path
) -> None:
    """A replica stores the root just before another one removes it."""
    one, other = both
    file = write(data / "files", "cart.yaml", described("first"))
    registration = await one.register(file)
    identity = registration.json()["location"]["id"]
    assert (await after(other, CART, registration.headers[REVISION])).status_code == 200
    roots = one.work.catalog.roots
    remove = roots.remove

    async def late_remove(root: Any) -> Any:
        roots.remove = remove
        write(data / "files", "cart.yaml", described("second"))
        refresh = {"entityRef": "component:cart"}
        assert (await other.ask("POST", "/refresh", refresh)).status_code == 200
        return await remove(root)

    roots.remove = late_remove
    deletion = await one.ask("DELETE", f"/locations/{identity}")
    assert deletion.status_code == 204
    for catalog in both:
        await catalog.work.follower.catch_up()
        assert await catalog.refs() == set()


async def test_a_delayed_scan_does_not_restore_an_unregistered_root(
    both, data: Path
) -> None:
    """The root is unregistered while a scan waits for its turn."""
    catalog = both[0].work.catalog
    file = write(data / "files", "cart.yaml", described("first"))
    await both[0].register(file)
    [root] = catalog.state.roots.values()
    async with catalog.lock(root):
        waiting = asyncio.create_task(ingest(catalog, root, context_for("scan")))
        await asyncio.sleep(0)
        await delete_entities(catalog, root, context_for("scan"))
        assert await catalog.roots.remove(root)
        catalog.state.drop_root(root.name)
    await waiting
    assert await both[0].refs() == set()
    assert catalog.state.revisions() == {}


async def test_a_move_that_another_process_overtook_is_taken_back(
    both, data: Path
) -> None:
    """The registration is where the first move brought it, and nowhere else."""
    one, other = both
    files = [write(data, f"{n}.yaml", builders.component(f"c{n}")) for n in range(3)]
    registration = await one.register(files[0])
    identity = registration.json()["location"]["id"]
    await other.work.follower.catch_up()
    put = other.work.catalog.roots.put

    async def late_put(root: Any) -> Any:
        other.work.catalog.roots.put = put
        first = {"type": "file", "target": str(files[1])}
        answer = await one.ask("PUT", f"/locations/{identity}", first)
        assert answer.status_code == 200
        return await put(root)

    other.work.catalog.roots.put = late_put
    second = {"type": "file", "target": str(files[2])}
    answer = await other.ask("PUT", f"/locations/{identity}", second)
    assert answer.status_code == 409
    for catalog in both:
        await catalog.work.follower.catch_up()
        assert await catalog.refs() == {"component:c1"}
        listed = (await catalog.ask("GET", "/locations")).json()
        assert [item["data"]["target"] for item in listed] == [str(files[1])]


async def test_a_file_has_one_root_though_two_processes_make_it_at_once(
    database: Any, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file is registered at both under two spellings; the store takes one root."""
    host = Host(data)
    host.commit("cart", {"catalog-info.yaml": builders.component("cart")})
    blob, tree = host.url("cart"), host.url("cart").replace("/blob/", "/tree/")
    async with running(database, data, host.config()) as one:
        folder = tmp_path_factory.mktemp("second")
        async with running(database, folder, host.config()) as other:
            roots = other.work.catalog.roots
            put = roots.put

            async def late_put(root: Any) -> Any:
                roots.put = put
                assert (await one.register(blob)).status_code == 201
                return await put(root)

            roots.put = late_put
            assert (await other.register(tree)).status_code == 201
            for catalog in (one, other):
                await catalog.work.follower.catch_up()
                locations = (await catalog.ask("GET", "/locations")).json()
                assert [item["data"]["target"] for item in locations] == [blob]
                assert await catalog.refs() == {"component:cart"}
            again = await one.register(tree)
            assert again.status_code == 409
            assert blob in again.json()["error"]["message"]


async def test_a_restart_deletes_the_entities_of_a_killed_reading(
    database: Any, data: Path
) -> None:
    """Another process unregistered the root before the reader was killed."""
    file = write(data / "files", "cart.yaml", described("first"))
    stays = write(data / "files", "stays.yaml", builders.component("stays"))
    async with running(database, data) as catalog:
        await catalog.register(stays)
        identity = (await catalog.register(file)).json()["location"]["id"]
        [root] = [
            root
            for root in catalog.work.catalog.state.roots.values()
            if root.id == identity
        ]
        assert await catalog.work.catalog.roots.remove(root)
    async with running(database, data) as catalog:
        await until(lambda: catalog.work.has_begun, condition="the start")
        assert await catalog.refs() == {"component:stays"}


def described(text: str) -> dict[str, Any]:
    return builders.component("cart", {"description": text})


async def test_writes_of_a_dead_process_are_read(database: Any, data: Path) -> None:
    """The next process has all revisions that the dead one stored."""
    file = write(data / "files", "cart.yaml", builders.component("cart"))
    async with running(database, data) as one:
        registration = await one.register(file)
    async with running(database, data) as following:
        answer = await after(following, CART, registration.headers[REVISION])
        assert answer.status_code == 200


async def test_concurrent_readers_share_one_store_query(both, data: Path) -> None:
    """A hundred readers cost a query or two; a reader of a known state costs none."""
    one, other = both
    file = write(data / "files", "cart.yaml", builders.component("cart"))
    revision = (await one.register(file)).headers[REVISION]
    query_count = 0
    store = other.work.catalog.store
    query = store.changed_since

    async def counting_query(moment: Any) -> Any:
        nonlocal query_count
        query_count += 1
        return await query(moment)

    store.changed_since = counting_query
    answers = await asyncio.gather(*(after(other, CART, revision) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert 1 <= query_count <= 2
    await after(other, CART, revision)
    assert query_count <= 2


async def test_polling_reads_recent_changes_only(both, data: Path) -> None:
    """The cost of a poll does not grow with the catalog."""
    one, other = both
    crowd = [builders.component(f"c-{n}") for n in range(50)]
    await one.register(write(data / "files", "all.yaml", *crowd))
    follower = other.work.follower
    await follower.catch_up()
    follower._through += MARGIN + MARGIN
    changed_revisions = await other.work.catalog.store.changed_since(follower._through)
    assert changed_revisions == {}
    await until(lambda: len(other.work.catalog.state) >= 50, condition="the crowd")


async def test_changes_between_loading_and_subscribing_are_read(
    both, data: Path
) -> None:
    """A replica looks the gap between loading and subscribing up in the store."""
    one, other = both
    await one.register(write(data, "all.yaml", builders.component("cart")))
    assert await other.entity("component:default/cart") is None
    # Whether its change is in the log of revisions yet, or will be heard, is by chance.
    await one.work.relay.drain()
    work = other.work
    await EntityChangeFollower(work.catalog, work.follower, work.recent).gap()
    assert await other.entity("component:default/cart") is not None
    changes = (await other.ask("GET", "/changes")).json()["items"]
    assert "component:default/cart" in {item["entityRef"] for item in changes}
