"""Catching up with the owners, and rebuilding beside the live index."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.search import resync
from services.search.alias import LocalAlias
from services.search.index import fields
from services.search.index.embedded import opener
from services.search.model import PageSection
from services.search.opensearch.alias import ServerAlias
from services.search.ports import Alias
from services.search.resync import ENTITIES, PARTS, RebuildProgress, Rebuilt, rebuild
from shared.contracts.errors import Conflict, Unavailable
from tests.builders import component
from tests.search.conftest import TAGS, Replica
from tests.search.fakes import MemoryOwners, entity_put, search_request

DOCS = {"annotations": {"backstage.io/techdocs-ref": "dir:."}}
REF = "component:default/web"


@pytest.fixture
def owners() -> MemoryOwners:
    owners = MemoryOwners()
    owners.put(component("web", DOCS), revision=3)
    owners.put(component("api"), revision=1)
    owners.publish(REF, "s1", PageSection("", "Home", "xylophone"))
    return owners


async def catch_up(alias: Alias, owners: MemoryOwners) -> int:
    return sum([await resync.catch_up(alias, owners, part) for part in PARTS])


async def index_versions(alias: Alias) -> list[str]:
    """The numbers of all that are there."""
    if isinstance(alias, ServerAlias):
        return [index.name for index in await alias._list_indices()]
    assert isinstance(alias, LocalAlias)
    return [path.name for path in alias._folder.iterdir() if path.is_dir()]


async def total(alias: Alias, term: str = "") -> int:
    return (await alias.answering.index.find(search_request(term))).total


async def test_queries_wait_until_the_index_agrees_with_its_owners(
    alias: Alias, owners: MemoryOwners
) -> None:
    """An index that is being built answers 503 instead of finding too little."""
    with pytest.raises(Unavailable, match="being built"):
        await total(alias)
    owners.away = True
    with pytest.raises(Unavailable):
        await catch_up(alias, owners)
    with pytest.raises(Unavailable, match="being built"):
        await alias.check()
    owners.away = False
    assert await catch_up(alias, owners) == 3
    assert await total(alias) == 3


async def test_entities_are_searchable_before_their_pages(
    alias: Alias, owners: MemoryOwners
) -> None:
    """Entities are found before techdocs has delivered its pages."""
    await resync.catch_up(alias, owners, ENTITIES)
    assert await total(alias) == 2
    assert await catch_up(alias, owners) == 1
    assert await total(alias) == 3


async def test_an_unreadable_entity_does_not_block_the_index(
    alias: Alias, owners: MemoryOwners
) -> None:
    """The index is built and agrees with its owners; that entity is not found."""
    owners.put(component("odd", size=2**70, tags=["xylophone"]), revision=1)
    assert await catch_up(alias, owners) == 4
    assert await total(alias) == 3
    assert await catch_up(alias, owners) == 0


async def test_reconciling_writes_only_differences(
    alias: Alias, owners: MemoryOwners
) -> None:
    """A second reconciliation writes changes and deletions, or reads nothing."""
    await catch_up(alias, owners)
    walked = owners.walked
    assert await catch_up(alias, owners) == 0
    assert owners.walked == walked
    owners.put(component("web", {**DOCS, "description": "newer"}), revision=4)
    del owners.upserts["component:default/api"]
    owners.put(component("db"))
    owners.published.clear()
    assert await catch_up(alias, owners) == 4
    assert await total(alias, "newer") == 1
    assert await total(alias) == 2
    sums = await alias.live.checksums()
    assert sums["entities"] == await owners.entity_checksum()
    assert sums["sites"] == await owners.site_checksum()


async def test_an_owner_restored_from_a_backup_is_followed(
    alias: Alias, owners: MemoryOwners
) -> None:
    """The owner's older state replaces the newer one in the index."""
    await alias.apply([entity_put(component("web", {"description": "lost"}), 7)])
    await catch_up(alias, owners)
    assert await total(alias, "lost") == 0
    assert (await alias.live.indexed_versions()).entities[REF].revision == 3


async def test_events_during_a_snapshot_win(alias: Alias, owners: MemoryOwners) -> None:
    """An event that arrives while the snapshot is read is not overwritten."""
    await catch_up(alias, owners)
    owners.put(component("web", {**DOCS, "description": "stale"}), revision=4)
    walk = owners.entities

    async def slow() -> AsyncIterator[object]:
        async for put in walk():
            news = component("web", {**DOCS, "description": "fresh"})
            owners.upserts[REF] = entity_put(news, 5)
            await alias.apply([entity_put(news, 5, at=9e12)])
            yield put

    owners.entities = slow  # type: ignore[assignment,method-assign]
    await catch_up(alias, owners)
    assert await total(alias, "fresh") == 1
    assert await total(alias, "stale") == 0


async def test_a_rebuild_is_verified_before_the_switch(
    alias: Alias, owners: MemoryOwners
) -> None:
    """A rebuilt index equals its owners by checksum, and answers from then on."""
    await catch_up(alias, owners)
    before = await index_versions(alias)
    steps = [step async for step in rebuild(alias, owners)]
    proof = steps[-1]
    assert isinstance(proof, Rebuilt)
    assert all(agreement.reached for agreement in proof.agreements.values())
    assert proof.agreements["entities"].indexed == await owners.entity_checksum()
    assert proof.live["entities"] == await owners.entity_checksum()
    assert any(isinstance(step, RebuildProgress) and step.done for step in steps)
    assert await total(alias, "xylophone") == 1
    assert len(before) == len(after := await index_versions(alias)) == 1
    assert after != before


async def test_changes_during_a_rebuild_reach_both_indexes(
    alias: Alias, owners: MemoryOwners
) -> None:
    """No event that arrives during a rebuild is lost by the switch."""
    await catch_up(alias, owners)
    async for step in rebuild(alias, owners):
        if (
            isinstance(step, RebuildProgress)
            and step.step == "entities"
            and not step.done
        ):
            put = owners.put(component("new", {"description": "meanwhile"}))
            await alias.apply([put])
            assert await total(alias, "meanwhile") == 1
    assert await total(alias, "meanwhile") == 1


async def test_a_failed_rebuild_changes_nothing(
    alias: Alias, owners: MemoryOwners
) -> None:
    """If an owner becomes unavailable, the live index answers as before."""
    await catch_up(alias, owners)
    live = alias.live
    steps = rebuild(alias, owners)
    await anext(steps)
    owners.away = True
    with pytest.raises(Unavailable):
        await anext(steps)
    assert alias.live is live
    assert await total(alias) == 3
    owners.away = False
    assert isinstance([step async for step in rebuild(alias, owners)][-1], Rebuilt)


async def test_a_second_rebuild_is_refused_while_one_runs(
    alias: Alias, owners: MemoryOwners
) -> None:
    """A second rebuild is refused, and the first goes on."""
    await catch_up(alias, owners)
    first = rebuild(alias, owners)
    await anext(first)
    with pytest.raises(Conflict):
        await anext(rebuild(alias, owners))
    assert isinstance([step async for step in first][-1], Rebuilt)


async def test_a_complete_index_answers_at_once_after_a_restart(
    replica: Replica, alias: Alias, owners: MemoryOwners
) -> None:
    """It answers before any owner does."""
    await catch_up(alias, owners)
    [_ async for _ in rebuild(alias, owners)]
    await alias.close()
    again = replica()
    await again.open()
    assert again.quarantine_reason is None
    assert await total(again, "xylophone") == 1
    await again.close()


async def test_a_corrupt_index_is_replaced_by_a_new_one(
    data: Path, owners: MemoryOwners
) -> None:
    """A damaged index does not stop the service: a new one is built and reported."""
    alias = LocalAlias(data / "search", opener(TAGS))
    await alias.open()
    await catch_up(alias, owners)
    folder = data / "search" / alias.live.name
    await alias.close()
    for path in folder.iterdir():
        if path.suffix in {".idx", ".store", ".term"} or path.name == "meta.json":
            path.write_bytes(path.read_bytes()[:20])
    again = LocalAlias(data / "search", opener(TAGS))
    await again.open()
    assert again.quarantine_reason is not None
    with pytest.raises(Unavailable):
        _ = again.answering
    assert await catch_up(again, owners) == 3
    assert await total(again) == 3
    await again.close()


async def test_an_index_of_an_older_format_is_rebuilt(
    data: Path, owners: MemoryOwners, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade that changes the words of a text it has the owners' state."""
    monkeypatch.setattr(fields, "FORMAT", fields.FORMAT - 1)
    alias = LocalAlias(data / "search", opener(TAGS))
    await alias.open()
    await catch_up(alias, owners)
    await alias.close()
    monkeypatch.undo()
    again = LocalAlias(data / "search", opener(TAGS))
    await again.open()
    assert again.quarantine_reason is not None
    await catch_up(again, owners)
    counted = await again.live.recomputed_checksums()
    assert counted["entities"] == await owners.entity_checksum()
    assert counted["sites"] == await owners.site_checksum()
    assert await total(again, "xylophone") == 1
    await again.close()
