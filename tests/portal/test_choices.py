"""What comboboxes offer: bounded, the reader's own first, as the schema says."""

from typing import Any
from urllib.parse import quote

import pytest

from services.portal.choices.query import ChoiceQuery
from services.portal.forms.draft import draft_of
from services.portal.forms.model import FormPage
from tests.portal.company import GUEST, entity
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi
from tests.portal.services import FakeServices

GROUPS = ChoiceQuery(filters=("kind=group,kind=user",)).address()


@pytest.fixture
def api() -> FakeServices:
    return FakeServices()


def many(api: FakeApi, count: int) -> None:
    """So many more groups, none of them the reader's."""
    for number in range(count):
        name = f"team-{number:04}"
        spec = {"type": "team", "profile": {"displayName": f"Team {number}"}}
        api.entities[f"group:default/{name}"] = entity("Group", name, spec)


async def test_own_teams_come_first_and_choices_are_limited(
    client: Client, api: FakeApi
) -> None:
    """Twenty of thousands, with the number of all; Ann's team before the alphabet."""
    many(api, 2420)
    page = (await client().get(GROUPS)).text
    assert page.count('role="option"') == 20
    assert "20 of 2\u202f431; type to search" in page
    own = page.index('data-value="group:default/box-office-team"')
    assert own < page.index('data-value="group:default/payments-team"')
    assert page.count("yours") == 2  # her team and herself
    queries = [params for _, path, params in api.calls if path.endswith("by-query")]
    assert all(int(dict(params)["limit"]) <= 20 for params in queries)


async def test_choices_are_searched_by_name_and_title(
    client: Client, api: FakeApi
) -> None:
    """Also in the last part of a ref; an exact match comes first."""
    many(api, 40)
    api.entities["group:default/team"] = entity("Group", "team", {"type": "team"})
    page = (await client().get(f"{GROUPS}&term=group:default/team")).text
    assert page.index('data-value="group:default/team"') < page.index("team-0000")
    page = (await client().get(f"{GROUPS}&term=becker")).text
    assert 'data-value="user:default/ann"' in page
    assert page.count('role="option"') == 1
    assert "Nothing matches" in (await client().get(f"{GROUPS}&term=zzz")).text


async def test_owned_entity_pickers_offer_owned_entities_only(client: Client) -> None:
    """OwnedEntityPicker: owned entities of the kind; a guest has none."""
    address = ChoiceQuery(filters=("kind=component",), owned=True).address()
    page = (await client().get(address)).text
    assert 'data-value="component:default/booking"' in page
    assert "ledger" not in page
    guest = (await client(GUEST).get(address)).text
    assert "There is nothing to choose from yet" in guest


async def test_tag_and_group_pickers_offer_tags_and_own_groups(client: Client) -> None:
    """Tags by how often they are used; MyGroupsPicker has the reader's groups."""
    page = (await client().get("/choices?what=tags&term=typ")).text
    assert 'data-value="typescript"' in page
    assert "python" not in page
    page = (await client().get("/choices?what=groups")).text
    assert page.count('role="option"') == 1
    assert 'data-value="group:default/box-office-team"' in page


async def test_repository_pickers_offer_known_repositories(
    client: Client, api: FakeApi
) -> None:
    """Those that entities come from, each once; a host may have no owners."""
    for name, url in (
        ("one", "https://git.example/guild/web/tree/main/"),
        ("two", "https://git.example/guild/api.git/"),
        ("three", "https://git.example/alone"),
        ("four", "http://[half/of/an/address"),
        *((f"m{n}", f"https://git.example/guild/mono/tree/x/{n}/") for n in range(30)),
    ):
        component = entity("Component", name, {"type": "service"})
        component["metadata"]["annotations"] = {
            "backstage.io/source-location": f"url:{url}"
        }
        api.entities[f"component:default/{name}"] = component
    page = (await client().get("/choices?what=repositories")).text
    assert 'data-value="web"' in page
    assert 'data-value="api"' in page
    assert page.count('data-value="mono"') == 1
    assert "git.example/guild" in page
    page = (await client().get("/choices?what=repository-owners")).text
    assert page.count('data-value="guild"') == 1


async def test_hidden_choices_are_left_out_and_names_escaped(
    client: Client, api: FakeApi
) -> None:
    """The reader's own rights apply, and names of others are plain text."""
    group = entity("Group", "evil", {"type": "team"}, title="<img src=x onerror=y>")
    api.entities["group:default/evil"] = group
    page = (await client().get(f"{GROUPS}&term=img")).text
    assert "&lt;img" in page
    assert "<img" not in page
    api.hidden.add("group:default/evil")
    assert "&lt;img" not in (await client().get(f"{GROUPS}&term=img")).text


@pytest.mark.parametrize(
    ("field", "options", "typed", "value"),
    [
        ("OwnerPicker", {}, "money", "group:default/money"),
        ("OwnerPicker", {"defaultNamespace": "eu"}, "Money", "group:eu/money"),
        ("EntityPicker", {"defaultKind": "System"}, "pay", "system:default/pay"),
        ("EntityPicker", {}, "pay", "pay"),
        ("EntityPicker", {}, "API:eu/Pay", "api:eu/pay"),
    ],
)
def test_a_partial_ref_is_completed(
    field: str, options: dict[str, Any], typed: str, value: str
) -> None:
    """By `defaultKind` and `defaultNamespace`, as in Backstage."""
    schema = {"type": "string", "ui:field": field, "ui:options": options}
    page = FormPage(0, "", "", {"properties": {"it": schema}})
    assert draft_of([page], {"p.it": [typed]}).values == {"it": value}


async def test_arbitrary_values_are_refused_if_the_schema_says_so(
    client: Client, api: FakeServices
) -> None:
    """`allowArbitraryValues: false`: another answer is refused at its field."""
    options = {
        "catalogFilter": {"kind": "Group"},
        "allowArbitraryValues": False,
    }
    form = "/create/templates/default/python-service"
    steps = [
        {
            "title": "Who",
            "schema": {
                "properties": {
                    "owner": {
                        "type": "string",
                        "ui:field": "OwnerPicker",
                        "ui:options": options,
                    }
                }
            },
        }
    ]
    api.steps = steps
    wrong = await client().get(f"{form}?page=0&go=next&p.owner=nobody")
    assert wrong.status_code == 422
    assert "choose from the list" in wrong.text
    assert 'value="group:default/nobody"' in wrong.text
    right = quote("group:default/stage-team", safe="")
    answer = await client().get(f"{form}?page=0&go=next&p.owner={right}")
    assert answer.status_code == 303
