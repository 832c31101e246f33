"""A name that becomes free goes to who was refused it: at once, the oldest first."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.ingestion import ingest
from services.catalog.store.entities import MongoEntityStore
from tests import builders
from tests.catalog.running import Host, Running, generated, running, write
from tests.catalog.test_crashes import doomed
from tests.waiting import until

WEB = "component:default/web"
#: On a busy machine too; the scan comes every 900 s.


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    async with running(database, data, host.config()) as started:
        yield started


def web(title: str) -> dict[str, Any]:
    return builders.component("web", {"title": title})


async def register(catalog: Running, host: Host, *repositories: str) -> list[str]:
    """Repositories that all say `web`, in this order; their registrations' ids."""
    ids = []
    for name in repositories:
        host.commit(name, {"catalog-info.yaml": web(name)})
        answer = await catalog.register(host.url(name))
        ids.append(answer.json()["location"]["id"])
    return ids


async def owned_by(catalog: Running, name: str, ref: str = WEB) -> None:
    """Wait until an entity comes from the repository that is its title."""

    async def is_owner() -> bool:
        entity = await catalog.entity(ref)
        return entity is not None and entity["metadata"].get("title") == name

    await until(is_owner, f"{ref} to be {name}'s")


async def no_problems(catalog: Running, target: str) -> None:
    async def is_fine() -> bool:
        return not await catalog.problems(generated(target, "url"))

    await until(is_fine, f"{target} to have no problem")


async def test_the_second_root_takes_over_after_an_unregistration(
    catalog: Running, host: Host
) -> None:
    """The takeover does not wait for the scan, and clears the second root's error."""
    first, _ = await register(catalog, host, "old", "new")
    assert await catalog.problems(generated(host.url("new"), "url"))
    await catalog.ask("DELETE", f"/locations/{first}")
    await owned_by(catalog, "new")
    await no_problems(catalog, host.url("new"))


@pytest.mark.parametrize("content", [builders.component("other"), None])
async def test_the_second_root_takes_over_names_that_the_first_drops(
    catalog: Running, host: Host, content: Any
) -> None:
    """The first file renames the entity, or the descriptor is deleted."""
    await register(catalog, host, "old", "new")
    host.commit("old", {"catalog-info.yaml": content})
    await catalog.register(host.url("old"), "?onConflict=refresh")
    await owned_by(catalog, "new")
    await no_problems(catalog, host.url("new"))


async def test_a_deleted_entity_returns_from_its_own_location(
    catalog: Running, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting by hand frees no name: the entity's source restores it at once."""
    await register(catalog, host, "old", "new")
    entity = await catalog.entity(WEB)
    assert entity is not None
    uid = entity["metadata"]["uid"]

    async def reading_late(*args: Any, **kwargs: Any) -> Any:
        # As late as whoever was refused the name needs to take it.
        await catalog.work.takeovers.settle()
        return await ingest(*args, **kwargs)

    module = "services.catalog.handlers.refreshing.ingest"
    monkeypatch.setattr(module, reading_late)
    await catalog.ask("DELETE", f"/entities/by-uid/{uid}")
    await catalog.app.state.work.takeovers.settle()
    await owned_by(catalog, "old")
    [problem] = await catalog.problems(generated(host.url("new"), "url"))
    assert host.url("old") in problem


async def test_the_oldest_waiting_root_takes_over(catalog: Running, host: Host) -> None:
    """The others' errors name the new provider; then the next root's turn comes."""
    first, second, _ = await register(catalog, host, "one", "two", "three")
    await catalog.ask("DELETE", f"/locations/{first}")
    await owned_by(catalog, "two")

    async def names_the_new_owner() -> bool:
        problems = await catalog.problems(generated(host.url("three"), "url"))
        return [host.url("two") in problem for problem in problems] == [True]

    await until(names_the_new_owner, "the error to name the new owner")
    await catalog.ask("DELETE", f"/locations/{second}")
    await owned_by(catalog, "three")
    await no_problems(catalog, host.url("three"))


async def test_chained_takeovers_are_completed(catalog: Running, host: Host) -> None:
    """A root that takes over one name frees another that a third root waits for."""
    host.commit("a", {"catalog-info.yaml": web("a")})
    api = builders.api("orders", {"title": "b"})
    host.commit("b", {"catalog-info.yaml": [api, web("b")]})
    host.commit("c", {"catalog-info.yaml": builders.api("orders", {"title": "c"})})
    for name in ("a", "b", "c"):
        await catalog.register(host.url(name))
    host.commit("b", {"catalog-info.yaml": web("b")})
    host.commit("a", {"catalog-info.yaml": builders.component("other")})
    await catalog.register(host.url("a"), "?onConflict=refresh")
    await owned_by(catalog, "b")
    await owned_by(catalog, "c", "api:default/orders")
    for name in ("a", "b", "c"):
        await no_problems(catalog, host.url(name))


async def test_a_removed_root_takes_over_nothing(catalog: Running, host: Host) -> None:
    """A name that only a removed root waited for stays free."""
    first, second = await register(catalog, host, "old", "new")
    await catalog.ask("DELETE", f"/locations/{second}")
    await catalog.ask("DELETE", f"/locations/{first}")
    await catalog.app.state.work.takeovers.settle()
    assert await catalog.refs() == set()
    assert WEB not in catalog.work.catalog.state.refused


async def test_a_name_freed_by_another_process_is_taken_over(
    database: Any,
    data: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where that process died before it could take the name over."""
    files = [write(data, f"{name}.yaml", web(name)) for name in ("old", "new")]
    async with running(database, data) as one:
        first = (await one.register(files[0])).json()["location"]["id"]
        await one.register(files[1])
        folder = tmp_path_factory.mktemp("second")
        async with running(database, folder) as other:
            one.work.catalog.state.refused.release = lambda *_, **__: None
            answer = await one.ask("DELETE", f"/locations/{first}")
            assert answer.status_code == 204
            assert await one.entity(WEB) is None
            await other.work.follower.catch_up()
            await owned_by(other, "new")


async def test_a_name_freed_before_a_crash_is_taken_over_at_start(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion was stored, and no takeover had been triggered."""
    files = [write(data, f"{name}.yaml", web(name)) for name in ("old", "new")]
    async with running(database, data) as catalog:
        answer = await catalog.register(files[0])
        first = answer.json()["location"]["id"]
        await catalog.register(files[1])
    death = (MongoEntityStore, "write", 1, True)
    async with doomed(database, data, monkeypatch, death) as catalog:
        await catalog.ask("DELETE", f"/locations/{first}")
    files[0].unlink()

    async def no_scan(*_: Any) -> None:
        return

    monkeypatch.setattr("services.catalog.worker.scan", no_scan)
    async with running(database, data) as catalog:
        await owned_by(catalog, "new")
        assert await catalog.problems(generated(files[1])) == []


async def test_a_takeover_is_retried_when_its_source_was_away(
    catalog: Running, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal is not lost by the failure."""
    monkeypatch.setattr("services.catalog.handlers.refused_names.RETRY_SECONDS", 0.2)
    first, _ = await register(catalog, host, "old", "new")
    bare = host.bare / "new.git"
    bare.rename(host.bare / "away.git")
    await catalog.ask("DELETE", f"/locations/{first}")
    await catalog.app.state.work.takeovers.settle()
    assert await catalog.entity(WEB) is None
    (host.bare / "away.git").rename(bare)
    await owned_by(catalog, "new")
    await no_problems(catalog, host.url("new"))


async def test_an_unexpected_failure_does_not_end_the_takeovers(
    catalog: Running, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is logged, and the takeover is retried."""
    monkeypatch.setattr("services.catalog.handlers.refused_names.RETRY_SECONDS", 0.2)
    first, _ = await register(catalog, host, "old", "new")
    failures = 0

    async def failing(*arguments: Any, **more: Any) -> Any:
        nonlocal failures
        failures += 1
        if failures == 1:
            raise OverflowError("of a kind that nobody thought of")
        return await ingest(*arguments, **more)

    monkeypatch.setattr("services.catalog.handlers.takeovers.ingest", failing)
    await catalog.ask("DELETE", f"/locations/{first}")
    await owned_by(catalog, "new")
    assert failures == 2
