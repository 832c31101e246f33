"""The search page, its marks, the suggestions; the status and settings pages."""

import re
from pathlib import Path

import pytest

from services.portal.entities import KINDS
from services.portal.highlighting import highlight, snippet
from services.portal.pages.search import result_of
from services.portal.pages.status import CHECK_PURPOSES, engine_line, service_line
from shared.contracts.checks import CHECK_NAMES
from tests.builders import entity
from tests.portal.answers import site
from tests.portal.company import GUEST
from tests.portal.conftest import Client
from tests.portal.services import FakeServices

ROOT = Path(__file__).resolve().parents[2]

PART = {"hx-request": "true", "hx-target": "results"}


@pytest.fixture
def api() -> FakeServices:
    return FakeServices()


async def test_results_show_highlights_kind_and_site(client: Client) -> None:
    """HTML in texts is text."""
    page = (await client().get("/search?query=seat")).text
    assert "<mark>seat</mark>" in page
    assert "Docs of Booking" in page
    assert "&lt;b&gt;nine&lt;/b&gt;" in page
    assert 'value="seat"' in page


async def test_results_narrow_by_type_and_kind(client: Client) -> None:
    """The part for htmx, its address, and exact counts of each type."""
    address = "/search?query=seat&type=software-catalog&kind=resource"
    answer = await client().get(address, headers=PART)
    assert "<html" not in answer.text
    assert answer.headers["hx-push-url"] == address
    assert "seats-db" in answer.text
    assert "Seat map" not in answer.text


async def test_results_are_paged(client: Client) -> None:
    """Next and previous keep the query."""
    first = (await client().get("/search")).text
    assert 'href="/search?cursor=1" rel="next"' in first
    second = (await client().get("/search?cursor=1")).text
    assert 'href="/search?cursor=0" rel="prev"' in second
    assert "21–" in second


async def test_an_empty_result_suggests_what_to_do(client: Client) -> None:
    """The query is escaped."""
    page = (await client().get("/search?query=<zzz>")).text
    assert "Nothing found for “&lt;zzz&gt;”" in page


async def test_script_addresses_of_results_are_no_links(client: Client) -> None:
    """A script's address in a document is no link."""
    page = (await client().get("/search?query=trap")).text
    assert "javascript:" not in page


async def test_suggestions_are_at_most_eight_options(client: Client) -> None:
    """Lines of HTML with a link each, cached for some seconds."""
    answer = await client().get("/search/suggest?term=seat")
    assert answer.text.count('role="option"') == 4
    assert 'href="/catalog/default/component/seat-map"' in answer.text
    assert "in Booking" in answer.text
    assert "max-age=5" in answer.headers["cache-control"]


async def test_suggestions_are_empty_while_search_is_away(
    client: Client, api: FakeServices
) -> None:
    """Typing goes on undisturbed."""
    api.away = True
    answer = await client().get("/search/suggest?term=seat")
    assert (answer.status_code, answer.text.strip()) == (200, "")


async def test_an_unavailable_search_answers_503(
    client: Client, api: FakeServices
) -> None:
    """503, and to come again."""
    api.away = True
    answer = await client().get("/search?query=seat")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_highlights_escape_everything_else() -> None:
    """Between the tags too."""
    assert highlight("a <i>x</i> [b<]", "<i>", "</i>") == "a <mark>x</mark> [b&lt;]"
    assert highlight("<b>", "", "") == "&lt;b&gt;"


def test_snippets_surround_the_first_highlight() -> None:
    """Short, cut at words, never inside a highlight."""
    text = "word " * 100 + "#seat!" + " tail" * 100
    text_around = str(snippet(text, "#", "!"))
    assert text_around.startswith("… word")
    assert "<mark>seat</mark>" in text_around
    assert text_around.endswith(" …")
    assert len(text_around) < 320
    assert str(snippet("short", "#", "!")) == "short"


async def test_status_names_unavailable_services_and_reasons(client: Client) -> None:
    """In words, with the last push of each host."""
    page = (await client().get("/status")).text
    assert "Not all services are ready" in page
    assert "catalog, mongodb" in page
    assert "mongodb: does not answer" in page
    assert "Unpublished events" in page
    assert "git.playhouse.example" in page


async def test_status_shows_the_outcome_of_the_last_delivery(
    client: Client, api: FakeServices
) -> None:
    """By the host's own name; no repository is named."""
    last = {"at": "2026-11-22T15:40:00Z", "outcome": "accepted"}
    api.status = {"status": "ok", "webhooks": {"gitea": last}}
    page = (await client().get("/status")).text
    assert '<span class="name">Gitea</span>' in page
    assert "<td>Accepted</td>" in page


async def test_status_lists_sources_with_errors(
    client: Client, api: FakeServices
) -> None:
    """Each source has its address, its error and a link to its page."""
    assert "Sources with errors" not in (await client().get("/status")).text
    target = "https://git.playhouse.example/shop/blob/main/catalog-info.yaml"
    location = entity("Location", "generated-1", {"type": "url", "target": target})
    message = "InputError: YAML error at line 3, column 9 <b>"
    items = [{"level": "error", "message": message}] * 5
    api.entities["location:default/generated-1"] = {
        **location,
        "relations": [],
        "status": {"items": items},
    }
    page = (await client().get("/status")).text
    assert "Sources with errors" in page
    assert target in page
    assert 'href="/catalog/default/location/generated-1"' in page
    assert page.count("line 3, column 9 &lt;b&gt;") == 3
    assert "and 2 more" in page
    assert "since" not in page.split('id="sources"')[1]
    items[0]["error"] = {"since": "2026-11-22T15:40:00+00:00"}
    page = (await client().get("/status")).text
    assert 'reported <time datetime="2026-11-22T15:40:00+00:00"' in page


async def test_the_headline_of_status_counts_sources_with_errors(
    client: Client, api: FakeServices
) -> None:
    """Ready services are not enough: a warning leads to the sources."""
    api.status = {"status": "ok", "services": [], "engines": [], "webhooks": {}}
    items = [{"level": "error", "message": "InputError: spec.owner", "error": {}}]
    for number in range(2):
        spec = {"type": "url", "target": f"https://git.example/{number}"}
        location = entity("Location", f"generated-{number}", spec)
        api.entities[f"location:default/generated-{number}"] = {
            **location,
            "status": {"items": items},
        }
    page = (await client().get("/status")).text
    assert "<strong>All services are ready</strong>" not in page
    assert "All services are ready; 2 sources have errors" in page
    assert page.index('<a href="#sources">') < page.index('id="services"')
    api.status["status"] = "not ready"
    assert "Not all services are ready" in (await client().get("/status")).text


async def test_status_lists_failed_builds_of_documentation(
    client: Client, api: FakeServices
) -> None:
    """With the reason, and whether an earlier one is shown; a warning leads there."""
    api.status = {"status": "ok", "services": [], "engines": [], "webhooks": {}}
    assert "documentation build" not in (await client().get("/status")).text
    failed = {"status": "failed", "failed_at": "2026-11-22T15:40:00+00:00"}
    api.sites["default/component/ledger"] = site(
        entity_ref="component:default/ledger",
        title="Ledger",
        error="mkdocs.yml: <nav> at line 3",
        **failed,
    )
    page = (await client().get("/status")).text
    assert "All services are ready; 1 documentation build failed" in page
    builds = page.split('id="builds"')[1].split("</section>")[0]
    assert 'href="/docs/default/component/ledger/"' in builds
    assert "mkdocs.yml: &lt;nav&gt; at line 3" in builds
    assert '<time datetime="2026-11-22T15:40:00+00:00"' in builds
    assert "the last good site is shown" in builds
    api.sites["default/component/ledger"]["built_at"] = None
    assert "failed, no site yet" in (await client().get("/status")).text


async def test_the_status_fragment_is_refreshed(
    client: Client, api: FakeServices
) -> None:
    """The fragment is sent alone; when all is well it says so."""
    api.status = {"status": "ok", "services": [], "engines": [], "webhooks": {}}
    headers = {"hx-request": "true", "hx-target": "status"}
    part = (await client().get("/status", headers=headers)).text
    assert "<html" not in part
    assert "All services are ready" in part


def test_status_shows_unknown_figures_by_their_name() -> None:
    """Figures it does not know are shown by their own name."""
    figures = {"index_age_seconds": 4.0, "entities": 100_000.0, "outbox": 0.5}
    line = service_line({"name": "x", "ready": True, "checks": 5, "figures": figures})
    assert line.figures == (
        ("Index age seconds", "4"),
        ("Entities", "100,000"),
        ("Unpublished events", "0.5"),
    )
    line = engine_line({"name": "kafka", "seen_by": {"x": "ok"}})
    assert line.about == "reported by x"


async def test_status_shows_readable_names_of_checks(
    client: Client, api: FakeServices
) -> None:
    """Each with its purpose, and whether it is ready; the API keeps its names."""
    engines = [
        {"name": "builders", "ready": False, "seen_by": {"techdocs": "stopped"}},
        {"name": "open", "ready": True, "seen_by": {"techdocs": "ok"}},
    ]
    checks = {"builders": "stopped", "open": "ok"}
    services = [{"name": "techdocs", "ready": False, "checks": checks, "figures": {}}]
    api.status = {"status": "not ready", "services": services, "engines": engines}
    page = (await client().get("/status")).text
    names = page.split('id="engines"')[1].split("</section>")[0]
    for text in ("Documentation builders", "Start-up", "reported by techdocs"):
        assert text in names
    assert ">Unavailable<" in names
    assert ">Ready<" in names
    assert "Documentation builders: stopped" in page.split('id="engines"')[0]
    assert "Documentation builders is not ready" not in page
    assert CHECK_NAMES.keys() == CHECK_PURPOSES.keys()
    assert CHECK_NAMES.keys() >= {
        name
        for file in ROOT.glob("services/*/main.py")
        for name in re.findall(r'checks\["([^"]+)"\]', file.read_text())
    }


async def test_status_lists_stores_first(client: Client, api: FakeServices) -> None:
    """Not in the order of the API's keys; a check without a name is the last."""
    engines = [
        {"name": name, "ready": True, "seen_by": {"catalog": "ok"}}
        for name in ("another", "builders", "documents", "events", "open")
    ]
    api.status = {"status": "ok", "services": [], "engines": engines}
    page = (await client().get("/status")).text
    names = re.findall('class="name">([^<]+)', page.split('id="engines"')[1])
    assert names[:5] == [
        "Document store",
        "Event log",
        "Documentation builders",
        "Start-up",
        "another",
    ]


async def test_results_show_the_titles_of_owners(client: Client) -> None:
    """As all other pages do; a missing owner by its name."""
    page = (await client().get("/search?query=seats-db")).text
    assert "Owned by Platform" in page
    result = {"document": {"kind": "API", "owner": "user:default/cy"}}
    assert result_of(result).owner == "cy"
    assert result_of({**result, "type": "techdocs"}).owner == ""


def test_snippets_of_users_have_no_bare_colons() -> None:
    """The search joins description, name and address with them."""
    document = {"kind": "User", "title": "cy", "text": "Engineer : Cy : cy@x.example"}
    result = {"type": "software-catalog", "document": document}
    assert result_of(result).text == "Engineer · Cy · cy@x.example"
    document["kind"] = "API"
    assert result_of(result).text == "Engineer : Cy : cy@x.example"


async def test_search_filters_match_those_of_the_catalog(
    client: Client,
) -> None:
    """Kinds in the order of the catalog's tabs; lifecycles as in descriptors."""
    page = (await client().get("/search?query=seat")).text
    kinds = re.findall(r'name="kind" value="(\w+)"', page)
    order = [kind for kind in KINDS if kind in kinds]
    assert kinds == order
    assert len(kinds) > 4
    assert ">production<" in page.split(">Lifecycle<")[1].split("</fieldset>")[0]


@pytest.mark.parametrize(
    "path", ["/", "/catalog", "/docs", "/create", "/graph", "/search", "/insights"]
)
async def test_pages_are_named_as_in_the_navigation(client: Client, path: str) -> None:
    """The same name in the bar, in the breadcrumbs and as the title."""
    page = (await client().get(path)).text
    entry = re.search(rf'class="bar-link" href="{path}"[^>]*>.*?<span>(\w+)<', page)
    assert entry
    assert f'aria-current="page">{entry[1]}</span>' in page
    assert f"<title>{entry[1]} · " in page


async def test_settings_show_preferences_and_groups(client: Client) -> None:
    """Theme and density as chosen, the groups as the policy sees them."""
    one = client()
    one.cookies.set("callboard_density", "compact")
    page = (await one.get("/settings")).text
    assert 'name="density" value="compact" checked' in page
    assert "Box Office" in page
    assert "user:default/ann" in page
    assert "Teams and parent teams" in page
    assert "Entity ref" in page
    page = (await client(GUEST).get("/settings")).text
    assert "sign in as a person" in page
    assert "Teams" not in page
    page = (await client("service:operator").get("/settings")).text
    assert "installation&#39;s token" in page
    assert "Teams" not in page
    assert "spec.memberOf" not in page


def test_an_api_found_by_its_operations_links_to_them() -> None:
    """A hit in the API's own text leads to its page."""
    document = {"kind": "API", "title": "Seats", "location": "/catalog/default/api/s"}
    marks = {"preTag": "<1>", "postTag": "</1>"}
    result = {"type": "software-catalog", "document": document, "highlight": marks}
    by_operation = result_of(result, "free a seat")
    assert by_operation.href == "/catalog/default/api/s/api?find=free%20a%20seat"
    own = {**result, "highlight": {**marks, "fields": {"title": "<1>Seats</1>"}}}
    assert result_of(own, "seats").href == "/catalog/default/api/s"
    assert result_of(result).href == "/catalog/default/api/s"
