"""A Location entity with another's name has nothing of the other, targets or rights."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import builders
from tests.catalog.planned import PlannedCatalog, root_of
from tests.catalog.running import Host, Running, generated, pointing, running
from tests.catalog.test_repository_names import FILE, push
from tests.catalog.test_source_rights import BO, dry, entity

ROOT, STRANGER = root_of("first.yaml"), root_of("second.yaml")
WEB, CART = builders.component("web"), builders.component("cart")
LOCATIONS = st.lists(
    st.builds(
        lambda name, targets: pointing(name, *targets),
        st.sampled_from(["all", "mine"]),
        st.lists(st.sampled_from(["third.yaml", "fourth.yaml"]), max_size=2),
    ),
    max_size=2,
    unique_by=lambda document: document["metadata"]["name"],
)


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    """Two teams whose entities a Location brings, and a repository that is hidden."""
    teams = {"a.yaml": entity("team-a"), "b.yaml": entity("team-b")}
    host.commit("org", {FILE: pointing("org", "./a.yaml", "./b.yaml"), **teams})
    files = {FILE: entity("vault", restricted=True), "plan.yaml": entity("plan")}
    host.commit("vault", files)
    async with running(database, data, host.discovering()) as started:
        assert await started.refs() >= {"component:team-a", "component:vault"}
        yield started


async def pushed(catalog: Running, host: Host, files: dict[str, Any]) -> None:
    host.commit("stranger", files)
    await push(catalog, host, "stranger", *files)


@pytest.mark.parametrize("is_registered", [True, False])
async def test_a_taken_name_gives_no_targets(
    catalog: Running, host: Host, is_registered: bool
) -> None:
    """Neither are they kept under it, nor lost when the file names them no longer."""
    names = [host.url("org", name) for name in ("a.yaml", "b.yaml")]
    path = "own.yaml" if is_registered else FILE
    await pushed(catalog, host, {path: pointing("org", *names)})
    if is_registered:
        answer = await catalog.register(host.url("stranger", path))
        assert answer.status_code == 201, answer.text
    await pushed(catalog, host, {path: pointing("org", "./x.yaml"), "x.yaml": WEB})
    assert await catalog.refs() >= {"component:team-a", "component:team-b"}
    assert "component:web" not in await catalog.refs()
    own_name = generated(host.url("stranger", path), "url")
    assert any("already provided" in text for text in await catalog.problems(own_name))
    assert not await catalog.problems("org")
    for root in catalog.work.catalog.state.roots.values():
        is_own = host.url("org") in str(root.location)
        parents = {parent for parent, _ in root.files}
        assert is_own or "location:default/org" not in parents


async def test_a_name_that_becomes_free_brings_its_targets(
    catalog: Running, host: Host
) -> None:
    """They are read as soon as the refused Location entity has its name."""
    await pushed(catalog, host, {FILE: pointing("org", "./x.yaml"), "x.yaml": WEB})
    host.commit("org", {FILE: pointing("renamed", "./a.yaml", "./b.yaml")})
    await push(catalog, host, "org", FILE)
    await catalog.work.takeovers.settle()
    assert await catalog.refs() >= {"component:web", "component:team-a"}


async def test_a_location_that_moves_to_another_file_brings_its_targets(
    catalog: Running, host: Host
) -> None:
    """Within one reading: its name was the first file's until the end of it."""
    files = {"old.yaml": pointing("moving", "./a.yaml"), "a.yaml": WEB}
    await pushed(catalog, host, {FILE: pointing("top", "./old.yaml"), **files})
    moved = {"d/new.yaml": pointing("moving", "./c.yaml"), "d/c.yaml": CART}
    await pushed(
        catalog, host, {FILE: pointing("top", "./d/new.yaml"), "old.yaml": None} | moved
    )
    refs = await catalog.refs()
    assert "component:cart" in refs
    assert "component:web" not in refs


async def test_of_two_files_with_one_new_name_the_first_has_targets(
    catalog: Running, host: Host
) -> None:
    """And keeps them current; the other brings nothing."""
    files = {
        FILE: pointing("top", "./a.yaml", "./b.yaml"),
        "a.yaml": pointing("twice", "./x.yaml"),
        "b.yaml": pointing("twice", "./y.yaml"),
        "x.yaml": WEB,
        "y.yaml": CART,
    }
    await pushed(catalog, host, files)
    refs = await catalog.refs()
    assert "component:web" in refs
    assert "component:cart" not in refs
    await pushed(catalog, host, {"x.yaml": entity("renamed")})
    assert "component:renamed" in await catalog.refs()
    await pushed(catalog, host, {"a.yaml": pointing("other", "./x.yaml")})
    await catalog.work.takeovers.settle()
    assert await catalog.refs() >= {"component:renamed", "component:cart"}


@pytest.mark.parametrize("name", ["vault", "innocent"])
async def test_a_name_opens_no_source(catalog: Running, host: Host, name: str) -> None:
    """A dry run of a hidden repository's own Location tells nothing of its files."""
    own_names = {"vault": generated(host.url("vault"), "url"), "innocent": "innocent"}
    for target in ("plan.yaml", "pl*.yaml", "no*.yaml"):
        document = pointing(own_names[name], host.url("vault", target), type="url")
        host.commit("stranger", {"own.yaml": document})
        answer = await dry(catalog, host.url("stranger", "own.yaml"), BO)
        assert answer.status_code == 400, answer.text
        text = {
            "vault": "metadata.name: generated- and 40 hexadecimal digits",
            "innocent": "There is no repository vault",
        }
        assert text[name] in answer.text


async def test_the_name_of_a_locations_own_entity_is_no_ones_else(
    catalog: Running, host: Host
) -> None:
    """Also before that location is registered."""
    name = generated(host.url("newcomer"), "url")
    await pushed(catalog, host, {FILE: pointing(name, "./x.yaml"), "x.yaml": WEB})
    assert await catalog.entity(f"location:default/{name}") is None
    host.commit("newcomer", {FILE: CART})
    await push(catalog, host, "newcomer", FILE)
    stored = await catalog.entity(f"location:default/{name}")
    assert stored is not None
    assert stored["spec"]["target"] == host.url("newcomer")
    assert "component:cart" in await catalog.refs()


@given(st.lists(LOCATIONS, min_size=1, max_size=3))
async def test_no_reading_takes_what_another_location_brings(
    readings: list[list[dict[str, Any]]],
) -> None:
    """Whatever a stranger's file says, and says no longer."""
    catalog = PlannedCatalog(ROOT, STRANGER)
    files: dict[str, Any] = {"first.yaml": [pointing("all", "third.yaml")]}
    files |= {"third.yaml": [WEB], "fourth.yaml": [CART]}
    await catalog.read(ROOT, files)
    for documents in readings:
        await catalog.read(STRANGER, {**files, "second.yaml": documents})
        parents = catalog.entities()["web"].parents
        assert "location:default/all" in parents
        assert catalog.entities()["all"].location == str(ROOT.location)
        own_targets = [
            target
            for document in documents
            if document["metadata"]["name"] == "mine"
            for target in document["spec"]["targets"]
        ]
        assert ("cart" in catalog.entities()) == ("fourth.yaml" in own_targets)
