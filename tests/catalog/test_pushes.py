"""Pushes: the catalog hears of them and shows exactly what they changed."""

import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.pushes import merge_pushes
from shared.contracts.envelope import Envelope
from shared.contracts.gateway import RepositoryPushed
from shared.contracts.topics import GIT_PUSH, dead
from shared.kit.events.bus import EventRecord, KafkaBus, LiveReader
from tests import builders
from tests.catalog.running import (
    Host,
    Running,
    generated,
    pointing,
    run,
    running,
    write,
)
from tests.waiting import until

FILE = "catalog-info.yaml"


def event(
    repository: str, *paths: str, at: str = "git.example.org", **more: Any
) -> RepositoryPushed:
    fields: dict[str, Any] = {
        "provider": "gitea",
        "host": at,
        "repository": repository,
        "url": f"https://{at}/{repository}",
        "ref": "refs/heads/main",
        # Each begins where the one before ended.
        "before": "2" * 40,
        "after": "2" * 40,
        "changed_paths": list(paths) or None,
        "pusher": "bo",
        "pusher_name": "Bo Example",
        "delivery": str(uuid.uuid4()),
        **more,
    }
    return RepositoryPushed(**fields)


class Pushing:
    """Tells of pushes, as the gateway does."""

    def __init__(self, bus: KafkaBus, host: Host) -> None:
        self.bus = bus
        self.host = host

    async def __call__(self, repository: str, *paths: str, **more: Any) -> None:
        payload = event(repository, *paths, at=self.host.name, **more)
        key = f"{self.host.name}/{repository}"
        envelope = Envelope.of(payload, source="/gateway", subject=key)
        await self.bus.publish(GIT_PUSH, key, envelope.to_bytes())


@pytest.fixture
async def push(kafka: str, host: Host) -> AsyncIterator[Pushing]:
    async with KafkaBus(kafka) as bus:
        yield Pushing(bus, host)


async def hearing(catalog: Running) -> None:
    await until(catalog.work.pushes.joined.is_set, condition="the group is joined")


async def owner(catalog: Running, name: str) -> str | None:
    entity = await catalog.entity(f"component:default/{name}")
    return entity["spec"]["owner"] if entity else None


async def test_a_push_shows_its_change_and_commit(
    database: Any, data: Path, kafka: str, push: Pushing, host: Host
) -> None:
    """The entity shows the change; its history has actor, change and cause."""
    host.commit("web", {FILE: builders.component("web")})
    async with running(database, data, host.discovering(), kafka=kafka) as catalog:
        await hearing(catalog)
        assert await owner(catalog, "web") == "team-a"
        changed = {FILE: builders.component("web", owner="team-b")}
        commit = host.commit("web", changed, "Hand over to team B")
        start = time.monotonic()
        await push("web", FILE)

        async def is_changed() -> bool:
            return await owner(catalog, "web") == "team-b"

        await until(is_changed, condition="the change")
        assert time.monotonic() - start < 15
        newest = (await catalog.history("component:default/web"))[0]
        entity = await catalog.entity("component:default/web")
    assert newest["actor"] == "Bo Example"
    cause = newest["cause"]
    assert cause.pop("changed_at")
    assert cause == {
        "kind": "push",
        "location": f"url:{host.url('web')}",
        "repository": f"{host.name}/web",
        "commit": commit,
        "subject": "Hand over to team B",
        "author": "Bo Example",
    }
    assert entity is not None
    root = f"https://{host.name}/web"
    assert entity["metadata"]["annotations"] == {
        "backstage.io/managed-by-location": f"url:{root}/blob/main/{FILE}",
        "backstage.io/managed-by-origin-location": f"url:{root}/blob/main/{FILE}",
        "backstage.io/view-url": f"{root}/blob/main/{FILE}",
        "backstage.io/edit-url": f"{root}/edit/main/{FILE}",
        "backstage.io/source-location": f"url:{root}/tree/main/",
    }


async def test_a_deleted_branch_is_an_error_of_its_entities(
    database: Any, data: Path, kafka: str, push: Pushing, host: Host
) -> None:
    """The last state stays, and says that its branch is gone, before any scan."""
    host.commit("web", {FILE: builders.component("web")})
    run("git", "push", "-q", "origin", "main:develop", cwd=host.copies / "web")
    async with running(database, data, host.config(), kafka=kafka) as catalog:
        await hearing(catalog)
        develop = host.url("web").replace("/main/", "/develop/")
        assert (await catalog.register(develop)).status_code == 201
        run("git", "push", "-q", "origin", ":develop", cwd=host.copies / "web")
        await push("web", ref="refs/heads/develop", after="0" * 40)

        async def is_in_error() -> bool:
            entity = await catalog.entity("component:default/web")
            items = (entity or {}).get("status", {}).get("items", [])
            return any("develop" in item["message"] for item in items)

        await until(is_in_error, condition="the error at the entity")


async def test_a_push_to_the_default_branch_adds_a_repository(
    database: Any, data: Path, kafka: str, push: Pushing, host: Host
) -> None:
    """Whatever the default branch is called; a push to another branch adds none."""
    async with running(database, data, host.discovering(), kafka=kafka) as catalog:
        await hearing(catalog)
        host.commit("old", {FILE: builders.component("old")})
        host.rename_branch("old", "master")
        await push("old", FILE, ref="refs/heads/feature")
        await push("old", FILE, ref="refs/heads/master")
        await until(lambda: owner(catalog, "old"), condition="the new entity")
        [root] = catalog.work.catalog.state.roots.values()
        assert root.location.target == host.url("old").replace("/main/", "/master/")


async def test_a_push_of_a_descriptor_adds_or_removes_a_repository(
    database: Any, data: Path, kafka: str, push: Pushing, host: Host
) -> None:
    """A push that brings a descriptor is enough; no registration is needed."""
    async with running(database, data, host.discovering(), kafka=kafka) as catalog:
        await hearing(catalog)
        host.commit("new", {"readme.md": "# new"})
        await push("new", "readme.md")
        host.commit("new", {FILE: builders.component("new")})
        await push("new", FILE)
        await until(lambda: owner(catalog, "new"), condition="the new entity")
        assert (await catalog.ask("GET", "/locations")).json() == []
        host.commit("new", {FILE: None})
        await push("new", FILE)

        async def gone() -> bool:
            return await catalog.refs() == set()

        await until(gone, condition="the entity is gone")
        roots = catalog.work.catalog.state.roots
        await until(lambda: not roots, condition="the root is gone")


async def test_files_behind_links_are_read_and_watched(
    database: Any, data: Path, kafka: str, push: Pushing, host: Host
) -> None:
    """Descriptors and definitions may be links; a push to a target refreshes."""
    api = builders.api("orders", definition={"$text": "./openapi.yaml"})
    files = {
        ".portal/catalog.yaml": [api, builders.component("web")],
        FILE: Path("middle.yaml"),
        "middle.yaml": Path(".portal/catalog.yaml"),
        "openapi.yaml": Path("specs/v1.yaml"),
        "specs/v1.yaml": "one",
        "specs/v2.yaml": "two",
    }
    host.commit("web", files)
    async with running(database, data, host.discovering(), kafka=kafka) as catalog:
        await hearing(catalog)

        async def definition() -> Any:
            entity = await catalog.entity("api:default/orders")
            return entity and entity["spec"]["definition"]

        async def is_changed(expected: str) -> bool:
            return bool(await definition() == expected)

        assert await definition() == "one"
        host.commit("web", {"specs/v1.yaml": "one more"})
        await push("web", "specs/v1.yaml")
        await until(
            lambda: is_changed("one more"), condition="the file behind the link"
        )
        host.commit("web", {"openapi.yaml": Path("specs/v2.yaml")})
        await push("web", "openapi.yaml")
        await until(lambda: is_changed("two"), condition="where the link leads now")
        documents = [api, builders.component("shop")]
        host.commit("web", {".portal/catalog.yaml": documents})
        await push("web", ".portal/catalog.yaml")
        await until(lambda: owner(catalog, "shop"), condition="the descriptor's file")
        host.commit("web", {"new.yaml": builders.component("new")})
        host.commit("web", {"middle.yaml": Path("new.yaml")})
        await push("web", "middle.yaml")
        await until(lambda: owner(catalog, "new"), condition="the link in between")


async def test_a_link_out_of_the_repository_is_a_location_error(
    database: Any, data: Path, kafka: str, push: Pushing, host: Host
) -> None:
    """The error names the link, and no file of the server is read."""
    host.commit("web", {FILE: Path("/etc/hostname")})
    url = host.url("web")
    async with running(database, data, host.config(), kafka=kafka) as catalog:
        body = {"type": "url", "target": url}
        await catalog.ask("POST", "/locations", body)
        location = await catalog.entity(f"location:default/{generated(url, 'url')}")
        assert location is not None
        [item] = location["status"]["items"]
        assert f"{FILE}': the link leads to an absolute path" in item["message"]
        assert "must stay in its repository" in item["message"]


async def test_included_files_and_targets_are_watched(
    database: Any, data: Path, kafka: str, push: Pushing, host: Host
) -> None:
    """A push to a placeholder's file, a target, or a missing file refreshes."""
    api = builders.api("orders", definition={"$text": "./api/openapi.yaml"})
    more = pointing("more", "./sub/there.yaml", "./sub/missing.yaml", "./any/*.yaml")
    files = {
        FILE: [api, more],
        "api/openapi.yaml": "one",
        "sub/there.yaml": builders.component("there"),
        "any/a.yaml": builders.component("any-a"),
    }
    host.commit("web", files)
    async with running(database, data, host.discovering(), kafka=kafka) as catalog:
        await hearing(catalog)
        everything = {"api:orders", "location:more", "component:there"}
        assert await catalog.refs() == {*everything, "component:any-a"}
        host.commit("web", {"api/openapi.yaml": "two"})
        await push("web", "api/openapi.yaml")

        async def is_changed() -> bool:
            entity = await catalog.entity("api:default/orders")
            return bool(entity and entity["spec"]["definition"] == "two")

        await until(is_changed, condition="the included file")
        host.commit("web", {"sub/missing.yaml": builders.component("found")})
        await push("web", "sub/missing.yaml")
        await until(lambda: owner(catalog, "found"), condition="the missing file")
        host.commit("web", {"any/b.yaml": builders.component("any-b")})
        await push("web", "any/b.yaml")
        await until(lambda: owner(catalog, "any-b"), condition="what matches newly")
        host.commit("web", {"sub/there.yaml": None})
        await push("web", "sub/there.yaml")

        async def is_deleted() -> bool:
            return "component:there" not in await catalog.refs()

        await until(is_deleted, condition="the deleted target")


async def test_a_push_reads_only_the_files_that_it_changed(
    database: Any, data: Path, kafka: str, push: Pushing, host: Host
) -> None:
    """Other branches and files change nothing; unknown paths mean all files."""
    host.commit("web", {FILE: builders.component("web")})
    async with running(database, data, host.discovering(), kafka=kafka) as catalog:
        await hearing(catalog)
        host.commit("web", {FILE: builders.component("web", owner="team-b")})
        await push("web", FILE, ref="refs/heads/other")
        await push("web", FILE, ref="refs/tags/main")
        await push("web", "readme.md")
        host.commit("last", {FILE: builders.component("last")})
        await push("last", FILE)
        await until(lambda: owner(catalog, "last"), condition="the last push")
        assert await owner(catalog, "web") == "team-a"
        await push("web")

        async def all_read() -> bool:
            return await owner(catalog, "web") == "team-b"

        await until(all_read, condition="a push of unknown paths")


async def test_a_malformed_push_event_goes_to_the_dead_letters(
    database: Any, data: Path, kafka: str, push: Pushing, host: Host
) -> None:
    """The next message is handled."""
    letters: list[EventRecord] = []

    async def keep(records: Any) -> None:
        letters.extend(records)

    await push.bus.publish(dead(GIT_PUSH), "first", b"{}")
    async with (
        LiveReader(kafka, [dead(GIT_PUSH)], keep) as reader,
        running(database, data, host.discovering(), kafka=kafka) as catalog,
    ):
        await until(reader.reading.is_set, condition="the dead letters are read")
        await hearing(catalog)
        await push.bus.publish(GIT_PUSH, f"{host.name}/new", b"\xff not an event")
        host.commit("new", {FILE: builders.component("new")})
        await push("new", FILE)
        await until(
            lambda: owner(catalog, "new"), condition="the push behind the poison"
        )
        await until(lambda: len(letters) >= 1, condition="the dead letter")


async def test_a_replica_shows_the_changes_of_another_one(
    database: Any, data: Path, kafka: str
) -> None:
    """Two catalogs on one store: each shows what the other wrote and deleted."""
    file = write(data, "all.yaml", builders.component("web"))
    async with (
        running(database, data, kafka=kafka) as one,
        running(database, data, kafka=kafka) as two,
    ):
        for catalog in (one, two):
            await hearing(catalog)
            await until(catalog.work.change_reader.reading.is_set, condition="reading")
        location = (await one.register(file)).json()["location"]
        await until(lambda: owner(two, "web"), condition="the other's entity")
        path = f"/locations/{location['id']}"

        async def known() -> bool:
            return (await two.ask("GET", path)).status_code == 200

        await until(known, condition="the other's registration")
        write(data, "all.yaml", builders.component("web", owner="team-b"))
        await two.ask("POST", "/refresh", {"entityRef": "component:web"})

        async def changed() -> bool:
            return await owner(one, "web") == "team-b"

        await until(changed, condition="the change made by the other")
        await one.ask("DELETE", path)

        async def gone() -> bool:
            return await two.refs() == set()

        await until(gone, condition="what the other deleted")


def test_pushes_to_one_branch_are_merged() -> None:
    """A batch costs one reading per branch; a push with unknown paths prevails."""
    [joined_push] = merge_pushes(
        [(event("web", "a"), {}), (event("web", "b", pusher_name=None), {})], bool
    )
    assert joined_push.paths == {"a", "b"}
    assert joined_push.actor == "bo"
    [whole_push] = merge_pushes(
        [(event("web", "a"), {}), (event("web"), {}), (event("web", "b"), {})], bool
    )
    assert whole_push.paths is None
    assert merge_pushes([(event("web", ref="refs/tags/x"), {})], bool) == []
    [deletion] = merge_pushes([(event("web", "a", after="0" * 40), {})], bool)
    assert deletion.paths is None


@pytest.mark.parametrize("is_lost", [False, True])
async def test_a_push_after_a_lost_delivery_is_read_whole(
    database: Any, data: Path, kafka: str, push: Pushing, host: Host, is_lost: bool
) -> None:
    """It does not begin where the one before ended: what lies between is read, too."""
    tips = [host.commit("web", {FILE: builders.component("web"), "x": "0"})]
    async with running(database, data, host.discovering(), kafka=kafka) as catalog:
        await hearing(catalog)
        tips.append(host.commit("web", {"x": "1"}))
        await push("web", "x", before=tips[0], after=tips[1])
        changed = {FILE: builders.component("web", owner="team-b")}
        tips.append(host.commit("web", changed))
        if not is_lost:
            await push("web", FILE, before=tips[1], after=tips[2])
        tips.append(host.commit("web", {"x": "2"}))
        await push("web", "x", before=tips[2], after=tips[3])

        async def is_changed() -> bool:
            return await owner(catalog, "web") == "team-b"

        await until(is_changed, condition="the change")
