"""The documentation's pages: the list, the reader, what is missing and what failed."""

import pytest

from services.portal.docs_site import article_of
from services.portal.tabs import docs_of
from shared.contracts.entity import Entity
from tests.portal.answers import article, site
from tests.portal.company import entity
from tests.portal.conftest import Client
from tests.portal.services import FakeServices

BOOKING = "/docs/default/component/booking"
KEY = "default/component/booking"


@pytest.fixture
def api() -> FakeServices:
    return FakeServices()


async def test_the_list_shows_built_and_failed_docs(
    client: Client, api: FakeServices
) -> None:
    """Each site with its owner and age; a failed build is marked."""
    api.sites["default/component/ledger"] = site(
        entity_ref="component:default/ledger", title="Ledger", status="failed"
    )
    page = (await client().get("/docs")).text
    assert f'href="{BOOKING}/"' in page
    assert "Box Office" in page
    assert page.count("latest build failed") == 1


async def test_the_list_is_filtered_by_text(client: Client) -> None:
    """An htmx request gets the fragment alone; an empty list suggests what to do."""
    headers = {"hx-request": "true", "hx-target": "sites"}
    part = (await client().get("/docs?text=holds", headers=headers)).text
    assert "<html" not in part
    assert "Booking" in part
    none = (await client().get("/docs?text=zzz")).text
    assert "No site matches" in none


async def test_a_docs_page_has_three_columns(client: Client) -> None:
    """Navigation, the article and its contents; the commit and where to edit it."""
    page = (await client().get(f"{BOOKING}/")).text
    assert f'href="{BOOKING}/" aria-current="page"' in page
    assert f'href="{BOOKING}/decisions/one/"' in page
    assert "is this seat still free?" in page
    assert 'href="#rules"' in page
    assert "booking/edit/main/docs/index.md" in page
    assert "4f1c9a7b" in page
    assert f'href="{BOOKING}/rules/" rel="next"' in page
    assert 'data-live-entity="component:default/booking"' in page


async def test_a_page_without_a_heading_gets_one(client: Client) -> None:
    """Every page has exactly one first heading."""
    assert (await client().get(f"{BOOKING}/")).text.count("<h1") == 1
    assert (await client().get(f"{BOOKING}/rules/")).text.count("<h1") == 1


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (BOOKING, f"{BOOKING}/"),
        (f"{BOOKING}?find=seat", f"{BOOKING}/?find=seat"),
        (f"{BOOKING}/rules", f"{BOOKING}/rules/"),
        (f"{BOOKING}/a/b.png", f"/api/techdocs/assets/{KEY}/a/b.png"),
    ],
)
async def test_page_addresses_end_with_a_slash(
    client: Client, path: str, target: str
) -> None:
    """Relative links count from there; addresses of files are the API's."""
    answer = await client().get(path)
    assert answer.status_code in {307, 308}
    assert answer.headers["location"] == target


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("api.html", "static/docs/{}/api.html"),
        ("api.html/", "static/docs/{}/api.html"),
        ("java%20doc", "static/docs/{}/java%20doc/index.html"),
        ("java%20doc/", "static/docs/{}/java%20doc/index.html"),
        ("java%20doc/index.html", "static/docs/{}/java%20doc/index.html"),
        ("Ma%C3%9F.HTM", "static/docs/{}/Ma%C3%9F.HTM"),
        ("file.pdf/", "assets/{}/file.pdf"),
    ],
)
async def test_addresses_of_no_page_lead_to_the_file_that_they_name(
    client: Client, api: FakeServices, path: str, target: str
) -> None:
    """HTML to the route that shows it as text; a folder means its index."""
    for name in ("api.html", "java doc/index.html", "Maß.HTM", "file.pdf"):
        api.files.add(f"{KEY}/{name}")
    answer = await client().get(f"{BOOKING}/{path}")
    assert answer.headers["location"] == f"/api/techdocs/{target.format(KEY)}"


@pytest.mark.parametrize("path", ["nope.md", "a/gone.png", "v2.1", "nope"])
async def test_a_dead_link_shows_a_page_of_its_site(client: Client, path: str) -> None:
    """Whatever its name looks like: the site's frame, its pages and a way on."""
    answer = await client().get(f"{BOOKING}/{path}", follow_redirects=True)
    assert answer.status_code == 404
    assert "There is no such page in this site" in answer.text
    assert f'href="{BOOKING}/rules/"' in answer.text


async def test_a_page_whose_name_has_a_dot_is_a_page(
    client: Client, api: FakeServices
) -> None:
    """`2.1 notes` is read at its own address, with or without the slash at its end."""
    api.pages[f"{KEY}/2.1 notes"] = article("2.1 notes")
    answer = await client().get(f"{BOOKING}/2.1%20notes")
    assert answer.headers["location"] == f"{BOOKING}/2.1%20notes/"
    assert (await client().get(f"{BOOKING}/2.1%20notes/")).status_code == 200


@pytest.mark.parametrize(
    ("path", "page"),
    [("a/subindex.html", "a/subindex.html"), ("rules/index.html", "rules")],
)
async def test_only_the_index_of_a_folder_has_the_name_of_its_folder(
    client: Client, api: FakeServices, path: str, page: str
) -> None:
    """A page whose name ends like it has its own."""
    api.pages[f"{KEY}/{page}"] = article(page)
    assert (await client().get(f"{BOOKING}/{path}")).status_code == 200


async def test_page_names_are_escaped_once(client: Client, api: FakeServices) -> None:
    """`#`, `%` and umlauts are in addresses as browsers send them back."""
    for name, address in (("F#", "F%23"), ("50%25", "50%2525"), ("Maß", "Ma%C3%9F")):
        api.pages[f"{KEY}/{name}"] = article(name)
        nav = [{"title": name, "path": name, "children": []}]
        api.sites[KEY] = site(nav=nav)
        page = await client().get(f"{BOOKING}/{address}/")
        assert page.status_code == 200, name
        assert f'href="{BOOKING}/{address}/" aria-current="page"' in page.text


async def test_a_site_without_an_index_leads_to_its_first_page(
    client: Client, api: FakeServices
) -> None:
    """The root redirects there; a search at the root stays."""
    api.pages[KEY] = {**article(""), "path": "be gin"}
    answer = await client().get(f"{BOOKING}/")
    assert answer.headers["location"] == f"{BOOKING}/be%20gin/"
    assert (await client().get(f"{BOOKING}/?find=seat")).status_code == 200


async def test_a_renamed_page_leads_to_its_new_address(
    client: Client, api: FakeServices
) -> None:
    """With the heading that the redirect names, and within the site only."""
    for anchor, heading in (("", ""), ("Größe", "#Gr%C3%B6%C3%9Fe")):
        api.pages[f"{KEY}/old"] = {**article("//else.example"), "anchor": anchor}
        answer = await client().get(f"{BOOKING}/old/")
        target = f"{BOOKING}///else.example/{heading}"
        assert answer.headers["location"] == target


async def test_the_frame_of_diagrams_has_no_origin(client: Client) -> None:
    """Its own header isolates it, wherever it is opened; its scripts may be loaded."""
    answer = await client(None).get("/diagrams/frame")
    policy = answer.headers["content-security-policy"]
    assert "sandbox allow-scripts;" in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    script = answer.text.partition('src="')[2].partition('"')[0]
    module = await client(None).get(script)
    assert module.headers["access-control-allow-origin"] == "*"


async def test_build_warnings_are_shown_with_their_text(
    client: Client, api: FakeServices
) -> None:
    """Not their number only, and escaped."""
    api.sites[KEY] = site(warnings=["mkdocs.yml: <hooks> was left out", "two"])
    page = (await client().get(f"{BOOKING}/")).text
    assert "2 warnings in the build" in page
    assert "mkdocs.yml: &lt;hooks&gt; was left out" in page


@pytest.mark.parametrize(
    ("annotations", "href"),
    [
        ({"techdocs-entity": "component:default/a"}, "/docs/default/component/a"),
        (
            {"techdocs-entity": "component:default/a", "techdocs-entity-path": "/x y/"},
            "/docs/default/component/a/x%20y/",
        ),
        (
            {"techdocs-ref": "dir:.", "techdocs-entity-path": "g/../h#two"},
            "/docs/default/component/own/g/h/#two",
        ),
        ({"techdocs-entity-path": "/x"}, ""),
    ],
)
def test_an_entity_may_name_its_docs_page(
    annotations: dict[str, str], href: str
) -> None:
    """The tab and the links of an entity lead to `techdocs-entity-path`."""
    qualified = {f"backstage.io/{key}": value for key, value in annotations.items()}
    one = entity("Component", "own", {"type": "service"}, annotations=qualified)
    assert docs_of(Entity(one)) == href


async def test_a_missing_page_lists_the_pages_of_its_site(client: Client) -> None:
    """404 with the navigation beside it."""
    answer = await client().get(f"{BOOKING}/gone/")
    assert answer.status_code == 404
    assert "no such page in this site" in answer.text
    assert f'href="{BOOKING}/rules/"' in answer.text


async def test_a_failed_build_is_shown_above_the_last_good_page(
    client: Client, api: FakeServices
) -> None:
    """The reason, the commit and the log; the text stays readable."""
    api.sites[KEY] = site(
        status="failed",
        error="mkdocs.yml: <nav> names a page that is not there",
        failed_at="2026-11-22T15:10:00Z",
        failed_commit="abcdef0123456789",
        log=["INFO", "ERROR <x>"],
    )
    page = (await client().get(f"{BOOKING}/")).text
    assert "this is the last good one" in page
    assert "&lt;nav&gt; names a page" in page
    assert "abcdef01" in page
    assert "ERROR &lt;x&gt;" in page
    assert "is this seat still free?" in page


async def test_a_first_build_in_progress_is_shown_live(
    client: Client, api: FakeServices
) -> None:
    """The page says so and is updated."""
    api.sites[KEY] = site(status="building", built_at=None, nav=[], pages=[])
    answer = await client().get(f"{BOOKING}/")
    assert answer.status_code == 200
    assert "Being built" in answer.text


async def test_an_entity_without_docs_says_how_to_begin(client: Client) -> None:
    """404 with the three steps that make a site."""
    answer = await client().get("/docs/default/component/basket/")
    assert answer.status_code == 404
    assert "mkdocs.yml" in answer.text


async def test_docs_of_a_hidden_entity_are_not_found(
    client: Client, api: FakeServices
) -> None:
    """The page is a 404 like any other."""
    api.hidden.add("component:default/booking")
    answer = await client().get(f"{BOOKING}/")
    assert answer.status_code == 404
    assert "seat still free" not in answer.text


async def test_a_site_can_be_searched(client: Client, api: FakeServices) -> None:
    """The search is limited to the site's entity; matched words are marked."""
    page = (await client().get(f"{BOOKING}/?find=seat")).text
    assert "<mark>seat</mark>" in page
    assert "&lt;b&gt;nine" in page
    query = next(params for _, path, params in api.calls if path == "/api/search/query")
    assert ("filters[entityRef]", "component:default/booking") in query


def test_boxes_of_task_lists_have_accessible_names() -> None:
    """A screen reader reads whether a task is done."""
    assert 'aria-label="done"' in str(article_of(article(""), BOOKING).html)


async def test_a_list_of_many_sites_is_cut_and_says_so(
    client: Client, api: FakeServices
) -> None:
    """Cards for the first ones, the number of the others, and where they are found."""
    for number in range(499):
        ref = f"component:default/many-{number}"
        place = f"default/component/many-{number}"
        api.sites[place] = site(entity_ref=ref, title=f"Many {number}")
    page = (await client().get("/docs")).text
    assert page.count('href="/docs/default/component/') < 110
    assert "and 400 more" in page
    assert "Only the 500 sites that were built last" in page
    page = (await client().get("/docs?text=many 49")).text
    assert page.count('href="/docs/default/component/many-49') == 10
    assert "more: type part" not in page
