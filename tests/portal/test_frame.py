"""What stands around every page: safety, sign-in, errors, assets, preferences."""

import re

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from services.portal.assets import Assets
from services.portal.router import make_portal
from tests.portal.company import GUEST
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi, bearer

PAGES = (
    "/",
    "/catalog",
    "/catalog/default/component/booking",
    "/catalog/default/component/booking/dependencies",
    "/catalog/default/api/booking-api/api",
    "/catalog/default/component/booking/activity",
    "/catalog/default/component/booking/raw",
    "/catalog/default/component/booking/unregister",
    "/graph",
    "/styleguide",
)


@pytest.mark.parametrize("path", PAGES)
async def test_pages_have_no_inline_script_or_style(client: Client, path: str) -> None:
    """The content security policy would block them silently."""
    answer = await client().get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "media-src 'self';" in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)
    assert not re.search(r"<[^>]+\s(style|on\w+)=", answer.text)
    assert "<style" not in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_pages_request_nothing_from_other_hosts(
    client: Client, path: str
) -> None:
    """No page needs the internet."""
    text = (await client().get(path)).text
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', text)
    assert loaded
    assert all(address.startswith("/") for address in loaded)


async def test_a_stale_page_says_so(client: Client, api: FakeApi) -> None:
    """While the catalog cannot reach its store, each page says since when."""
    path = "/catalog/default/component/booking"
    assert "Changes cannot be saved now" not in (await client().get(path)).text
    api.stale = 12
    page = (await client().get(path)).text
    assert "Changes cannot be saved now" in page
    assert "12 seconds ago" in page


async def test_a_reader_without_a_session_is_sent_to_the_sign_in(
    client: Client,
) -> None:
    """The requested address is kept for afterwards."""
    nobody = client(None)
    answer = await nobody.get("/catalog?kind=api&owner=group:a/x")
    assert answer.status_code == 303
    address = answer.headers["location"]
    assert address == "/sign-in?next=%2Fcatalog%3Fkind%3Dapi%26owner%3Dgroup%3Aa%2Fx"
    page = await nobody.get(address)
    assert 'value="/catalog?kind=api&amp;owner=group:a/x"' in page.text


async def test_the_development_sign_in_searches_users(client: Client) -> None:
    """A name narrows the list; an unknown one is reported, and may be retyped."""
    nobody = client(None)
    page = await nobody.get("/sign-in?text=bao")
    assert "Bao Tran" in page.text
    assert "Ann Becker" not in page.text
    back = await nobody.get("/sign-in?text=user:default/nobody&wrong=user")
    assert "No user with this name" in back.text
    assert 'value="user:default/nobody"' not in back.text.partition('id="people"')[2]


@pytest.mark.parametrize("people", [None, []])
async def test_a_user_who_is_not_listed_signs_in_by_name(
    client: Client, api: FakeApi, people: list[object] | None
) -> None:
    """The page offers a typed name, and does not call the catalog empty."""
    api.people = people
    page = (await client(None).get("/sign-in")).text
    assert "The catalog is empty" not in page
    assert "Users cannot be listed here now" in page
    page = (await client(None).get("/sign-in?text=user:default/bao")).text
    assert 'name="user" value="user:default/bao"' in page


async def test_a_banner_warns_of_the_development_sign_in(client: Client) -> None:
    """It is on every page while the development sign-in is allowed."""
    assert "Development sign-in" in (await client().get("/catalog")).text
    app = make_portal(FakeApi(), development=False)
    assert app.state.portal.frame.development is False


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/catalog/default/component/nope", 404, "There is nothing here"),
        ("/no-such-page", 404, "There is nothing here"),
        ("/graph?entity=component:default/", 400, "must be a full ref"),
    ],
)
async def test_error_pages_say_what_to_do(
    client: Client, path: str, status: int, words: str
) -> None:
    """An error page explains itself and leads on."""
    answer = await client().get(path)
    assert answer.status_code == status
    assert words in answer.text
    assert 'href="/catalog"' in answer.text


async def test_an_unavailable_service_answers_503(client: Client, api: FakeApi) -> None:
    """The page says that nothing was lost and when to try again."""
    reader = client()
    await reader.get("/")
    api.away = True
    answer = await reader.get("/catalog")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert "Nothing was lost" in answer.text


async def test_an_internal_error_reveals_no_details(
    client: Client, api: FakeApi
) -> None:
    """It is logged, and the page has its number."""
    broken = {"kind": "Component", "metadata": {"name": "broken"}, "relations": [{}]}
    api.entities["component:default/broken"] = broken
    with capture_logs() as logged:
        answer = await client().get("/catalog/default/component/broken")
    assert [line["event"] for line in logged] == ["page_failed"]
    assert answer.status_code == 500
    assert "This page broke" in answer.text
    assert "KeyError" not in answer.text


async def test_assets_are_kept_for_ever_under_their_digest(client: Client) -> None:
    """A new file has a new address, so a browser never asks twice."""
    reader = client()
    page = await reader.get("/catalog")
    sheet = re.search(r'href="(/assets/[0-9a-f]{12}/css/portal.css)"', page.text)
    assert sheet
    answer = await reader.get(sheet[1])
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/css")
    stale = await reader.get("/assets/000000000000/css/portal.css")
    assert stale.headers["cache-control"] == "no-cache"
    assert (await reader.get("/assets/x/%2e%2e%2frouter.py")).status_code == 404


def test_scripts_stay_within_their_budget() -> None:
    """Less than 100 kB of JavaScript on a page, before compression."""
    assets = Assets()
    sizes = {name: len(asset.body) for name, asset in assets._files.items()}
    imports = re.findall(rb'"./(.+)\.js"', assets._files["js/portal.js"].body)
    everywhere = {"htmx.min", "portal", *(name.decode() for name in imports)}
    own = {
        name.rpartition("/")[2].removesuffix(".js"): size
        for name, size in sizes.items()
        if name.endswith(".js") and "mermaid/" not in name
    }
    scripts = sum(size for name, size in own.items() if name in everywhere)
    extra = max(size for name, size in own.items() if name not in everywhere)
    assert 0 < scripts + extra < 100_000
    assert sizes["css/portal.css"] < 60_000


async def test_preferences_are_kept_in_cookies(client: Client) -> None:
    """Theme and density change the page's root; invalid values are refused."""
    reader = client()
    form = {"theme": "dark", "density": "compact", "next": "/catalog"}
    answer = await reader.post("/preferences", data=form)
    assert answer.headers["location"] == "/catalog"
    page = await reader.get("/catalog")
    assert '<html lang="en" data-theme="dark" data-density="compact">' in page.text
    wrong = await reader.post("/preferences", data={"theme": "pink"})
    assert wrong.status_code == 400


async def test_foreign_texts_are_escaped(client: Client, api: FakeApi) -> None:
    """Names, descriptions and differences, wherever they are shown."""
    trap = '<img src=x onerror="alert(1)">'
    metadata = api.entities["component:default/booking"]["metadata"]
    metadata["title"] = metadata["description"] = trap
    metadata["tags"] = [trap]
    for path in ("/", "/catalog", *PAGES[2:]):
        text = (await client().get(path)).text
        assert "<img src=x" not in text, path
    assert "<b>while</b>" not in (await client().get(PAGES[5])).text


async def test_script_links_are_removed(client: Client) -> None:
    """`javascript:` passes the descriptor's rules and must not pass the page."""
    text = (await client().get("/catalog/default/component/booking")).text
    assert "javascript:" not in text
    assert "Trap (not a web address)" in text


async def test_a_prefetched_page_is_cached_briefly(client: Client) -> None:
    """Only such a page: a reload always reaches the server."""
    reader = client()
    fetched = await reader.get("/catalog", headers={"x-purpose": "prefetch"})
    assert fetched.headers["cache-control"] == "private, max-age=5"
    answer = await reader.get("/catalog")
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "Cookie" in answer.headers["vary"]


async def test_the_style_guide_is_served_in_development_only(portal: FastAPI) -> None:
    """A portal for people has none."""
    assert portal.state.portal.frame.development
    app = make_portal(FakeApi(), development=False)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://portal.test",
        headers={"authorization": bearer(GUEST)},
    ) as reader:
        assert (await reader.get("/styleguide")).status_code == 404
