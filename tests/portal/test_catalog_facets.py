"""The catalog's filters where there are thousands of values."""

import re

from tests.portal.company import entity
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi


def with_teams(api: FakeApi, count: int) -> None:
    """So many more teams, each with a component; the last one is called Harbour."""
    for number in range(count):
        ref = f"group:default/team-{number:04}"
        title = "Harbour" if number == count - 1 else f"Team {number}"
        spec = {"type": "team", "profile": {"displayName": title}}
        api.entities[ref] = entity("Group", f"team-{number:04}", spec)
        component = entity("Component", f"c-{number}", {"type": "service"})
        component["relations"] = [{"type": "ownedBy", "targetRef": ref}]
        api.entities[f"component:default/c-{number}"] = component


async def test_a_long_facet_is_cut_and_shows_its_total(
    client: Client, api: FakeApi
) -> None:
    """A hundred values of thousands, with a box to search all."""
    with_teams(api, 2427)
    page = (await client().get("/catalog")).text
    assert "100 of 2\u202f431; type to search" in page
    assert page.count('name="owner"') == 100
    assert 'name="find.owner"' in page
    assert 'name="find.lifecycle"' not in page


async def test_all_values_of_a_facet_are_searched_by_the_server(
    client: Client, api: FakeApi
) -> None:
    """By ref and by title, within the other filters; ticked ones stay in the form."""
    with_teams(api, 300)
    reader = client()
    path = "/catalog/facets/owner?owner=group:default/team-0001"
    part = (await reader.get(f"{path}&find.owner=harb")).text
    assert "<html" not in part
    assert part.count('name="owner"') == 2
    assert 'value="group:default/team-0299"' in part
    assert 'value="group:default/team-0001" checked' in part
    none = (await reader.get("/catalog/facets/owner?type=website&find.owner=harb")).text
    assert "Nothing matches" in none
    assert (await reader.get("/catalog/facets/nothing")).status_code == 404


async def test_without_scripts_the_button_searches_a_facet(
    client: Client, api: FakeApi
) -> None:
    """What was typed into the box stays in it."""
    with_teams(api, 300)
    page = (await client().get("/catalog?find.owner=harb")).text
    assert 'name="find.owner" value="harb"' in page
    assert page.count('name="owner"') == 1


async def test_the_system_facet_lists_systems_only(
    client: Client, api: FakeApi
) -> None:
    """A component that has parts is no system, nor is a domain that has systems."""
    part = api.entities["component:default/booking"]
    part["relations"].insert(
        0, {"type": "partOf", "targetRef": "component:default/website"}
    )
    reader = client()
    page = (await reader.get("/catalog")).text
    systems = re.findall(r'name="system" value="([^"]+)"', page)
    assert systems
    assert all(ref.startswith("system:") for ref in systems)
    assert 'name="system"' not in (await reader.get("/catalog?kind=system")).text
    page = (await reader.get("/catalog/default/component/booking")).text
    assert "<dt>System</dt>" in page
    page = (await reader.get("/catalog/default/component/booking/dependencies")).text
    assert ">Belongs to<" in page


async def test_kind_tabs_count_the_entities_of_their_lists(client: Client) -> None:
    """The open kind and all kinds within the ticked types, other kinds with any."""
    page = (await client().get("/catalog?type=library")).text
    tabs = dict(
        re.findall(
            r'<a class="tab" href="([^"]*)"[^>]*>\w+<span class="count">(\d+)', page
        )
    )
    assert tabs["/catalog?type=library"] == "2"
    assert tabs["/catalog?kind=all&amp;type=library"] == "2"
    assert tabs["/catalog?kind=api"] == "4"
