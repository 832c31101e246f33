"""Whoever registers what another source provides: told first, and free to undo it."""

from pathlib import Path
from typing import Any

import pytest

from shared.kit.http.service_tokens import Grant, Principal
from tests import builders
from tests.catalog.running import Host, Running, generated, pointing, running, write
from tests.catalog.test_source_rights import HIDDEN

BO = "user:default/bo"
ORIGIN = "backstage.io/managed-by-origin-location"
OWN = {"rule": "IS_ENTITY_OWNER", "params": {"claims": ["group:default/b"]}}


def bo(permission: str) -> Principal:
    """A member of group b: sees everything, changes what the group owns."""
    also = {
        "catalog.entity.read": Grant("allow"),
        "callboard.source.read": Grant("allow"),
        "callboard.source.explore": Grant("allow"),
        "catalog.location.delete": Grant("conditional", OWN),
    }
    decision: Any = (
        "allow" if permission != "catalog.location.delete" else "conditional"
    )
    conditions = OWN if decision == "conditional" else None
    return Principal(
        BO, "user", (BO, "group:default/b"), permission, decision, conditions, also
    )


async def registered(catalog: Running, target: Path | str, query: str = "") -> Any:
    """What the catalog answers to Bo, who registers a file or an address."""
    kind = "file" if isinstance(target, Path) else "url"
    body = {"type": kind, "target": str(target)}
    who = bo("catalog.location.create")
    answer = await catalog.ask("POST", f"/locations{query}", body, who)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def removed(catalog: Running, identity: str) -> int:
    """The status of Bo's unregistering, which `removable` foretells."""
    path = f"/locations/{identity}"
    outcome = await catalog.ask(
        "GET", f"{path}/remaining", None, bo("catalog.entity.read")
    )
    answer = await catalog.ask("DELETE", path, None, bo("catalog.location.delete"))
    assert outcome.json()["removable"] is (answer.status_code == 204)
    return answer.status_code


async def origin_of(catalog: Running, ref: str) -> str:
    entity = await catalog.entity(ref)
    assert entity is not None
    origin: str = entity["metadata"]["annotations"][ORIGIN]
    return origin


async def register_twice(
    catalog: Running, everything: Path, file: Path
) -> tuple[str, str]:
    """The identities of two locations: the pattern's, and Bo's of the one file."""
    first = (await catalog.register(everything)).json()["location"]["id"]
    return first, (await registered(catalog, file))["location"]["id"]


def shop(data: Path) -> tuple[Path, Path]:
    """A file of team a, and the location of a pattern that means it."""
    file = write(data, "a/shop.yaml", builders.component("shop", owner="a"))
    return file, write(data, "all.yaml", pointing("all", "./a/*.yaml"))


async def test_a_registrant_may_unregister_entities_of_two_sources(
    database: Any, data: Path
) -> None:
    """The entities stay with the first source, which its own registrant removes."""
    file, everything = shop(data)
    async with running(database, data) as catalog:
        first, own = await register_twice(catalog, everything, file)
        assert (
            await origin_of(catalog, "component:default/shop") == f"file:{everything}"
        )
        assert await removed(catalog, first) == 403
        assert await removed(catalog, own) == 204
        assert await catalog.refs() == {"location:all", "component:shop"}
        assert (
            await origin_of(catalog, "component:default/shop") == f"file:{everything}"
        )


async def test_a_registrant_may_not_remove_others_sole_entities(
    database: Any, data: Path
) -> None:
    """Without another source for them, only the owners may unregister."""
    file, everything = shop(data)
    async with running(database, data) as catalog:
        first, own = await register_twice(catalog, everything, file)
        await catalog.ask("DELETE", f"/locations/{first}")
        assert await origin_of(catalog, "component:default/shop") == f"file:{file}"
        assert await removed(catalog, own) == 403
        assert await catalog.refs() == {"component:shop"}


@pytest.mark.parametrize(("owner", "status"), [("b", 204), ("a", 403)])
async def test_nested_locations_do_not_affect_ownership(
    database: Any, data: Path, owner: str, status: int
) -> None:
    """The owners of a registration are those of the entities, not of Locations."""
    write(data, "a/shop.yaml", builders.component("shop", owner=owner))
    everything = write(data, "all.yaml", pointing("all", "./a/shop.yaml"))
    async with running(database, data) as catalog:
        own = (await registered(catalog, everything))["location"]["id"]
        assert await removed(catalog, own) == status
        left = set() if status == 204 else {"location:all", "component:shop"}
        assert await catalog.refs() == left


async def test_a_registration_of_locations_only_is_its_registrants(
    database: Any, data: Path
) -> None:
    """Such a registration has no entities that anybody could own."""
    nowhere = write(data, "all.yaml", pointing("all", "./gone/*.yaml"))
    async with running(database, data) as catalog:
        other = (await catalog.register(nowhere)).json()["location"]["id"]
        assert await removed(catalog, other) == 403
        await catalog.ask("DELETE", f"/locations/{other}")
        own = (await registered(catalog, nowhere))["location"]["id"]
        assert await removed(catalog, own) == 204


async def test_an_entity_that_another_file_would_take_over_is_removed(
    database: Any, data: Path
) -> None:
    """Another file waits for the name: the present entity would go all the same."""
    file = write(data, "one.yaml", builders.component("shop", owner="a"))
    other = write(data, "two.yaml", builders.component("shop", owner="a"))
    async with running(database, data) as catalog:
        own = (await registered(catalog, file))["location"]["id"]
        await catalog.register(other)
        assert await removed(catalog, own) == 403


async def test_a_registration_of_a_discovered_file_can_be_undone(
    database: Any, data: Path, host: Host
) -> None:
    """The provider keeps the entities; only the registrant may unregister."""
    host.commit("shop", {"catalog-info.yaml": builders.component("shop", owner="a")})
    async with running(database, data, host.discovering()) as catalog:
        identity = (await catalog.register(host.url("shop"))).json()["location"]["id"]
        assert await removed(catalog, identity) == 403
        await catalog.ask("DELETE", f"/locations/{identity}")
        own = (await registered(catalog, host.url("shop")))["location"]["id"]
        assert await removed(catalog, own) == 204
        assert await catalog.refs() == {"component:shop"}


async def test_the_origin_stays_the_first_source_after_a_refresh(
    database: Any, data: Path
) -> None:
    """Whichever source reads a change first."""
    file, everything = shop(data)
    async with running(database, data) as catalog:
        await catalog.register(everything)
        await registered(catalog, file)
        for title, target in (("One", file), ("Two", everything)):
            changed = builders.component("shop", owner="a")
            changed["metadata"]["title"] = title
            write(data, "a/shop.yaml", changed)
            await catalog.register(target, "?onConflict=refresh")
            entity = await catalog.entity("component:default/shop")
            assert entity is not None
            assert entity["metadata"]["title"] == title
            origin = await origin_of(catalog, "component:default/shop")
            assert origin == f"file:{everything}"


async def test_removed_entities_are_counted_for_any_address(
    database: Any, data: Path
) -> None:
    """A pattern with a comma too; without the location's own entity."""
    for name in "ab":
        write(data, f"{name}/x/c.yaml", builders.component(name, owner="b"))
    pattern = data / "{a,b}" / "**" / "c.yaml"
    async with running(database, data) as catalog:
        identity = (await registered(catalog, pattern))["location"]["id"]
        answer = await catalog.ask("GET", f"/locations/{identity}/remaining")
        assert answer.json()["leaving"] == {
            "totalEntities": 2,
            "entityRefs": ["component:default/a", "component:default/b"],
        }


async def test_a_dry_run_names_providers_of_existing_entities(
    database: Any, data: Path, host: Host
) -> None:
    """The first source of each; names that other files provide are marked."""
    host.commit("shop", {"catalog-info.yaml": builders.component("shop", owner="a")})
    mine = write(data, "m.yaml", builders.component("shop"), builders.component("new"))
    async with running(database, data, host.discovering()) as catalog:
        provided_entity = {
            "entityRef": "component:default/shop",
            "location": f"url:{host.url('shop')}",
            "origin": f"url:{host.url('shop')}",
            "providers": ["git:all"],
            "isOtherFile": False,
        }
        first_answer = await registered(
            catalog, host.url("shop"), "?dryRun=true&provided=true"
        )
        assert first_answer["exists"] is False
        assert first_answer["provided"] == [provided_entity]
        second_answer = await registered(catalog, mine, "?dryRun=true&provided=true")
        assert second_answer["provided"] == [{**provided_entity, "isOtherFile": True}]
        third_answer = await registered(catalog, mine, "?dryRun=true")
        assert third_answer.keys() == {"exists", "location", "entities"}


async def test_a_dry_run_does_not_reveal_restricted_entities(
    database: Any, data: Path
) -> None:
    """A restricted entity of the same name is treated as missing."""
    hidden = builders.component("secret", owner="a")
    hidden["metadata"]["annotations"] = {"callboard.dev/visibility": "restricted"}
    write(data, "hidden/one.yaml", hidden)
    mine = write(data, "mine/two.yaml", builders.component("secret"))
    place = {"type": "file", "target": str(mine)}
    who = bo("catalog.location.create")
    sees = Grant("conditional", OWN)
    who = Principal(
        who.subject,
        "user",
        who.ownership,
        who.permission,
        also={**who.also, "catalog.entity.read": sees},
    )
    async with running(database, data) as catalog:
        await catalog.register(data / "hidden" / "one.yaml")
        answer = await catalog.ask(
            "POST", "/locations?dryRun=true&provided=true", place, who
        )
        assert answer.json()["provided"] == []
        assert generated(mine) in answer.text


async def test_a_registrant_sees_the_registration_of_what_is_hidden(
    database: Any, data: Path, host: Host
) -> None:
    """Who registered it lists it, and removes it; another registrant does not."""
    document = builders.component("secret")
    document["metadata"]["annotations"] = {"callboard.dev/visibility": "restricted"}
    document["spec"]["owner"] = "group:default/b"
    host.commit("hush", {"svc/h.yaml": document})
    conditions = {"anyOf": [OWN, {"not": HIDDEN}]}
    async with running(database, data, host.config()) as catalog:
        identity = (await registered(catalog, host.url("hush", "svc/h.yaml")))[
            "location"
        ]["id"]
        for subject, expected in ((BO, 200), ("user:default/cy", 404)):
            who = Principal(
                subject, "user", (), "catalog.entity.read", "conditional", conditions
            )
            answer = await catalog.ask("GET", f"/locations/{identity}", None, who)
            assert answer.status_code == expected, subject
            listed = await catalog.ask("GET", "/locations", None, who)
            assert len(listed.json()) == (expected == 200)
        assert await removed(catalog, identity) == 204
