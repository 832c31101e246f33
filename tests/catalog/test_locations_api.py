"""Registering locations: what is there when it answers, and who may have what."""

import asyncio
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from services.catalog.api import locations
from shared.kit.http.service_tokens import Principal
from tests import builders
from tests.catalog.running import OPEN, Host, generated, pointing, running, write
from tests.costs import limit_stretches
from tests.waiting import until

FILE = "catalog-info.yaml"


async def test_registration_answers_after_its_entities_are_stored(
    database: Any, data: Path
) -> None:
    """POST answers when everything is read; a client need not poll."""
    file = write(data, "all.yaml", builders.component("a"), builders.api("b"))
    async with running(database, data) as catalog:
        answer = await catalog.register(file)
        assert answer.status_code == 201
        location = answer.json()["location"]
        assert answer.json()["entities"] == []
        assert location["entityRef"] == f"location:default/{generated(file)}"
        entity = await catalog.entity("component:default/a")
    assert entity is not None
    assert entity["metadata"]["annotations"] == {
        "backstage.io/managed-by-location": f"file:{file}",
        "backstage.io/managed-by-origin-location": f"file:{file}",
    }
    assert len(entity["metadata"]["uid"]) == 36
    assert len(entity["metadata"]["etag"]) == 40
    assert entity["relations"] == [
        {"type": "ownedBy", "targetRef": "group:default/team-a"}
    ]


async def test_a_dry_run_stores_nothing(database: Any, data: Path) -> None:
    """A dry run shows all that would come, and whether it is registered."""
    write(data, "child.yaml", builders.component("child"))
    file = write(data, "all.yaml", pointing("more", "./child.yaml"))
    async with running(database, data) as catalog:
        answer = await catalog.register(file, "?dryRun=true")
        body = answer.json()
        names = [item["metadata"]["name"] for item in body["entities"]]
        assert answer.status_code == 201
        assert names == [generated(file), "more", "child"]
        assert body["exists"] is False
        assert body["location"]["id"] == f"file:{file}"
        assert await catalog.refs() == set()
        await catalog.register(file)
        again = await catalog.register(file, "?dryRun=true")
        assert again.json()["exists"] is True


async def test_a_scheme_may_be_in_capitals(
    database: Any, data: Path, host: Host
) -> None:
    """Of a registered address, of a target and of one in a pattern."""
    web = {f"{name}/{FILE}": builders.component(name) for name in ("web", "cart")}
    host.commit("shop", web)
    address = host.url("shop", f"web/{FILE}")
    capitals = address.replace("https:", "HTTPS:").replace(host.name, host.name.upper())
    pattern = host.url("shop", f"*/{FILE}").replace("https:", "Https:")
    host.commit("all", {FILE: pointing("all", pattern)})
    async with running(database, data, host.config()) as catalog:
        answer = await catalog.register(capitals)
        assert answer.status_code == 201, answer.text
        assert await catalog.refs() == {"component:web"}
        await catalog.register(host.url("all"))
        assert "component:cart" in await catalog.refs()


async def test_an_entity_stays_with_its_first_location(
    database: Any, data: Path
) -> None:
    """A second location that has the entity gets an error and changes nothing."""
    first = write(data, "one.yaml", builders.component("web", owner="a"))
    second = write(
        data, "two.yaml", builders.component("web", owner="b"), builders.api("own")
    )
    async with running(database, data) as catalog:
        await catalog.register(first)
        await catalog.register(second)
        entity = await catalog.entity("component:default/web")
        assert entity is not None
        assert entity["spec"]["owner"] == "a"
        assert "api:own" in await catalog.refs()
        [problem] = await catalog.problems(generated(second))
        assert f"already provided by file:{first}" in problem
        # Once the first lets go, the second may have it.
        write(data, "one.yaml", builders.component("other"))
        await catalog.register(first, "?onConflict=refresh")
        await catalog.register(second, "?onConflict=refresh")
        entity = await catalog.entity("component:default/web")
        assert entity is not None
        assert entity["spec"]["owner"] == "b"
        assert await catalog.problems(generated(second)) == []


async def test_an_entity_moves_between_files_of_one_location(
    database: Any, data: Path
) -> None:
    """It keeps its uid and its history."""
    write(data, "a.yaml", builders.component("web"), builders.component("stays"))
    write(data, "b.yaml", builders.component("other"))
    file = write(data, "all.yaml", pointing("more", "./b.yaml", "./a.yaml"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        before = await catalog.entity("component:default/web")
        write(data, "a.yaml", builders.component("stays"))
        write(data, "b.yaml", builders.component("other"), builders.component("web"))
        await catalog.register(file, "?onConflict=refresh")
        after = await catalog.entity("component:default/web")
        assert before is not None
        assert after is not None
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        location = after["metadata"]["annotations"]["backstage.io/managed-by-location"]
        assert location == f"file:{data / 'b.yaml'}"
        assert await catalog.problems("more") == []


async def test_a_file_of_two_roots_stays_until_both_are_removed(
    database: Any, data: Path
) -> None:
    """Unregistering one root keeps the entities of the other."""
    write(data, "shared.yaml", builders.component("web"))
    one = write(data, "one.yaml", pointing("one", "./shared.yaml"))
    two = write(data, "two.yaml", pointing("two", "./shared.yaml"))
    async with running(database, data) as catalog:
        ids = [
            (await catalog.register(file)).json()["location"]["id"]
            for file in (one, two)
        ]
        await catalog.ask("DELETE", f"/locations/{ids[0]}")
        assert await catalog.refs() == {"location:two", "component:web"}
        entity = await catalog.entity("component:default/web")
        assert entity is not None
        origin = "backstage.io/managed-by-origin-location"
        assert entity["metadata"]["annotations"][origin] == f"file:{two}"
        await catalog.ask("DELETE", f"/locations/{ids[1]}")
        assert await catalog.refs() == set()


async def test_circular_locations_are_read_once(database: Any, data: Path) -> None:
    """A cycle is read once, and is deleted with its root."""
    write(data, "b.yaml", pointing("b", "./a.yaml"), builders.component("web"))
    file = write(data, "a.yaml", pointing("a", "./b.yaml"))
    async with running(database, data) as catalog:
        answer = await catalog.register(file)
        assert await catalog.refs() == {"location:a", "location:b", "component:web"}
        await catalog.ask("DELETE", f"/locations/{answer.json()['location']['id']}")
        assert await catalog.refs() == set()


async def test_registrations_are_listed_read_and_deleted_by_id(
    database: Any, data: Path
) -> None:
    """The whole life of a registration by its id."""
    one = write(data, "one.yaml", builders.component("one"))
    two = write(data, "two.yaml", builders.component("two"))
    async with running(database, data) as catalog:
        location = (await catalog.register(one)).json()["location"]
        again = await catalog.register(one)
        assert again.status_code == 409
        assert again.json()["error"]["name"] == "ConflictError"
        refreshed = await catalog.register(one, "?onConflict=refresh")
        assert refreshed.json()["location"] == location
        listed = await catalog.ask("GET", "/locations")
        assert listed.json() == [{"data": location}]
        path = f"/locations/{location['id']}"
        assert (await catalog.ask("GET", path)).json() == location
        answer = await catalog.ask("GET", "/locations/by-entity/component/default/one")
        assert answer.json() == location
        answer = await catalog.ask("PUT", path, {"type": "file", "target": str(two)})
        assert answer.json()["id"] == location["id"]
        assert answer.json()["target"] == str(two)
        assert await catalog.refs() == {"component:two"}
        assert (await catalog.ask("DELETE", path)).status_code == 204
        assert await catalog.refs() == set()
        for method in ("GET", "DELETE"):
            answer = await catalog.ask(method, path)
            assert answer.status_code == 404
            assert location["id"] in answer.json()["error"]["message"]


async def test_registrations_are_queried_by_predicate_in_pages(
    database: Any, data: Path
) -> None:
    """Pages by cursor add up to all matching registrations."""
    files = [write(data, f"{n}.yaml", builders.component(f"c{n}")) for n in range(5)]
    async with running(database, data) as catalog:
        for file in files:
            await catalog.register(file)
        other_files = {"$not": {"target": {"$in": [str(files[0]).upper(), "x"]}}}
        query: dict[str, Any] = {"$all": [other_files, {"type": "FILE"}]}
        body: dict[str, Any] = {"limit": 3, "query": query}
        first = (await catalog.ask("POST", "/locations/by-query", body)).json()
        assert (len(first["items"]), first["totalItems"]) == (3, 4)
        cursor = {"cursor": first["pageInfo"]["nextCursor"]}
        last = (await catalog.ask("POST", "/locations/by-query", cursor)).json()
        assert last["pageInfo"] == {}
        targets = {item["target"] for item in first["items"] + last["items"]}
        assert targets == {str(file) for file in files[1:]}
        stray = {"limit": 9, "afterId": 5}
        answer = await catalog.ask("POST", "/locations/by-query", stray)
        assert len(answer.json()["items"]) == 5
        for bad in ({"limit": 0}, {"query": []}, {"cursor": "!"}, {"query": {"$x": 1}}):
            answer = await catalog.ask("POST", "/locations/by-query", bad)
            assert answer.status_code == 400


LONG = "a" * 1001
TOO_MUCH: list[tuple[Any, str]] = [
    ({"$any": [{"id": 1}] * 2001}, "2000 parts"),
    ({"target": {"$in": ["a"] * 41_000}}, "2000 parts"),
    ({"target": {"$in": [LONG]}}, "query.target.$in: at most 1000"),
    ({"target": {"$hasPrefix": LONG}}, "query.target.$hasPrefix: at most 1000"),
    (reduce(lambda part, _: {"$not": part}, range(33), {"id": 1}), "deeper than 32"),
]


async def test_a_query_of_registrations_is_bounded(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One over the limits is refused; one within them lets others have their turn."""
    file = write(data, "a.yaml", builders.component("a"))
    many = {"query": {"$any": [{"id": number} for number in range(1900)]}}
    visible = locations._visible_registrations
    async with running(database, data) as catalog:
        await catalog.register(file)
        for query, rule in TOO_MUCH:
            body = {"query": query}
            answer = await catalog.ask("POST", "/locations/by-query", body)
            assert answer.status_code == 400
            assert rule in answer.json()["error"]["message"]
        monkeypatch.setattr(
            locations, "_visible_registrations", lambda *args: visible(*args) * 1000
        )
        async with limit_stretches():
            answer = await catalog.ask("POST", "/locations/by-query", many)
        assert answer.json()["totalItems"] == 0


async def test_unregistering_needs_permission_for_every_entity(
    database: Any, data: Path
) -> None:
    """The owner of some entities may not remove a location with others' ones."""
    mine = {"rule": "IS_ENTITY_OWNER", "params": {"claims": ["group:default/a"]}}
    bo = Principal("user:default/bo", "user", decision="conditional", conditions=mine)
    file = write(data, "all.yaml", builders.component("x", owner="a"))
    other = write(data, "other.yaml", builders.component("y", owner="b"))
    async with running(database, data) as catalog:
        own, foreign = [
            (await catalog.register(path)).json()["location"]["id"]
            for path in (file, other)
        ]
        refused = await catalog.ask("DELETE", f"/locations/{foreign}", principal=bo)
        assert refused.status_code == 403
        done = await catalog.ask("DELETE", f"/locations/{own}", principal=bo)
        assert done.status_code == 204


async def test_a_read_only_catalog_registers_nothing(database: Any, data: Path) -> None:
    """With `catalog.readonly` locations can be read but not changed."""
    file = write(data, "all.yaml", builders.component("a"))
    config = OPEN.replace(
        "fileLocations: true", "fileLocations: true\n  readonly: true"
    )
    async with running(database, data, config) as catalog:
        assert (await catalog.register(file)).status_code == 403
        assert (await catalog.register(file, "?dryRun=true")).status_code == 201


async def test_concurrent_registrations_create_one_location(
    database: Any, data: Path
) -> None:
    """The second request gets the first location, and no entity exists twice."""
    file = write(data, "all.yaml", *[builders.component(f"c{n}") for n in range(50)])
    async with running(database, data) as catalog:
        answers = await asyncio.gather(
            *(catalog.register(file, "?onConflict=refresh") for _ in range(5))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["location"]["id"] for answer in answers}) == 1
        kinds = [event.type for event in await catalog.published()]
        assert kinds == ["callboard.entity.created.v1"] * 51


SPELLINGS = [
    ("https:", "http:"),
    ("/blob/", "/edit/"),
    ("/blob/", "/raw/"),
    ("/blob/", "/blame/"),
    ("main/", "main//"),
    ("catalog-info", "%63atalog-info"),
    (".yaml", ".yaml?raw=true"),
    (".yaml", ".yaml#L5"),
    (".yaml", ".yaml/"),
    ("/shop/", "/shop.git/"),
]


async def test_equivalent_addresses_register_one_location(
    database: Any, data: Path
) -> None:
    """People copy addresses of pages that show, edit or blame a file."""
    host = Host(data)
    host.commit("shop", {"catalog-info.yaml": [builders.component("web")]})
    url = host.url("shop")
    async with running(database, data, host.config()) as catalog:
        first = await catalog.register(url)
        assert first.status_code == 201
        for old, new in SPELLINGS:
            other = url.replace(old, new)
            again = await catalog.register(other)
            assert (again.status_code, other) == (409, other)
            message = again.json()["error"]["message"]
            assert message.endswith(f"already exists as url:{url}")
            preview = await catalog.register(other, "?dryRun=true")
            assert preview.json()["exists"] is True
        refreshed = await catalog.register(
            url.replace("/blob/", "/edit/"), "?onConflict=refresh"
        )
        assert refreshed.json()["location"] == first.json()["location"]
        exact = await catalog.register(url)
        assert exact.json()["error"]["message"] == f"Location url:{url} already exists"


async def test_registering_a_discovered_file_reuses_its_location(
    database: Any, data: Path
) -> None:
    """A template publishes a repository, which is discovered and then registered.

    Both addresses name the same file, one by `blob/` and one by `tree/`.
    """
    host = Host(data)
    host.commit("shop", {"catalog-info.yaml": [builders.component("web")]})
    async with running(database, data, host.discovering()) as catalog:
        await until(catalog.refs)
        answer = await catalog.register(host.url("shop").replace("/blob/", "/tree/"))
        assert answer.status_code == 201
        entity = await catalog.entity("component:default/web")
        assert entity is not None
        assert "status" not in entity or not entity["status"]["items"]
        refs = await catalog.refs()
        assert len([ref for ref in refs if ref.startswith("location:")]) <= 1
        registrations = (await catalog.ask("GET", "/locations")).json()
        assert [item["data"]["target"] for item in registrations] == [host.url("shop")]
        identity = registrations[0]["data"]["id"]
        assert (await catalog.ask("DELETE", f"/locations/{identity}")).status_code < 300
        # It is still there, discovered.
        assert await catalog.entity("component:default/web") is not None
