"""Registering an address: a look first, then the catalog has it."""

import pytest

from tests.gateway.portal.conftest import Client
from tests.gateway.portal.services import FakeServices

PAGE = "/create/register"
GOOD = "https://git.example/a/blob/main/catalog-info.yaml"


@pytest.fixture
def api() -> FakeServices:
    return FakeServices()


async def test_a_look_shows_what_would_come(client: Client, api: FakeServices) -> None:
    """Nothing is registered by looking."""
    page = (await client().get(PAGE, params={"target": GOOD})).text
    assert "2 entities are described there" in page
    assert page.index("Component</span>") < page.index("Location</span>")
    assert api.registered == set()


async def test_registering_leads_to_what_came(
    client: Client, api: FakeServices
) -> None:
    """To the first entity, not to its bookkeeping."""
    answer = await client().post(PAGE, data={"target": f" {GOOD} "})
    assert answer.headers["location"] == "/catalog/default/component/basket"
    assert api.registered == {GOOD}


async def test_what_is_registered_is_said(client: Client, api: FakeServices) -> None:
    """Once is enough; what came of it is a click away."""
    api.registered.add(GOOD)
    page = (await client().get(PAGE, params={"target": GOOD})).text
    assert "registered already" in page
    assert "<button" in page
    assert ">Register</button>" not in page
    assert 'href="/catalog/default/component/basket"' in page


async def test_a_bad_address_is_said_at_its_field(client: Client) -> None:
    """With the catalog's own words, escaped."""
    for ask in ("get", "post"):
        given = {"target": "https://bad.example/<x>"}
        how = {"params": given} if ask == "get" else {"data": given}
        answer = await getattr(client(), ask)(PAGE, **how)
        assert answer.status_code == 422
        assert 'id="target-error">Unable to read https://bad.example/&lt;x&gt;' in (
            answer.text
        )
