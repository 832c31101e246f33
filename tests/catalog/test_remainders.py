"""What unregistering a location does not take away, told before it is done."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from shared.guards import turns
from shared.kit.http.service_tokens import Principal
from tests import builders
from tests.catalog.running import OPEN, Host, Running, pointing, running, write
from tests.waiting import until

DESCRIPTOR = "catalog-info.yaml"


async def remaining_of(catalog: Running, identity: str) -> list[dict[str, Any]]:
    answer = await catalog.ask("GET", f"/locations/{identity}/remaining")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def register(catalog: Running, target: Path | str) -> str:
    answer = await catalog.register(target)
    identity: str = answer.json()["location"]["id"]
    return identity


async def test_a_provider_of_the_same_location_is_named(
    database: Any, data: Path, host: Host
) -> None:
    """All entities stay, as the provider still discovers the location."""
    documents = [builders.component("web"), builders.component("shop")]
    host.commit("one", {DESCRIPTOR: documents})
    async with running(database, data, host.discovering()) as catalog:
        [root] = catalog.work.catalog.state.roots.values()
        identity = await register(catalog, root.location.target)
        [item] = await remaining_of(catalog, identity)
        assert item["providers"] == ["git:all"]
        assert item["location"] == str(root.location)
        assert item["returns"] is False
        assert item["entityRefs"] == ["component:default/shop", "component:default/web"]
        assert (await catalog.ask("DELETE", f"/locations/{identity}")).content == b""
        assert await catalog.refs() == {"component:web", "component:shop"}


async def test_a_file_of_two_registrations_stays_with_the_other(
    database: Any, data: Path
) -> None:
    """Entities that only the removed registration names are not listed."""
    write(data, "shared.yaml", pointing("both", "./deep.yaml"))
    write(data, "deep.yaml", builders.component("web"))
    own = builders.component("own")
    one = write(data, "one.yaml", pointing("one", "./shared.yaml"), own)
    two = write(data, "two.yaml", pointing("two", "./shared.yaml"))
    async with running(database, data) as catalog:
        identity = await register(catalog, one)
        assert await remaining_of(catalog, identity) == []
        await register(catalog, two)
        assert await remaining_of(catalog, identity) == [
            {
                "location": f"file:{two}",
                "providers": ["registered"],
                "returns": False,
                "totalEntities": 2,
                "entityRefs": ["component:default/web", "location:default/both"],
            }
        ]
        await catalog.ask("DELETE", f"/locations/{identity}")
        assert await catalog.refs() == {
            "location:two",
            "location:both",
            "component:web",
        }


async def test_a_refused_location_takes_over_the_names(
    database: Any, data: Path
) -> None:
    """The oldest of several; the entities return as soon as they are deleted."""
    web, other = builders.component("web"), builders.component("other")
    one = write(data, "one.yaml", web, other)
    two, three = write(data, "two.yaml", web), write(data, "three.yaml", web)
    async with running(database, data) as catalog:
        identity = await register(catalog, one)
        await register(catalog, two)
        await register(catalog, three)
        [item] = await remaining_of(catalog, identity)
        assert (item["location"], item["returns"]) == (f"file:{two}", True)
        assert item["entityRefs"] == ["component:default/web"]
        await catalog.ask("DELETE", f"/locations/{identity}")

        async def is_back() -> bool:
            return await catalog.refs() == {"component:web"}

        await until(is_back)


async def test_a_restricted_location_is_not_named(database: Any, data: Path) -> None:
    """Neither among the remaining providers nor as a registration."""
    own = {"rule": "HAS_SPEC", "params": {"key": "owner", "value": "a"}}
    bo = Principal("user:default/bo", "user", decision="conditional", conditions=own)
    file = write(data, "one.yaml", builders.component("web", owner="a"))
    config = f"{OPEN}  locations:\n    - type: file\n      target: {file}\n"
    async with running(database, data, config) as catalog:
        identity = await register(catalog, file)
        path = f"/locations/{identity}/remaining"
        assert len(await remaining_of(catalog, identity)) == 1
        assert (await catalog.ask("GET", path, principal=bo)).status_code == 404
        missing = await catalog.ask("GET", "/locations/none/remaining")
        assert missing.status_code == 404


async def test_what_many_entities_leave_is_told_in_turns(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are looked for, grouped, and shown to a reader: others go on in between."""
    count = 300
    components = [builders.component(f"c{number}") for number in range(count)]
    file = write(data, "many.yaml", *components)
    async with running(database, data) as catalog:
        identity = await register(catalog, file)
        monkeypatch.setattr(turns, "SLICE_SECONDS", 0)
        rival_turns = 0

        async def count_turns() -> None:
            nonlocal rival_turns
            while True:
                await asyncio.sleep(0)
                rival_turns += 1

        rival = asyncio.create_task(count_turns())
        await remaining_of(catalog, identity)
        rival.cancel()
        assert rival_turns > 3.5 * count
