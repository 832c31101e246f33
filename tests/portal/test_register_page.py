"""Registering an address: a look first, then the catalog has it."""

from typing import Any
from urllib.parse import quote

import orjson
import pytest
from fastapi import FastAPI

from services.portal.frame import Frame
from services.portal.model import ApiAnswer
from services.portal.router import make_portal
from tests.portal.answers import NEW
from tests.portal.company import GUEST
from tests.portal.conftest import Client
from tests.portal.services import FakeServices

PAGE = "/create/register"
GOOD = "https://git.example/a/blob/main/catalog-info.yaml"


@pytest.fixture
def api() -> FakeServices:
    return FakeServices()


@pytest.fixture
def portal(api: FakeServices, frame: Frame, request: pytest.FixtureRequest) -> FastAPI:
    """A portal that takes files where a test is marked so by its parameter."""
    files = getattr(request, "param", False)
    return make_portal(api, frame=frame, file_locations=files)


def asked_locations(api: FakeServices) -> list[Any]:
    return [json for _, path, json in api.calls if path.endswith("/catalog/locations")]


async def test_a_preview_shows_the_entities_and_registers_nothing(
    client: Client, api: FakeServices
) -> None:
    """A preview is a dry run."""
    page = (await client().get(PAGE, params={"target": GOOD})).text
    assert "1 entity is described there" in page
    assert "generated-abc" not in page
    assert "already" not in page
    assert api.registered == set()


async def test_an_empty_file_is_reported(client: Client) -> None:
    """The location's own entity is no entity of the file."""
    page = (await client().get(PAGE, params={"target": f"{GOOD}?empty"})).text
    assert "No entity is described there" in page
    assert "The file is there, and describes nothing" in page
    assert "<code>metadata.name</code>" in page
    assert ">Register</button>" not in page


@pytest.mark.parametrize("is_other_file", [False, True])
async def test_existing_entities_are_listed_before_registering(
    client: Client, api: FakeServices, is_other_file: bool
) -> None:
    """With their source, and what registering once more means."""
    source = "url:https://git.example/a/blob/main/<all>.yaml"
    api.provided = [
        {
            "entityRef": NEW,
            "location": source,
            "origin": source,
            "providers": ["git:acme", "config"],
            "isOtherFile": is_other_file,
        }
    ]
    page = (await client().get(PAGE, params={"target": GOOD})).text
    assert "All of it is in the catalog already" in page
    assert "url:https://git.example/a/blob/main/&lt;all&gt;.yaml" in page
    assert 'href="/catalog/default/component/basket"' in page
    assert ("the provider acme and the configuration" in page) is not is_other_file
    assert ("stays with the source it came from first" in page) is not is_other_file
    assert ("a name belongs to the file that came first" in page) is is_other_file
    assert page.index("nothing new to register") < page.index("Register all the same")


async def test_registering_leads_to_the_first_entity(
    client: Client, api: FakeServices
) -> None:
    """Not to the location's own entity."""
    answer = await client().post(PAGE, data={"target": f" {GOOD} "})
    assert answer.headers["location"] == "/catalog/default/component/basket"
    assert api.registered == {GOOD}


async def test_an_existing_registration_is_reported(
    client: Client, api: FakeServices
) -> None:
    """With a link to its entities."""
    api.registered.add(GOOD)
    page = (await client().get(PAGE, params={"target": GOOD})).text
    assert "registered already" in page
    assert "<button" in page
    assert ">Register</button>" not in page
    assert 'href="/catalog/default/component/basket"' in page


async def test_an_invalid_address_is_reported_at_its_field(client: Client) -> None:
    """With the catalog's message, escaped."""
    for ask in ("get", "post"):
        values = {"target": "https://bad.example/<x>"}
        how = {"params": values} if ask == "get" else {"data": values}
        answer = await getattr(client(), ask)(PAGE, **how)
        assert answer.status_code == 422
        assert 'id="target-error">Unable to read https://bad.example/&lt;x&gt;' in (
            answer.text
        )


async def test_each_problem_of_a_file_has_a_line(
    client: Client, api: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the field, without the error's name."""
    usual = api.call

    async def refuse(who: Any, method: str, path: str, **options: Any) -> ApiAnswer:
        if not path.endswith("/catalog/locations"):
            return await usual(who, method, path, **options)
        error = {"message": "InputError: a: <first>\nb: second"}
        return ApiAnswer(400, {}, orjson.dumps({"error": error}))

    monkeypatch.setattr(api, "call", refuse)
    page = (await client().get(PAGE, params={"target": GOOD})).text
    assert "<li>a: &lt;first&gt;</li><li>b: second</li>" in page


files_allowed = pytest.mark.parametrize("portal", [True], indirect=True)


@files_allowed
@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/srv/shop/catalog-info.yaml", "/srv/shop/catalog-info.yaml"),
        (" /srv/a b/all.yaml ", "/srv/a b/all.yaml"),
        ("file:/srv/shop/all.yaml", "/srv/shop/all.yaml"),
        ("file:///srv/a%20b/all.yaml", "/srv/a b/all.yaml"),
        ("FILE://localhost/srv/all.yaml", "/srv/all.yaml"),
    ],
)
async def test_a_file_is_registered_where_files_are_allowed(
    client: Client, api: FakeServices, address: str, path: str
) -> None:
    """As a path or as a file: URL; the catalog gets a location of type file."""
    page = (await client().get(PAGE, params={"target": address})).text
    assert "1 entity is described there" in page
    answer = await client().post(PAGE, data={"target": address})
    assert answer.headers["location"] == "/catalog/default/component/basket"
    assert api.registered == {path}
    location = {"type": "file", "target": path}
    assert asked_locations(api) == [location] * 3


@files_allowed
@pytest.mark.parametrize(
    "address", ["catalog-info.yaml", "file:all.yaml", "file://other/srv/all.yaml"]
)
async def test_a_relative_path_is_refused_at_its_field(
    client: Client, api: FakeServices, address: str
) -> None:
    """The message names both kinds of address; the catalog gets no request."""
    answer = await client().get(PAGE, params={"target": address})
    assert answer.status_code == 422
    assert "or the whole path of a file" in answer.text
    assert asked_locations(api) == []


@files_allowed
async def test_the_hint_mentions_files_where_they_are_allowed(client: Client) -> None:
    """The browser does not require a web address."""
    page = (await client().get(PAGE)).text
    assert 'type="text"' in page
    assert "or the whole path of a file" in page


@pytest.mark.parametrize("address", ["/srv/all.yaml", "file:/srv/all.yaml"])
async def test_files_are_refused_where_they_are_not_allowed(
    client: Client, api: FakeServices, address: str
) -> None:
    """The page names the setting; the catalog gets no request."""
    page = (await client().get(PAGE)).text
    assert 'type="url"' in page
    assert "path of a file" not in page
    answer = await client().post(PAGE, data={"target": address})
    assert answer.status_code == 422
    assert "catalog.fileLocations is off" in answer.text
    assert asked_locations(api) == []


async def test_readers_who_may_not_register_see_the_reason(
    client: Client, api: FakeServices
) -> None:
    """Before a preview: there is no field, and the reason is in its place."""
    api.denied = {"catalog.location.create"}
    page = (await client(GUEST).get(PAGE, params={"target": GOOD})).text
    assert "Guests may read" in page
    back = quote(f"{PAGE}?target={quote(GOOD, safe='')}", safe="")
    assert f'<a href="/sign-in?next={back}">Sign in</a>' in page
    assert 'name="target"' not in page
    assert asked_locations(api) == []
