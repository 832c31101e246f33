"""What is news to the index, and what pages inherit from their entity."""

from services.search.conditions import criteria_condition
from services.search.model import (
    EntityRemoval,
    EntityUpsert,
    PageSection,
    SiteRemoval,
    SiteUpsert,
    Version,
)
from services.search.ports import IndexVersion
from tests.builders import component
from tests.search.fakes import entity_put, search_request, sum_of, titles
from tests.search.test_index import PUBLIC_OR_OWNED

REF = "component:default/web"
DOCS = {"backstage.io/techdocs-ref": "dir:."}
SITE = SiteUpsert(
    REF, "s1", (PageSection("", "Home", "xylophone"), PageSection("a/", "A", "b"))
)


def web(text: str, revision: int, uid: str = "u1", at: float = 1.0) -> EntityUpsert:
    entity = component("web", {"description": text, "annotations": DOCS})
    return entity_put(entity, revision, uid, at)


async def found(index_version: IndexVersion, term: str) -> int:
    return (await index_version.index.find(search_request(term))).total


async def test_late_and_duplicate_changes_are_ignored(
    index_version: IndexVersion,
) -> None:
    """An older state never overwrites a newer one; a duplicate changes nothing."""
    assert await index_version.apply([web("second", 2)]) == 1
    assert await index_version.apply([web("first", 1)]) == 0
    assert await index_version.apply([web("second", 2)]) == 0
    assert await found(index_version, "second") == 1
    assert await found(index_version, "first") == 0


async def test_batches_keep_the_last_state(index_version: IndexVersion) -> None:
    """Of several changes in one batch, in any order, the newest is shown."""
    await index_version.apply([web("one", 1), web("three", 3), web("two", 2)])
    assert await found(index_version, "three") == 1
    assert (await index_version.indexed_versions()).entities[REF].revision == 3


async def test_a_late_event_does_not_restore_a_deleted_entity(
    index_version: IndexVersion,
) -> None:
    """An event from before the deletion that arrives after it is ignored."""
    await index_version.apply([web("alive", 1)])
    await index_version.apply([EntityRemoval(REF, Version("u1", 3, 5.0))])
    assert await index_version.apply([web("late", 2)]) == 0
    assert await found(index_version, "") == 0


async def test_a_recreated_entity_is_indexed_again(index_version: IndexVersion) -> None:
    """An entity that is registered anew counts revisions from one, and is shown."""
    await index_version.apply([EntityRemoval(REF, Version("u1", 9, 5.0))])
    assert await index_version.apply([web("reborn", 1, "u2", 6.0)]) == 1
    assert await index_version.apply([web("ghost", 8, "u1", 4.0)]) == 0
    assert await found(index_version, "reborn") == 1


async def test_tombstones_expire(index_version: IndexVersion) -> None:
    """A tombstone is removed when no event can be that late."""
    await index_version.apply([EntityRemoval(REF, Version("u1", 9, 5.0))])
    assert await index_version.forget_tombstones(4.0) == 0
    assert await index_version.forget_tombstones(6.0) == 1
    assert await index_version.index.count() == 0


async def test_pages_wait_for_their_entity(index_version: IndexVersion) -> None:
    """Pages that arrive before their entity are shown once it arrives."""
    await index_version.apply([SITE])
    assert await found(index_version, "xylophone") == 0
    await index_version.apply([web("site", 1)])
    assert await found(index_version, "xylophone") == 1


async def test_pages_follow_their_entity(index_version: IndexVersion) -> None:
    """Pages take their entity's policy at once, and go and return with it."""
    await index_version.apply([web("site", 1), SITE])
    entity = component(
        "web", {"annotations": {**DOCS, "callboard.dev/visibility": "restricted"}}
    )
    await index_version.apply([entity_put(entity, 2)])
    readable = criteria_condition(PUBLIC_OR_OWNED)
    assert await titles(index_version.index, "xylophone", readable=readable) == []
    assert await found(index_version, "xylophone") == 1
    await index_version.apply([EntityRemoval(REF, Version("u1", 3, 1.0))])
    assert await found(index_version, "xylophone") == 0
    await index_version.apply([web("back", 1, "u2", 9.0)])
    assert await found(index_version, "xylophone") == 1


async def test_a_new_site_replaces_the_old(index_version: IndexVersion) -> None:
    """Pages that are no longer in a site are no longer found."""
    await index_version.apply([web("site", 1), SITE])
    await index_version.apply(
        [SiteUpsert(REF, "s2", (PageSection("", "Home", "zebra"),))]
    )
    assert await found(index_version, "xylophone") == 0
    assert await found(index_version, "zebra") == 1
    await index_version.apply([SiteRemoval(REF)])
    assert await found(index_version, "zebra") == 0
    assert (await index_version.indexed_versions()).sites == {}
    assert (await index_version.checksums())["sites"] == sum_of({})


async def test_stored_checksums_equal_those_of_the_index(
    index_version: IndexVersion,
) -> None:
    """Checksums that are counted anew from the index equal the stored ones."""
    await index_version.apply([entity_put(component(f"c{n}"), n + 1) for n in range(9)])
    await index_version.apply([web("site", 4), SITE])
    await index_version.apply(
        [EntityRemoval("component:default/c0", Version("u1", 2, 1.0))]
    )
    books, counted = (
        await index_version.checksums(),
        await index_version.recomputed_checksums(),
    )
    assert counted == books
    assert counted["sites"] == sum_of({REF: "s1"})
    assert books["entities"] == sum_of(
        {REF: 4, **{f"component:default/c{n}": n + 1 for n in range(1, 9)}}
    )
