"""Locations that several requests register, move and delete at the same time."""

import asyncio
from pathlib import Path
from typing import Any

from services.catalog.handlers.catalog import context_for
from services.catalog.handlers.discovery import reconcile_repository
from services.catalog.model import REGISTERED, LocationRef
from tests import builders
from tests.catalog.running import Host, pointing, running, write
from tests.waiting import until


async def test_one_of_concurrent_moves_wins(database: Any, data: Path) -> None:
    """The others are answered 409, and nothing of them is left."""
    files = [write(data, f"{n}.yaml", builders.component(f"c{n}")) for n in range(4)]
    async with running(database, data) as catalog:
        location = (await catalog.register(files[0])).json()["location"]
        path = f"/locations/{location['id']}"
        moves = [
            catalog.ask("PUT", path, {"type": "file", "target": str(file)})
            for file in files[1:]
        ]
        answers = await asyncio.gather(*moves)
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
        [winner] = [a.json() for a in answers if a.status_code == 200]
        listed = (await catalog.ask("GET", "/locations")).json()
        assert listed == [{"data": winner}]
        assert len(await catalog.refs()) == 1
        assert (await catalog.ask("DELETE", path)).status_code == 204
        assert await catalog.refs() == set()


async def test_an_entity_may_be_deleted_while_its_location_is(
    database: Any, data: Path
) -> None:
    """Both requests are answered, and nothing is left."""
    file = write(data, "one.yaml", builders.component("one"))
    async with running(database, data) as catalog:
        location = (await catalog.register(file)).json()["location"]
        entity = await catalog.entity("component:default/one")
        assert entity is not None
        writer = catalog.work.catalog.store
        save = writer.write

        async def write_late(changes: Any) -> Any:
            writer.write = save
            deletion = await catalog.ask("DELETE", f"/locations/{location['id']}")
            assert deletion.status_code == 204
            return await save(changes)

        writer.write = write_late
        path = f"/entities/by-uid/{entity['metadata']['uid']}"
        answer = await catalog.ask("DELETE", path)
        assert answer.status_code == 204, answer.text
        assert await catalog.refs() == set()


async def test_an_entity_may_be_deleted_while_one_of_its_locations_is(
    database: Any, data: Path
) -> None:
    """Its own file still names it, so it comes back as a new one."""
    file = write(data, "one.yaml", builders.component("one"))
    above = write(data, "all.yaml", pointing("all", "./one.yaml"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        location = (await catalog.register(above)).json()["location"]
        entity = await catalog.entity("component:default/one")
        assert entity is not None
        store = catalog.work.catalog.store
        write_changes = store.write

        async def write_late(changes: Any) -> Any:
            store.write = write_changes
            await catalog.ask("DELETE", f"/locations/{location['id']}")
            return await write_changes(changes)

        store.write = write_late
        path = f"/entities/by-uid/{entity['metadata']['uid']}"
        answer = await catalog.ask("DELETE", path)
        assert answer.status_code == 204, answer.text
        after = await catalog.entity("component:default/one")
        assert after is not None
        assert after["metadata"]["uid"] != entity["metadata"]["uid"]


async def test_two_locations_of_one_file_may_be_deleted_at_once(
    database: Any, data: Path
) -> None:
    """Neither leaves the file's entities to the other."""
    file = write(data, "one.yaml", *[builders.component(f"c{n}") for n in range(3)])
    above = write(data, "all.yaml", pointing("all", "./one.yaml"))
    async with running(database, data) as catalog:
        paths = [
            f"/locations/{(await catalog.register(f)).json()['location']['id']}"
            for f in (file, above)
        ]
        store = catalog.work.catalog.store
        write_changes = store.write

        async def write_late(changes: Any) -> Any:
            store.write = write_changes
            assert (await catalog.ask("DELETE", paths[1])).status_code == 204
            return await write_changes(changes)

        store.write = write_late
        assert (await catalog.ask("DELETE", paths[0])).status_code == 204
        assert await catalog.refs() == set()


async def test_a_move_to_another_spelling_of_a_discovered_file(
    database: Any, data: Path
) -> None:
    """It registers the discovered location."""
    host = Host(data)
    host.commit("shop", {"catalog-info.yaml": builders.component("web")})
    host.commit("cart", {"other.yaml": builders.component("cart")})
    async with running(database, data, host.discovering()) as catalog:
        registered = await catalog.register(host.url("cart", "other.yaml"))
        path = f"/locations/{registered.json()['location']['id']}"
        tree = host.url("shop").replace("/blob/", "/tree/")
        answer = await catalog.ask("PUT", path, {"type": "url", "target": tree})
        assert answer.status_code == 200
        assert answer.json()["target"] == host.url("shop")
        assert await catalog.refs() == {"component:web"}


async def test_concurrent_registration_and_discovery_make_one_location(
    database: Any, data: Path
) -> None:
    """Push and registration arrive together, before either file is read."""
    host = Host(data)
    async with running(database, data, host.discovering()) as catalog:
        await until(lambda: catalog.work.scans, condition="the first scan")
        host.commit("shop", {"catalog-info.yaml": [builders.component("web")]})
        [provider] = catalog.work.desired.providers
        context = context_for("push")
        blob = LocationRef("url", host.url("shop"))
        tree = host.url("shop").replace("/blob/", "/tree/")
        answer, *_ = await asyncio.gather(
            catalog.register(tree),
            reconcile_repository(catalog.work.catalog, provider, blob, context),
            reconcile_repository(catalog.work.catalog, provider, blob, context),
        )
        assert answer.status_code == 201
        [root] = catalog.work.catalog.state.roots.values()
        assert root.providers == {REGISTERED, provider.provider_id}
        assert root.id == answer.json()["location"]["id"]
        assert [state.errors for state in root.files.values()] == [()]
        assert not catalog.work.catalog.unread_roots
