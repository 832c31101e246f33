"""An empty portal, and who may not: what to do first is said, with a way to do it."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from services.portal.frame import Frame
from services.portal.router import make_portal
from tests.portal.company import ANN, GUEST
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi, bearer
from tests.portal.services import FakeServices

OPERATOR = "service:operator"
REGISTER = "catalog.location.create"
From = Callable[..., httpx.AsyncClient]


def text_of(answer: httpx.Response, status: int) -> str:
    """The page of an answer, whose status is this one."""
    assert answer.status_code == status
    return answer.text


@pytest.fixture
def api() -> FakeServices:
    """A catalog that has nobody in it."""
    services = FakeServices()
    services.people, services.has_people = [], False
    return services


@pytest.fixture
def coming_from(portal: FastAPI) -> From:
    """Makes clients whose requests came to the gateway from an address."""

    def make(address: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(portal),
            base_url="http://portal.test",
            headers={"x-forwarded-for": address, **headers},
        )

    return make


async def test_an_empty_portal_offers_sign_in_by_token(coming_from: From) -> None:
    """No user can be chosen: the page has the command, and accepts the token."""
    page = (await coming_from().get("/sign-in")).text
    assert "The catalog is empty" in page
    assert "callboard up --example playhouse" in page
    assert 'action="/sign-in/token"' in page
    assert "Find a person" not in page


async def test_a_wrong_token_is_reported_at_its_field(coming_from: From) -> None:
    """The gateway redirects to the page with an error."""
    page = (await coming_from().get("/sign-in?wrong=token")).text
    assert "not a token of this" in page


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("192.0.2.7", {}),
        ("192.0.2.7, 127.0.0.1", {}),
        ("127.0.0.1, 127.0.0.1", {}),
        ("::1", {"forwarded": "for=192.0.2.7"}),
        ("127.0.0.1", {"via": "1.1 proxy"}),
        ("127.0.0.1", {"x-real-ip": "192.0.2.7"}),
        ("unknown", {}),
    ],
)
async def test_sign_in_by_token_is_offered_locally_only(
    coming_from: From, address: str, headers: dict[str, str]
) -> None:
    """Not from other machines, and not through a proxy before the gateway."""
    reader = coming_from(address, **headers)
    assert "/sign-in/token" not in (await reader.get("/sign-in")).text


async def test_an_empty_home_leads_to_the_first_registration(
    client: Client, api: FakeApi
) -> None:
    """Readers who may register get the button; a guest reads why not."""
    api.hidden = set(api.entities)
    page = (await client(OPERATOR).get("/")).text
    assert "First steps" in page
    assert 'href="/create/register"' in page
    assert page.index("First steps") < page.index('id="kinds"')
    for empty in ("/catalog", "/create", "/graph"):
        part = (await client(OPERATOR).get(empty)).text.partition('class="empty')[2]
        assert 'href="/create/register"' in part
    api.denied = {REGISTER}
    page = (await client(GUEST).get("/")).text
    assert 'disabled aria-describedby="register-why"' in page
    assert "Guests may read" in page
    assert "sign in with the installation" in page
    api.hidden = set()
    assert "First steps" not in (await client(GUEST).get("/")).text


async def test_first_steps_mention_files_only_if_allowed(
    client: Client, api: FakeApi, portal: FastAPI
) -> None:
    """The button and its text fit the register page."""
    api.hidden = set(api.entities)
    assert "path of a file" not in (await client(OPERATOR).get("/")).text
    portal.state.portal = replace(portal.state.portal, file_locations=True)
    page = (await client(OPERATOR).get("/")).text
    assert "whole path of a file on this machine" in page
    assert "Register an address or a file" in page


async def test_forbidden_actions_say_why_they_are_disabled(
    client: Client, api: FakeApi
) -> None:
    """One policy request per page; no link leads to a refusal."""
    api.denied = {REGISTER, "catalog.entity.delete", "catalog.entity.refresh"}
    reader = client(ANN)
    page = (await reader.get("/create")).text
    assert 'href="/create/register"' not in page
    assert "does not allow you this" in page
    api.calls.clear()
    page = (await reader.get("/catalog/default/component/booking")).text
    assert "/unregister" not in page
    assert "Refresh and unregister: The portal" in page
    assert sum("authorize" in path for _, path, _ in api.calls) == 1
    page = (await reader.get("/catalog/default/component/booking/unregister")).text
    assert page.count("disabled") == 1
    assert "does not allow you this" in page


async def test_a_deletion_names_the_source_that_restores_it(
    client: Client, api: FakeApi
) -> None:
    """With what to do instead; an orphan is just deleted."""
    reader, path = client(ANN), "/catalog/default/component/booking"
    page = (await reader.get(f"{path}/unregister")).text
    assert "Its source will bring it back" in page
    answer = await reader.post(f"{path}/unregister", data={"what": "entity"})
    assert answer.headers["location"] == f"{path}/removed?returns=1"
    assert "It is back" in (await reader.get(answer.headers["location"])).text
    api.hidden = {"component:default/booking"}
    page = (await reader.get(answer.headers["location"])).text
    assert "Removed from the catalog" in page
    assert "Its source will bring it back" in page
    annotations = api.entities["component:default/ledger"]["metadata"]["annotations"]
    annotations["backstage.io/orphan"] = "true"
    orphan = "/catalog/default/component/ledger"
    assert "does not come back" in (await reader.get(f"{orphan}/unregister")).text
    answer = await reader.post(f"{orphan}/unregister", data={"what": "entity"})
    assert answer.headers["location"] == f"{orphan}/removed"


async def test_a_missing_page_keeps_the_readers_session(
    client: Client, api: FakeServices
) -> None:
    """No "Sign in" for a signed-in reader; the last word of the path is searched."""
    page = text_of(await client(ANN).get("/nowhere/seat-map"), 404)
    assert "Ann Becker" in page
    assert ">Sign in</a>" not in page
    assert 'name="query" value="seat map"' in page
    assert "Perhaps one of these" in page
    api.away = True
    assert (await client(ANN).get("/nowhere")).status_code == 404
    assert ">Sign in</a>" in text_of(await client(None).get("/nowhere"), 404)


async def test_a_refused_guest_is_offered_the_sign_in(
    client: Client, api: FakeApi
) -> None:
    """And the way back; a signed-in user reads whom to ask instead."""
    api.forbidden = {"/api/catalog/entity-facets", "/api/catalog/refresh"}
    button = '<a class="button primary" href="{}">'.format
    back = "/sign-in?next=%2Fcatalog%3Fkind%3Dapi"
    page = text_of(await client(GUEST).get("/catalog?kind=api"), 403)
    assert "Guests may not see or do this" in page
    assert button(back) in page
    refresh = "/catalog/default/component/booking/refresh"
    assert button("/sign-in") in text_of(await client(GUEST).post(refresh), 403)
    page = (await client(ANN).get("/catalog?kind=api")).text
    assert "ask the owner or the platform team" in page
    assert back not in page


async def test_a_guest_without_results_is_offered_the_sign_in(
    client: Client,
) -> None:
    """Entities that guests may not see are not found: the page says so."""
    path = "/catalog/default/component/secret-plan"
    page = await client(GUEST).get(path)
    assert page.status_code == 404
    assert "sign in as a person" in page.text
    assert f'href="/sign-in?next={quote(path, safe="")}"' in page.text
    assert "sign in as a person" not in (await client(ANN).get(path)).text


async def test_a_missing_entity_of_a_graph_is_searched_by_name(client: Client) -> None:
    """By its name, not by the word for the page."""
    page = await client(ANN).get("/nowhere?entity=component:default/seat-map")
    assert page.status_code == 404
    assert 'name="query" value="seat map"' in page.text


async def test_a_missing_run_is_not_searched(client: Client, api: FakeApi) -> None:
    """Its id is no search term; the reader's own runs are offered."""
    path = "/create/tasks/2b1c7d0e-0f3a-4c58-9d0e-1f2a3b4c5d6e"
    page = text_of(await client(ANN).get(path), 404)
    assert "There is no such run" in page
    assert 'value="2b1c' not in page
    assert 'href="/create/tasks?whose=all"' in page
    assert not any("/search/" in path for _, path, _ in api.calls)


@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize("is_policy_enabled", [True, False])
async def test_the_sign_in_page_says_what_guests_may_do(
    api: FakeApi, frame: Frame, files: bool, is_policy_enabled: bool
) -> None:
    """Without permissions that is everything; the home page agrees."""
    portal = make_portal(
        api,
        frame=frame,
        file_locations=files,
        is_policy_enabled=is_policy_enabled,
    )
    transport = httpx.ASGITransport(portal)
    headers = {"authorization": bearer(GUEST)}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://portal.test", headers=headers
    ) as reader:
        page = (await reader.get("/sign-in")).text
        assert ("A guest may read." in page) is is_policy_enabled
        assert ("Permissions are off here" in page) is not is_policy_enabled
        assert ("and files of this machine" in page) is (
            files and not is_policy_enabled
        )
        assert ("Guests may read" in (await reader.get("/")).text) is is_policy_enabled
