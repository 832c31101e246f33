"""What is news to the index, and what pages inherit from their entity."""

from services.search.conditions import criteria_condition
from services.search.model import (
    EntityGone,
    EntityPut,
    PageSection,
    SiteGone,
    SitePut,
    Version,
)
from services.search.ports import Generation
from tests.builders import component
from tests.search.fakes import asked, entity_put, sum_of, titles
from tests.search.test_index import PUBLIC_OR_OWNED

REF = "component:default/web"
DOCS = {"backstage.io/techdocs-ref": "dir:."}
SITE = SitePut(
    REF, "s1", (PageSection("", "Home", "xylophone"), PageSection("a/", "A", "b"))
)


def web(text: str, revision: int, uid: str = "u1", at: float = 1.0) -> EntityPut:
    entity = component("web", {"description": text, "annotations": DOCS})
    return entity_put(entity, revision, uid, at)


async def found(generation: Generation, term: str) -> int:
    return (await generation.index.find(asked(term))).total


async def test_late_and_repeated_changes(generation: Generation) -> None:
    """An older state never overwrites a newer one; the same again changes nothing."""
    assert await generation.apply([web("second", 2)]) == 1
    assert await generation.apply([web("first", 1)]) == 0
    assert await generation.apply([web("second", 2)]) == 0
    assert await found(generation, "second") == 1
    assert await found(generation, "first") == 0


async def test_batches_keep_the_last_state(generation: Generation) -> None:
    """Of several changes in one batch, in any order, the newest is shown."""
    await generation.apply([web("one", 1), web("three", 3), web("two", 2)])
    assert await found(generation, "three") == 1
    assert (await generation.holdings()).entities[REF].revision == 3


async def test_the_dead_stay_dead(generation: Generation) -> None:
    """What was told before a deletion and comes after it does not wake the entity."""
    await generation.apply([web("alive", 1)])
    await generation.apply([EntityGone(REF, Version("u1", 3, 5.0))])
    assert await generation.apply([web("late", 2)]) == 0
    assert await found(generation, "") == 0


async def test_a_new_life_under_an_old_name(generation: Generation) -> None:
    """A ref that is registered anew counts from one again, and is shown."""
    await generation.apply([EntityGone(REF, Version("u1", 9, 5.0))])
    assert await generation.apply([web("reborn", 1, "u2", 6.0)]) == 1
    assert await generation.apply([web("ghost", 8, "u1", 4.0)]) == 0
    assert await found(generation, "reborn") == 1


async def test_tombs_are_forgotten_in_time(generation: Generation) -> None:
    """A tombstone is dropped when no event can be that late."""
    await generation.apply([EntityGone(REF, Version("u1", 9, 5.0))])
    assert await generation.forget_tombs(4.0) == 0
    assert await generation.forget_tombs(6.0) == 1
    assert await generation.index.count() == 0


async def test_pages_wait_for_their_entity(generation: Generation) -> None:
    """Pages that come before their entity are shown when it comes, not before."""
    await generation.apply([SITE])
    assert await found(generation, "xylophone") == 0
    await generation.apply([web("site", 1)])
    assert await found(generation, "xylophone") == 1


async def test_pages_follow_their_entity(generation: Generation) -> None:
    """Pages take their entity's policy at once, and go and come back with it."""
    await generation.apply([web("site", 1), SITE])
    entity = component(
        "web", {"annotations": {**DOCS, "callboard.dev/visibility": "restricted"}}
    )
    await generation.apply([entity_put(entity, 2)])
    readable = criteria_condition(PUBLIC_OR_OWNED)
    assert await titles(generation.index, "xylophone", readable=readable) == []
    assert await found(generation, "xylophone") == 1
    await generation.apply([EntityGone(REF, Version("u1", 3, 1.0))])
    assert await found(generation, "xylophone") == 0
    await generation.apply([web("back", 1, "u2", 9.0)])
    assert await found(generation, "xylophone") == 1


async def test_a_new_site_replaces_the_old(generation: Generation) -> None:
    """Pages that are no longer in a site are no longer found."""
    await generation.apply([web("site", 1), SITE])
    await generation.apply([SitePut(REF, "s2", (PageSection("", "Home", "zebra"),))])
    assert await found(generation, "xylophone") == 0
    assert await found(generation, "zebra") == 1
    await generation.apply([SiteGone(REF)])
    assert await found(generation, "zebra") == 0
    assert (await generation.holdings()).sites == {}
    assert (await generation.sums())["sites"] == sum_of({})


async def test_the_books_equal_the_index(generation: Generation) -> None:
    """Counted anew from the index, checksums are those of the running books."""
    await generation.apply([entity_put(component(f"c{n}"), n + 1) for n in range(9)])
    await generation.apply([web("site", 4), SITE])
    await generation.apply([EntityGone("component:default/c0", Version("u1", 2, 1.0))])
    books, counted = await generation.sums(), await generation.counted()
    assert counted == books
    assert counted["sites"] == sum_of({REF: "s1"})
    assert books["entities"] == sum_of(
        {REF: 4, **{f"component:default/c{n}": n + 1 for n in range(1, 9)}}
    )
