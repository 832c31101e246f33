"""Plans of readings: what they change, in words, and without any store."""

import asyncio
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.model import RootLocation
from services.catalog.planning.deletions import GUARD_ABOVE, plan_dismissal
from services.catalog.planning.plan import Deletion, IngestionPlan
from shared.contracts.errors import Invalid
from tests import builders
from tests.catalog.planned import (
    CAUSE,
    Files,
    PlannedCatalog,
    lines_of,
    place_of,
    root_of,
)
from tests.catalog.running import pointing

ROOT, OTHER = root_of("first.yaml"), root_of("second.yaml")
NAMES = ["first.yaml", "second.yaml", "third.yaml", "fourth.yaml"]
WEB, CART = builders.component("web"), builders.component("cart")
RESTRICTED = {"annotations": {"callboard.dev/visibility": "restricted"}}


def url(name: str) -> str:
    return str(place_of(name))


async def test_new_entities_are_created() -> None:
    """Entities as they are read, then the Location entity of the root."""
    catalog = PlannedCatalog(ROOT)
    plans = await catalog.read(ROOT, {"first.yaml": [WEB, CART]})
    own = ROOT.location.entity_ref
    assert lines_of(plans) == [
        f"create component:default/web from {url('first.yaml')}",
        f"create component:default/cart from {url('first.yaml')}",
        f"create {own} from {url('first.yaml')}",
    ]
    stored = catalog.entities()["web"]
    assert stored.parents == (own,)
    assert stored.cause == CAUSE
    assert catalog.roots[ROOT.name].settled


async def test_changed_entities_are_updated_by_their_fields() -> None:
    """Unchanged entities are in no plan."""
    catalog = PlannedCatalog(ROOT)
    await catalog.read(ROOT, {"first.yaml": [WEB, CART]})
    changed = builders.component("web", {"title": "Web"}, lifecycle="retired")
    plans = await catalog.read(ROOT, {"first.yaml": [changed, CART]})
    assert lines_of(plans) == [
        "update component:default/web: metadata.title, spec.lifecycle"
    ]


async def test_entities_that_are_no_longer_named_are_deleted() -> None:
    """A deleted file's entities and the locations below it are deleted too."""
    catalog = PlannedCatalog(ROOT)
    first = [WEB, pointing("more", "second.yaml")]
    await catalog.read(ROOT, {"first.yaml": first, "second.yaml": [CART]})
    plans = await catalog.read(ROOT, {"first.yaml": [WEB]})
    assert lines_of(plans) == [
        "delete component:default/cart",
        "delete location:default/more",
    ]
    assert catalog.entities().keys() == {"web"}


async def test_an_entity_that_moves_to_another_file_is_updated() -> None:
    """It stays the same entity: it is neither deleted nor created again."""
    catalog = PlannedCatalog(ROOT)
    more = pointing("more", "second.yaml")
    await catalog.read(ROOT, {"first.yaml": [WEB, more], "second.yaml": [CART]})
    before = catalog.entities()["web"]
    plans = await catalog.read(ROOT, {"first.yaml": [more], "second.yaml": [WEB, CART]})
    old, new = url("first.yaml"), url("second.yaml")
    assert lines_of(plans) == [f"take over component:default/web from {old} to {new}"]
    after = catalog.entities()["web"]
    assert after.uid == before.uid
    assert after.parents == ("location:default/more",)


async def test_entities_below_a_moved_location_entity_stay() -> None:
    """Another location names its file now: the entities below stay unchanged."""
    catalog = PlannedCatalog(ROOT)
    inner = pointing("inner", "fourth.yaml")
    files: dict[str, Any] = {
        "first.yaml": [pointing("a", "third.yaml"), pointing("b", "second.yaml")],
        "second.yaml": [CART],
        "third.yaml": [inner],
        "fourth.yaml": [WEB],
    }
    await catalog.read(ROOT, files)
    before = catalog.entities()["web"]
    leads_on = [pointing("a", "second.yaml"), pointing("b", "third.yaml")]
    await catalog.read(ROOT, {**files, "first.yaml": leads_on})
    assert catalog.entities()["inner"].parents == ("location:default/b",)
    assert catalog.entities()["web"].uid == before.uid
    moved = [pointing("a", "second.yaml"), inner]
    await catalog.read(ROOT, {**files, "first.yaml": moved})
    own = ROOT.location.entity_ref
    assert catalog.entities()["inner"].parents == (own,)
    assert catalog.entities()["web"].uid == before.uid


async def test_the_first_of_several_files_takes_over_a_moved_entity() -> None:
    """The other file gets an error, and nothing is deleted."""
    catalog = PlannedCatalog(ROOT)
    await catalog.read(ROOT, {"first.yaml": [WEB]})
    more = pointing("more", "second.yaml", "third.yaml")
    files = {"first.yaml": [more], "second.yaml": [WEB], "third.yaml": [WEB]}
    await catalog.read(ROOT, files)
    assert catalog.entities()["web"].location == url("second.yaml")
    [item] = catalog.entities()["more"].errors
    assert url("second.yaml") in item["message"]


async def test_an_entity_stays_with_its_first_root() -> None:
    """The other root is refused the name; its Location entity names the provider."""
    catalog = PlannedCatalog(ROOT, OTHER)
    files = {"first.yaml": [WEB], "second.yaml": [WEB]}
    await catalog.read(ROOT, files)
    plans = await catalog.read(OTHER, files)
    refusals = [refusal for plan in catalog.state.plans for refusal in plan.refusals]
    message = (
        f"component:default/web: is already provided by {url('first.yaml')}; "
        "first registrant wins"
    )
    assert {refusal.error.message for refusal in refusals} == {message}
    assert lines_of(plans) == [
        f"create {OTHER.location.entity_ref} from {url('second.yaml')}"
    ]
    own = catalog.state.get(OTHER.location.entity_ref)
    assert own is not None
    assert "first registrant wins" in own.errors[0]["message"]
    assert catalog.entities()["web"].location == url("first.yaml")


async def test_a_name_conflict_does_not_reveal_a_restricted_source() -> None:
    """The error leaves out where a restricted entity comes from."""
    catalog = PlannedCatalog(ROOT, OTHER)
    secret = builders.component("web", RESTRICTED)
    files = {"first.yaml": [secret], "second.yaml": [WEB]}
    await catalog.read(ROOT, files)
    await catalog.read(OTHER, files)
    refusals = [refusal for plan in catalog.state.plans for refusal in plan.refusals]
    line = (
        f"refuse {url('second.yaml')}: component:default/web: is already provided by "
        "another location; first registrant wins"
    )
    assert {str(refusal) for refusal in refusals} == {line}


async def test_a_shared_file_moves_to_the_remaining_root() -> None:
    """When one of two roots goes, the other root provides their shared entities."""
    catalog = PlannedCatalog(ROOT, OTHER)
    files: Files = {
        "first.yaml": [pointing("one", "third.yaml")],
        "second.yaml": [pointing("two", "third.yaml")],
        "third.yaml": [WEB],
    }
    await catalog.read(ROOT, files)
    await catalog.read(OTHER, files)
    plan = await plan_dismissal(catalog.state, ROOT, CAUSE)
    assert lines_of([plan]) == [
        "move component:default/web to location:default/two",
        "delete location:default/one",
        f"delete {ROOT.location.entity_ref}",
    ]
    await catalog.apply(plan)
    web = catalog.entities()["web"]
    assert web.parents == ("location:default/two",)
    assert web.origin == url("second.yaml")


async def test_a_suddenly_empty_source_deletes_nothing() -> None:
    """Its entities stay, and its Location entity has an error."""
    catalog = PlannedCatalog(ROOT)
    many = [builders.component(f"c{number}") for number in range(GUARD_ABOVE + 1)]
    await catalog.read(ROOT, {"first.yaml": many})
    before = len(catalog.state.plans)
    plans = await catalog.read(ROOT, {"first.yaml": []})
    assert not any(plan.deletions for plan in plans)
    [refusal] = [
        plan.deletion_refusal
        for plan in catalog.state.plans[before:]
        if plan.deletion_refusal is not None
    ]
    assert str(refusal) == (
        f"refuse {url('first.yaml')}: no longer names {len(many)} entities, more than "
        "half of it; nothing was deleted. Unregister it if that is meant"
    )
    assert len(catalog.entities()) == len(many)
    own = catalog.state.get(ROOT.location.entity_ref)
    assert own is not None
    assert "nothing was deleted" in own.errors[0]["message"]


async def test_problems_of_a_file_are_planned_for_its_entities() -> None:
    """The next reading without problems removes them."""
    catalog = PlannedCatalog(ROOT)
    await catalog.read(ROOT, {"first.yaml": [WEB]})
    broken = builders.component("web", owner=5)
    plans = await catalog.read(ROOT, {"first.yaml": [broken]})
    [line, _] = lines_of(plans)
    assert line.startswith("report on component:default/web: ")
    assert "spec.owner" in line
    plans = await catalog.read(ROOT, {"first.yaml": [WEB]})
    assert [line.partition(":")[0] for line in lines_of(plans)] == [
        "update component",
        "update location",
    ]
    assert catalog.entities()["web"].errors == ()


async def test_the_location_of_restricted_entities_is_restricted() -> None:
    """The root's own entity is open as soon as one of its entities is."""
    catalog = PlannedCatalog(ROOT)
    await catalog.read(ROOT, {"first.yaml": [builders.component("web", RESTRICTED)]})
    assert catalog.state.is_restricted(ROOT.location.entity_ref)
    await catalog.read(ROOT, {"first.yaml": [WEB]})
    assert not catalog.state.is_restricted(ROOT.location.entity_ref)


async def test_an_emptied_restricted_location_stays_restricted() -> None:
    """Its entity does not reveal that a restricted entity existed."""
    catalog = PlannedCatalog(ROOT)
    await catalog.read(ROOT, {"first.yaml": [builders.component("web", RESTRICTED)]})
    await catalog.read(ROOT, {"first.yaml": []})
    assert not catalog.entities()
    assert catalog.state.is_restricted(ROOT.location.entity_ref)


async def test_an_unreadable_file_keeps_its_entities() -> None:
    """The last valid version stays, with the error."""
    catalog = PlannedCatalog(ROOT)
    await catalog.read(ROOT, {"first.yaml": [WEB]})
    await catalog.read(ROOT, {"first.yaml": Invalid("no YAML")})
    assert catalog.entities().keys() == {"web"}


def test_a_plan_is_immutable_and_can_be_empty() -> None:
    """The plan that is shown is the plan that is applied."""
    plan = IngestionPlan()
    assert plan.is_empty
    assert str(plan) == "no changes"
    with pytest.raises(FrozenInstanceError):
        plan.deletions = (Deletion("x", CAUSE),)  # type: ignore[misc]
    assert not replace(plan, deletions=(Deletion("x", CAUSE),)).is_empty


components = st.lists(st.sampled_from("abcdef"), unique=True, max_size=4)


@st.composite
def file_sets(draw: st.DrawFn) -> Files:
    """Files that hold components and lead to each other, also in circles."""
    files: dict[str, list[Mapping[str, Any]]] = {}
    for number, name in enumerate(NAMES):
        if number and draw(st.booleans()):
            continue
        component_names = draw(components)
        targets = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
        files[name] = [
            builders.component(component_name, lifecycle=f"of {name}")
            for component_name in component_names
        ]
        leading = [target for target in targets if target != name]
        if leading:
            files[name].append(pointing(f"more-{number}", *leading))
    return files


def targets_in(root: RootLocation, files: Files) -> set[tuple[str, str]]:
    """The Location entities and files that a root leads to, found in the plain way."""
    first = root.location.target.rpartition("/")[2]
    keys = {(root.location.entity_ref, first)}
    while True:
        below = {
            (f"location:default/{document['metadata']['name']}", target)
            for _, name in keys
            for document in documents_of(files, name)
            if document["kind"] == "Location"
            for target in document["spec"]["targets"]
        }
        if below <= keys:
            return keys
        keys |= below


def documents_of(files: Files, name: str) -> list[Mapping[str, Any]]:
    content = files.get(name, [])
    return [] if isinstance(content, Exception) else list(content)


def check_holds(catalog: PlannedCatalog, root: RootLocation, files: Files) -> None:
    """The catalog holds what the files describe, each entity under all its parents."""
    keys = targets_in(root, files)
    component_names = {
        document["metadata"]["name"]
        for _, name in keys
        for document in documents_of(files, name)
    }
    entities = catalog.entities()
    assert entities.keys() == component_names
    for name, stored in entities.items():
        file = stored.location.rpartition("/")[2]
        assert set(stored.parents) == {parent for parent, at in keys if at == file}
        [document] = [
            candidate
            for candidate in documents_of(files, file)
            if candidate["metadata"]["name"] == name
        ]
        assert stored.entity.spec == document["spec"]


@given(st.lists(file_sets(), min_size=1, max_size=4))
def test_applying_a_plan_makes_the_catalog_match_the_source(
    versions: list[Files],
) -> None:
    """Whatever the catalog held before; a second plan has no changes."""
    catalog = PlannedCatalog(ROOT)

    async def read() -> None:
        for files in versions:
            await catalog.read(ROOT, files)
            check_holds(catalog, ROOT, files)
            assert await catalog.read(ROOT, files) == []

    asyncio.run(read())


@given(file_sets(), file_sets())
def test_removing_a_root_leaves_the_state_of_the_other_alone(
    first: Files, second: Files
) -> None:
    """The result is as if only the other root had ever been registered."""
    catalog = PlannedCatalog(ROOT, OTHER)

    async def read() -> None:
        files = {**second, "first.yaml": first["first.yaml"]}
        await catalog.read(ROOT, files)
        await catalog.read(OTHER, files)
        await catalog.apply(await plan_dismissal(catalog.state, OTHER, CAUSE))
        check_holds(catalog, ROOT, files)
        assert catalog.state.get(OTHER.location.entity_ref) is None

    asyncio.run(read())


async def test_an_entity_has_the_origin_of_the_root_that_brought_it_first() -> None:
    """A second root that leads to the same Location changes nothing of its entities."""
    catalog = PlannedCatalog(ROOT, OTHER)
    files: Files = {
        "first.yaml": [pointing("all", "third.yaml")],
        "second.yaml": [pointing("mine", "first.yaml")],
        "third.yaml": [WEB],
    }
    await catalog.read(ROOT, files)
    before = catalog.entities()
    await catalog.read(OTHER, files)
    after = catalog.entities()
    assert after["web"] == before["web"]
    assert after["all"].origin == before["all"].origin
    assert await catalog.read(ROOT, files) == []


async def test_what_only_a_second_root_may_not_bring_is_no_problem_of_an_entity() -> (
    None
):
    """Rules allow a kind from some roots; the first still does."""
    catalog = PlannedCatalog(ROOT, OTHER)
    files: Files = {
        "first.yaml": [pointing("all", "third.yaml")],
        "second.yaml": [pointing("mine", "first.yaml")],
        "third.yaml": [WEB],
    }
    await catalog.read(ROOT, files)
    strange = builders.component("web", {}, lifecycle=["not a text"])
    await catalog.read(OTHER, {**files, "third.yaml": [strange]})
    assert catalog.entities()["web"].errors == ()
    await catalog.read(ROOT, {**files, "third.yaml": [strange]})
    assert catalog.entities()["web"].errors
