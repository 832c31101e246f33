"""Docs, templates, runs, search and API pages in a real Chromium."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from starlette.types import Receive, Scope, Send

from services.portal.frame import Frame
from services.portal.router import make_portal
from tests.portal.answers import TASK, events, site, task
from tests.portal.browsing import (
    SCREENS,
    TOO_WIDE,
    Open,
    sign_in,
    violations,
    visits,
)
from tests.portal.company import entity
from tests.portal.conftest import served
from tests.portal.services import FakeServices
from tests.portal.stream import PATH, WithStream
from tests.waiting import until_now

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EXAMPLE = Path(__file__).parents[2] / "deploy/examples/playhouse/repositories"
APIS = {
    "openapi": "payments/openapi.yaml",
    "asyncapi": "box-office/asyncapi.yaml",
    "graphql": "website/schema.graphql",
    "grpc": "seating/proto/seat_map.proto",
}
FORM = "/create/templates/default/python-service"
GOOD = "p.name=seat-finder&p.owner=group:default/stage-team"
BOOKING = "/docs/default/component/booking"
PAGES = {
    "docs": "/docs",
    "docs-page": f"{BOOKING}/",
    "docs-found": f"{BOOKING}/?find=seat",
    "docs-failed": "/docs/default/component/ledger/",
    "docs-none": "/docs/default/component/basket/",
    "create": "/create",
    "actions": "/create/actions",
    "actions-none": "/create/actions?q=nothing",
    "form": FORM,
    "form-wrong": f"{FORM}?page=0&go=next&p.name=X",
    "form-more": f"{FORM}?page=1&{GOOD}&p.database=true",
    "review": f"{FORM}?page=2&{GOOD}&p.database=false",
    "run": f"/create/tasks/{TASK}",
    "register": "/create/register?target=https://git.example/x",
    "register-wrong": f"/create/register?target=https://bad.example/{'a' * 90}",
    "runs": "/create/tasks",
    "search": "/search?query=seat",
    "settings": "/settings",
    "insights": "/insights",
    "insights-hours": "/insights?period=48h",
    "status": "/status",
    **{f"api-{kind}": f"/catalog/default/api/{kind}/api" for kind in APIS},
}


class WithRuns(WithStream):
    """The stream of a run is the same twin, at the scaffolder's address."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/eventstream"):
            scope = {**scope, "path": PATH}
        await super().__call__(scope, receive, send)


def every_service() -> FakeServices:
    """All services, with one of everything that the pages show."""
    api = FakeServices()
    api.sites["default/component/ledger"] = site(
        entity_ref="component:default/ledger",
        title="Ledger",
        status="failed",
        built_at=None,
        error="docs/index.md is missing",
        log=["INFO - Building", "ERROR - docs/index.md is missing"],
    )
    for kind, path in APIS.items():
        text = (EXAMPLE / path).read_text("utf-8")
        spec = {"type": kind, "lifecycle": "production", "owner": "stage-team"}
        api.entities[f"api:default/{kind}"] = entity(
            "API", kind, {**spec, "definition": text}
        )
    return api


@pytest.fixture(scope="module")
def live_portal(frame: Frame) -> Iterator[Any]:
    """A running portal over all services: `.url`, `.api`, `.stream`."""
    api = every_service()
    app = WithRuns()
    app.app = make_portal(api, frame=frame)
    with served(app) as url:
        yield type("House", (), {"url": url, "api": api, "stream": app})


@pytest.fixture
def open_page(browser: Any, live_portal: Any) -> Iterator[Open]:
    """Opens a page as Ann; fails if the page's scripts raise or are refused."""
    with visits(browser, live_portal.url) as open_page:
        yield open_page
    until_now(
        lambda: not live_portal.stream.readers, condition="nobody listens any more"
    )


@pytest.fixture(scope="module")
def reader_page(browser: Any, live_portal: Any) -> Iterator[Any]:
    """One page for all looks, signed in as Ann; axe itself is an injected script."""
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce")
    sign_in(context, live_portal.url)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_accessible(
    reader_page: Any, live_portal: Any, artefacts: Path, name: str
) -> None:
    """No violation of axe's rules, nothing wider than the screen; pictures are kept."""
    for size, mode in SCREENS:
        reader_page.set_viewport_size({"width": size[0], "height": size[1]})
        reader_page.emulate_media(color_scheme=mode, reduced_motion="reduce")
        reader_page.goto(live_portal.url + PAGES[name])
        reader_page.evaluate(
            "[...document.querySelectorAll('.api-entry')].slice(0, 3)"
            ".forEach(entry => entry.open = true)"
        )
        reader_page.screenshot(path=artefacts / f"{name}-{size[0]}-{mode}.png")
        assert violations(reader_page) == []
        assert not reader_page.evaluate(TOO_WIDE)
    reader_page.goto("about:blank")  # or it would listen on


def choose(page: Any, field: str, typed: str, label: str) -> None:
    """Types into a combobox and takes one of its choices."""
    box = page.get_by_role("combobox", name=field)
    box.click()
    box.press_sequentially(typed)
    page.get_by_role("option", name=label).first.click()
    expect(box).to_have_value(label)


def test_a_template_is_filled_in_and_run(open_page: Open) -> None:
    """Errors at the field, a question that an answer brings, review, and the run."""
    page = open_page(FORM)
    page.get_by_label("Name").fill("Not Good")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#f-name-error")).to_contain_text("Must match")
    expect(page.locator("#f-name")).to_be_focused()
    page.get_by_label("Name").fill("seat-finder")
    choose(page, "Owner", "stage", "Stage")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("It keeps something").check()
    page.get_by_label("1 year").check()
    page.get_by_role("button", name="Review").click()
    page.get_by_role("heading", name="Secrets").wait_for()
    expect(page.get_by_text("1 year")).to_be_visible()
    page.get_by_role("button", name="Create").click()
    page.wait_for_url(f"**/create/tasks/{TASK}")


def test_a_form_works_without_scripts(open_page: Open, live_portal: Any) -> None:
    """The same questions with buttons of their own; Back loses nothing."""
    page = open_page(FORM, scripts=False)
    page.get_by_label("Name").fill("seat-finder")
    page.get_by_label("Owner").fill("stage-team")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("It keeps something").check()
    page.get_by_role("button", name="Show what follows").click()
    page.get_by_label("30 days").check()
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_label("Name")).to_have_value("seat-finder")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_label("30 days")).to_be_checked()
    page.get_by_role("button", name="Review").click()
    page.get_by_role("button", name="Create").click()
    page.wait_for_url(f"**/create/tasks/{TASK}")
    assert live_portal.api.started[-1]["values"]["retention"] == "30 days"


def test_a_run_is_followed_to_its_end(open_page: Open, live_portal: Any) -> None:
    """Lines and steps appear as they happen; then the results, and no stream."""
    log = events()
    live_portal.api.runs["live"] = (task("processing", id="live"), log[:2])
    until_now(
        lambda: not live_portal.stream.readers, condition="earlier pages have left"
    )
    page = open_page("/create/tasks/live")
    until_now(lambda: live_portal.stream.readers, condition="the page listens")
    live_portal.api.runs["live"] = (task("processing", id="live"), log[:4])
    live_portal.stream.tell("log", {})
    page.locator(".is-completed").wait_for()
    expect(page.locator("#run-log li")).to_have_count(4)
    live_portal.api.runs["live"] = (task("completed", id="live"), log)
    live_portal.stream.tell("completion", {})
    page.get_by_role("link", name="Open in the catalog").wait_for()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    until_now(
        lambda: not live_portal.stream.readers, condition="the page stops listening"
    )


def test_an_open_docs_page_shows_a_new_build(open_page: Open, live_portal: Any) -> None:
    """The text changes by itself, the note says so, code can still be copied."""
    key = "default/component/booking"
    page = open_page(f"{BOOKING}/")
    page.locator(".docs-copy").wait_for(state="attached")
    until_now(lambda: live_portal.stream.readers, condition="the page listens")
    live_portal.api.articles[key] = (
        "<h1>Booking</h1><p>Ten minutes now.</p><pre>x</pre>"
    )
    data = {"entity_ref": "component:default/booking", "site": "abc"}
    live_portal.stream.tell("docs-built", data)
    page.get_by_text("Ten minutes now.").wait_for()
    expect(page.locator("[data-live-note]")).to_contain_text("Updated just now")
    page.locator(".docs-copy").wait_for(state="attached")
    del live_portal.api.articles[key]


def test_an_open_docs_page_shows_a_failed_build(
    open_page: Open, live_portal: Any
) -> None:
    """The reason appears above the last good text."""
    key = "default/component/booking"
    before = deepcopy(live_portal.api.sites[key])
    page = open_page(f"{BOOKING}/")
    until_now(lambda: live_portal.stream.readers, condition="the page listens")
    live_portal.api.sites[key] = {
        **before,
        "status": "failed",
        "error": "no such page: x.md",
    }
    # Two events close upon each other: what the page shows decides what the note says.
    data = {"entity_ref": "component:default/booking", "site": "abc"}
    live_portal.stream.tell("docs-built", data)
    page.get_by_text("no such page: x.md").wait_for()
    expect(page.get_by_text("is this seat still free?")).to_be_visible()
    note = page.locator("[data-live-note]")
    expect(note).to_contain_text("the build of the documentation failed")
    expect(note).not_to_contain_text("documentation built")
    # Bad news does not look like good news.
    alert = page.get_by_role("alert").locator("svg")
    colour = "element => getComputedStyle(element).color"
    assert note.evaluate(colour) == alert.evaluate(colour)
    live_portal.api.sites[key] = before


def test_an_open_docs_page_shows_the_first_good_build(
    open_page: Open, live_portal: Any
) -> None:
    """Text, navigation, search and contents appear as on a new page."""
    key = "default/component/booking"
    before = deepcopy(live_portal.api.sites[key])
    state = {"status": "failed", "built_at": None, "nav": [], "pages": []}
    live_portal.api.sites[key] = {
        **before,
        **state,
        "error": "mkdocs.yml: no such page",
    }
    page = open_page(f"{BOOKING}/")
    until_now(lambda: live_portal.stream.readers, condition="the page listens")
    page.get_by_text("The documentation could not be built").wait_for()
    expect(page.get_by_label("Search in Booking")).to_have_count(0)
    expect(page.locator(".docs-drawer")).to_be_hidden()
    live_portal.api.sites[key] = before
    data = {"entity_ref": "component:default/booking", "site": "abc"}
    live_portal.stream.tell("docs-built", data)
    page.get_by_text("is this seat still free?").wait_for()
    expect(page.get_by_text("could not be built")).to_have_count(0)
    expect(page.locator("[data-live-note]")).to_contain_text("documentation built")
    page.locator(".docs-copy").first.wait_for(state="attached")
    parts = ".docs-nav-list, .docs-contents, .docs-source, .docs-article, .docs-steps"
    page.locator(parts).nth(4).wait_for(state="attached")
    note = page.locator("[data-live-note]").inner_text()
    text = page.locator("main").inner_text().replace(note, "")
    expect(page.locator("h1")).to_have_count(1)
    page.get_by_label("Search in Booking").fill("seat")
    page.locator(".docs-results mark").first.wait_for()
    page.goto(f"{live_portal.url}{BOOKING}/")
    page.locator(".docs-copy").first.wait_for(state="attached")
    anew = page.locator("main").inner_text()
    assert text.split() == anew.split()


def test_a_long_log_can_be_read_whole(open_page: Open, live_portal: Any) -> None:
    """Its lines wrap: the deciding one ends on the screen, wide or narrow."""
    key = "default/component/booking"
    before = deepcopy(live_portal.api.sites[key])
    line = f"error: Failed to build the docs page: {'docs/' * 30}index.md: no such file"
    failed = {"status": "failed", "error": "no such file", "log": ["info: x", line]}
    live_portal.api.sites[key] = {**before, **failed}
    for size in ((1440, 900), (390, 844)):
        page = open_page(f"{BOOKING}/", size=size)
        page.get_by_text("Build log").click()
        log = page.locator(".docs-log")
        expect(log).to_contain_text(line)
        assert log.evaluate("element => element.scrollWidth <= element.clientWidth")
    live_portal.api.sites[key] = before


def test_an_empty_search_result_is_centred(open_page: Open) -> None:
    """Heading, text and button of the empty part are centred alike."""
    page = open_page(f"{BOOKING}/?find=zzzz")
    middles = page.locator(".empty").evaluate(
        "box => [...box.querySelectorAll('h2, p, .button')].map(each => {"
        "const words = document.createRange(); words.selectNodeContents(each);"
        "const at = words.getBoundingClientRect(); return at.left + at.width / 2; })"
    )
    assert max(middles) - min(middles) < 2


def test_search_results_follow_the_typing(open_page: Open) -> None:
    """On the search page and inside a site; the box keeps its focus."""
    page = open_page("/search")
    box = page.locator("#query")
    box.click()
    page.keyboard.type("seat", delay=15)
    page.wait_for_url("**/search?query=seat")
    expect(page.locator("mark").first).to_be_visible()
    expect(box).to_be_focused()
    page.goto(page.url.partition("/search")[0] + f"{BOOKING}/")
    page.get_by_label("Search in Booking").fill("seat")
    page.locator(".docs-results mark").first.wait_for()
    expect(page.locator("#docs-nav")).to_be_visible()


def test_suggestions_come_from_the_search(open_page: Open) -> None:
    """Typed in the box at the top of any page, opened by the keyboard."""
    page = open_page("/docs")
    page.keyboard.press("/")
    page.keyboard.type("seat m")
    page.locator("#suggestion-1").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/catalog/default/component/seat-map")


def test_a_type_of_an_api_leads_to_its_entry(open_page: Open) -> None:
    """The link opens what it leads to."""
    page = open_page("/catalog/default/api/graphql/api")
    page.locator("#queries-performance > summary").click()
    page.locator("#queries-performance a[href='#type-performance']").click()
    expect(page.locator("#type-performance .api-body")).to_be_visible()
