"""What style sheets say of single things, as a real Chromium computes it."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.portal.frame import Frame
from services.portal.router import make_portal
from tests.portal.browsing import NARROW, Open, visits
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
    assert float(style(page, ".filename", "paddingLeft").removesuffix("px")) > 10


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
