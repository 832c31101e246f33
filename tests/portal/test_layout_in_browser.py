"""What style sheets say of single things, as a real Chromium computes it."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.portal.frame import Frame
from services.portal.router import make_portal
from tests.portal.answers import TASK, task
from tests.portal.browsing import NARROW, TOO_WIDE, WIDE, Open, visits
from tests.portal.conftest import served
from tests.portal.services import FakeServices
from tests.portal.stream import WithStream

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DOCS = "/docs/default/component/booking/"
ARTICLE = """
<h1>Deep</h1>
<p><img src="/a.svg" alt="one" width="9" height="9"> <img src="/b.svg" alt="two"
width="9" height="9"> text</p>
<details><summary>Hidden</summary><p>Something</p></details>
<table><tr><th>Left</th><th align="right">Right</th></tr>
<tr><td>a</td><td align="right">1</td></tr></table>
<div class="highlight"><span class="filename">a.py</span><pre><code>one
<span class="hll">two</span></code></pre></div>
<div class="highlight"><table class="highlighttable"><tr><th colspan="2"
class="filename"><span class="filename">b.py</span></th></tr><tr><td
class="linenos"><pre>1</pre></td><td class="code"><pre>one</pre></td></tr></table></div>
"""


@pytest.fixture(scope="module")
def live_portal(frame: Frame) -> Iterator[Any]:
    """A running portal over all services: `.url`, `.api`."""
    api = FakeServices()
    app = WithStream()
    app.app = make_portal(api, frame=frame)
    with served(app) as url:
        yield type("House", (), {"url": url, "api": api})


@pytest.fixture
def open_page(browser: Any, live_portal: Any) -> Iterator[Open]:
    """Opens a page as Ann; fails if the page's scripts raise or are refused."""
    with visits(browser, live_portal.url) as open_page:
        yield open_page


def log_line(message: str) -> dict[str, Any]:
    """An event of a run."""
    at = "2026-11-22T15:30:00.000Z"
    return {"id": 1, "type": "log", "body": {"message": message}, "createdAt": at}


def style(page: Any, selector: str, name: str, pseudo: str = "") -> str:
    """The computed value of a property of the first element that fits."""
    read = "(e, [name, pseudo]) => getComputedStyle(e, pseudo || null)[name]"
    return str(page.locator(selector).first.evaluate(read, [name, pseudo]))


@pytest.fixture(scope="module")
def article(live_portal: Any) -> None:
    """The first page of Booking's docs has one of everything."""
    live_portal.api.articles["default/component/booking"] = ARTICLE


@pytest.mark.usefixtures("article")
def test_pictures_of_docs_stand_in_their_line(open_page: Open) -> None:
    """Badges are a row, not a pile."""
    page = open_page(DOCS)
    pictures = page.locator(".docs-article img")
    tops = pictures.evaluate_all("all => all.map(e => e.getBoundingClientRect().top)")
    assert len(tops) == 2
    assert tops[0] == tops[1]


@pytest.mark.usefixtures("article")
def test_what_opens_has_a_sign(open_page: Open) -> None:
    """It changes with the state; a button of a menu has none."""
    page = open_page(DOCS)
    summary = ".docs-article details > summary"
    assert "▸" in style(page, summary, "content", "::before")
    page.locator(summary).click()
    assert "▾" in style(page, summary, "content", "::before")
    assert style(page, ".menu > summary", "content", "::before") == "none"


@pytest.mark.usefixtures("article")
def test_columns_and_lines_of_docs_look_as_written(open_page: Open) -> None:
    """A column at the right side, a line that is marked, a title with room."""
    page = open_page(DOCS)
    assert style(page, ".docs-article th:nth-child(2)", "textAlign") == "right"
    assert style(page, ".docs-article td:nth-child(1)", "textAlign") == "start"
    assert style(page, ".docs-article .hll", "backgroundColor") != "rgba(0, 0, 0, 0)"
    for title in (".highlight > .filename", "th.filename"):
        assert float(style(page, title, "paddingLeft").removesuffix("px")) > 10


@pytest.mark.usefixtures("article")
def test_the_button_of_the_list_of_pages_stays_where_it_is(open_page: Open) -> None:
    """Opening it on a phone shows the list below."""
    page = open_page(DOCS, size=NARROW)
    button = page.locator(".docs-drawer > summary")
    before = button.bounding_box()
    button.click()
    assert page.locator(".docs-drawer .docs-nav-list").first.is_visible()
    after = button.bounding_box()
    assert (after["x"], after["y"]) == pytest.approx((before["x"], before["y"]), abs=1)


def test_a_row_of_tabs_that_is_cut_has_a_shadow_at_its_edge(open_page: Open) -> None:
    """More tabs follow on a phone."""
    page = open_page("/catalog/default/component/booking", size=NARROW)
    drawn = style(page, ".tabs", "backgroundImage")
    assert drawn.count("linear-gradient") == 4


def test_marks_in_links_can_be_read_in_the_dark(open_page: Open) -> None:
    """The mark has the colour of text, not the link's."""
    page = open_page("/search?query=seat", color_scheme="dark")
    assert style(page, "a mark", "color") == style(page, "body", "color")


def test_the_relations_of_a_graph_are_no_box_that_scrolls(open_page: Open) -> None:
    """The table is as long as it is."""
    page = open_page("/graph?entity=component:default/ledger")
    table = page.locator("#table .table")
    cut = (
        "table => {let e = table; while ((e = e.parentElement) && e.tagName != 'MAIN')"
    )
    cut += " if (e.scrollHeight > e.clientHeight + 1) return true; return false}"
    assert not table.evaluate(cut)


def test_the_log_of_a_failed_run_is_open_at_its_end(
    open_page: Open, live_portal: Any
) -> None:
    """There the error is, and it has a colour."""
    lines = [log_line(f"line {number}") for number in range(90)]
    lines += [log_line("Warning: one"), log_line("NotFoundError: no room")]
    live_portal.api.runs[TASK] = (task("failed"), lines)
    page = open_page(f"/create/tasks/{TASK}")
    log = page.locator("#run-log")
    left = "e => e.scrollHeight - e.clientHeight - e.scrollTop"
    assert log.evaluate("e => e.scrollTop") > 0
    assert abs(log.evaluate(left)) < 2
    assert style(page, "#run-log .log-bad", "color") != style(page, "#run-log", "color")
    assert page.locator("#run-log .log-warn").count() == 1


@pytest.mark.parametrize("size", [WIDE, (320, 700)])
def test_a_run_has_its_columns_in_line_and_fits(
    open_page: Open, live_portal: Any, size: tuple[int, int]
) -> None:
    """Both headings stand at one height where there is room."""
    live_portal.api.runs[TASK] = (task("failed"), [log_line("one")])
    page = open_page(f"/create/tasks/{TASK}", size=size)
    tops = [
        page.locator(heading).evaluate("e => e.getBoundingClientRect().top")
        for heading in ("#steps-title", "#log-title")
    ]
    assert size[0] < 400 or tops[0] == pytest.approx(tops[1], abs=1)
    assert not page.evaluate(TOO_WIDE)
    widths = page.locator(".bar-list").first.evaluate(
        "e => [e.scrollWidth, e.clientWidth]"
    )
    assert widths[0] <= widths[1]
    assert page.locator(".bar-link:visible").last.bounding_box()["x"] < size[0] - 24


def test_an_icon_stands_at_the_first_line_of_a_long_name(open_page: Open) -> None:
    """Not in the middle of all lines; of a short name it is in the middle."""
    page = open_page("/catalog/default/component/booking")
    link = page.locator(".entity-link:has(svg)").first
    offset = """link => link.querySelector("svg").getBoundingClientRect().top
        - link.getBoundingClientRect().top"""
    short = link.evaluate(offset)
    link.locator("span").first.evaluate("e => e.textContent = 'word '.repeat(60)")
    assert link.bounding_box()["height"] > 60
    assert link.evaluate(offset) == pytest.approx(short, abs=1)


def test_a_focus_ring_is_not_cut_by_the_box_of_its_table(open_page: Open) -> None:
    """Outline and its distance fit between the link and the edge."""
    page = open_page("/catalog")
    room = """link => link.getBoundingClientRect().left
        - link.closest(".table-scroll").getBoundingClientRect().left"""
    assert page.locator(".table-scroll .name").first.evaluate(room) >= 4


def test_the_label_of_a_field_stays_below_the_top_line(open_page: Open) -> None:
    """When the browser scrolls to the field."""
    page = open_page("/create/templates/default/python-service", size=(1440, 400))
    field = page.locator(".field input:visible").first
    field.evaluate("e => document.querySelector('main').style.paddingBottom = '900px'")
    field.evaluate("e => {scrollTo(0, 900); e.scrollIntoView({block: 'nearest'})}")
    label = page.locator(".field-label").first.bounding_box()
    top = page.locator(".top").bounding_box()
    assert label["y"] >= top["y"] + top["height"]


def test_the_hint_of_a_key_is_not_shown_on_phones(open_page: Open) -> None:
    """There is no key to press."""
    page = open_page("/catalog", size=NARROW)
    assert page.locator(".search-box > kbd").is_hidden()
    page.set_viewport_size({"width": 1440, "height": 900})
    assert page.locator(".search-box > kbd").is_visible()
