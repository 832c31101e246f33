"""Diagrams of documentation in a real Chromium: drawn, harmless, and bounded."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from services.portal.frame import Frame
from services.portal.pages.diagrams import MODULES
from services.portal.router import make_portal
from tests.portal.browsing import sign_in
from tests.portal.conftest import served
from tests.portal.services import FakeServices
from tests.waiting import until_now

pytestmark = [pytest.mark.browser, pytest.mark.slow]

KEY = "default/component/booking"
BOOKING = f"/docs/{KEY}"
GOOD = "graph TD; Till--&gt;Hall;"
SLOW_TIMER = """() => {
    let last = performance.now();
    window.latest = 0;
    setInterval(() => {
        const now = performance.now();
        window.latest = Math.max(window.latest, now - last);
        last = now;
    }, 10);
}"""


def fence(text: str) -> str:
    return f'<pre class="mermaid"><code>{text}</code></pre>'


@pytest.fixture(scope="module")
def live_portal(frame: Frame) -> Iterator[Any]:
    if MODULES not in frame.assets:
        pytest.skip("set-up brought no modules of Mermaid")
    api = FakeServices()
    with served(make_portal(api, frame=frame)) as url:
        yield type("House", (), {"url": url, "api": api})


@pytest.fixture
def context(browser: Any, live_portal: Any) -> Iterator[Any]:
    """A browser signed in as Ann; `errors` of its pages and `requests` are kept."""
    browser_context = browser.new_context(viewport={"width": 1280, "height": 900})
    sign_in(browser_context, live_portal.url)
    yield browser_context
    browser_context.close()
    live_portal.api.articles.clear()


def test_a_diagram_is_a_picture_with_its_source(context: Any, live_portal: Any) -> None:
    """Drawn in both schemes without a foreign request; the source is collapsed."""
    live_portal.api.articles[KEY] = f"<h1>Booking</h1>{fence(GOOD)}"
    foreign: list[str] = []
    errors: list[str] = []
    page = context.new_page()
    page.on(
        "request",
        lambda one: (
            foreign.append(one.url)
            if not one.url.startswith((live_portal.url, "data:"))
            else None
        ),
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{live_portal.url}{BOOKING}/")
    picture = page.locator(".docs-diagram img")
    picture.wait_for(timeout=30_000)
    light = picture.get_attribute("src")
    assert light.startswith("data:image/svg+xml,%3Csvg")
    assert "Till" in light
    expect(page.locator(".docs-diagram-source")).not_to_have_attribute("open", "")
    assert "Till-->Hall" in page.locator(".docs-diagram-source code").text_content()
    page.emulate_media(color_scheme="dark")
    until_now(lambda: picture.get_attribute("src") != light, "the picture in the dark")
    assert (foreign, errors) == ([], [])


def test_a_diagram_runs_no_active_content(context: Any, live_portal: Any) -> None:
    """Neither scripts, handlers, links nor addresses of its text take effect."""
    attack = (
        "%%{init: {'securityLevel': 'loose', 'themeCSS': "
        "'* { background: url(/reached) }'}}%%\n"
        'graph TD\nA["&lt;img src=/reached onerror=alert(1)&gt;"]--&gt;B\n'
        'click B "javascript:alert(2)"\nclick A call alert(3)'
    )
    live_portal.api.articles[KEY] = f"<h1>Booking</h1>{fence(attack)}{fence(GOOD)}"
    reached: list[str] = []
    page = context.new_page()
    page.on("dialog", lambda dialog: (reached.append(dialog.message), dialog.dismiss()))
    page.on(
        "response",
        lambda answer: (
            reached.append(answer.url) if answer.url.endswith("/reached") else None
        ),
    )
    page.goto(f"{live_portal.url}{BOOKING}/")
    page.locator(".docs-diagram img").last.wait_for(timeout=30_000)
    assert page.locator(".docs-article svg, .docs-article script").count() == 0
    assert page.locator(".docs-diagram a").count() == 0
    frame = next(one for one in page.frames if one.url.endswith("/diagrams/frame"))
    assert frame.evaluate("origin") == "null"
    assert reached == []


def test_a_diagram_bomb_does_not_freeze_the_page(
    context: Any, live_portal: Any
) -> None:
    """Drawing is stopped in time, the source stays, and the page responds."""
    pairs = [(number * 7 % 60, number * 13 % 60) for number in range(279)]
    bomb = "graph TD\n" + "\n".join(f"n{a}--&gt;m{b}" for a, b in pairs)
    long = "graph TD\n" + "%% padding\n" * 2000 + GOOD
    live_portal.api.articles[KEY] = f"<h1>Booking</h1>{fence(long)}{fence(bomb)}"
    page = context.new_page()
    page.goto(f"{live_portal.url}{BOOKING}/")
    page.evaluate(SLOW_TIMER)
    notes = page.locator(".docs-diagram-note")
    expect(notes.first).to_contain_text("longer than 20000 characters")
    page.locator(".docs-diagram").last.scroll_into_view_if_needed()
    until_now(
        lambda: page.locator(".docs-diagram img").count() or notes.last.text_content(),
        "drawn or given up",
    )
    assert page.evaluate("window.latest") < 1500
    assert "n7" in page.locator(".docs-diagram-source code").last.text_content()


def test_a_diagram_shrinks_or_scrolls_on_a_small_screen(
    context: Any, live_portal: Any
) -> None:
    """It shrinks; a diagram that would be too small scrolls, by keyboard too."""
    words = "sequenceDiagram\n Browser-&gt;&gt;Gateway: GET /catalog"
    wide = "graph LR\n" + "--&gt;".join(f"Station{number}" for number in range(12))
    live_portal.api.articles[KEY] = f"<h1>Booking</h1>{fence(words)}{fence(wide)}"
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_portal.url}{BOOKING}/")
    pictures = page.locator(".docs-diagram img")
    pictures.first.wait_for(timeout=30_000)
    stages = page.locator(".docs-diagram-stage")
    stages.last.scroll_into_view_if_needed()
    expect(pictures).to_have_count(2, timeout=30_000)
    assert pictures.first.evaluate("one => one.width < one.getAttribute('width')")
    over = "one => one.scrollWidth - one.clientWidth"
    assert stages.first.evaluate(over) == 0
    assert stages.last.evaluate(over) > 0
    expect(stages.last).to_have_attribute("tabindex", "0")
    expect(stages.first).not_to_have_attribute("tabindex", "0")
    page.set_viewport_size({"width": 240, "height": 844})
    expect(stages.first).to_have_attribute("tabindex", "0")


def test_a_diagram_error_shows_its_position(context: Any, live_portal: Any) -> None:
    """The mark is below the character it points at, as the parser wrote it."""
    wrong = "graph LR\n A --&gt; --&gt; B["
    live_portal.api.articles[KEY] = f"<h1>Booking</h1>{fence(wrong)}"
    page = context.new_page()
    page.goto(f"{live_portal.url}{BOOKING}/")
    error = page.locator(".docs-diagram-error")
    error.wait_for(timeout=30_000)
    lines = error.inner_text().splitlines()
    assert lines[0].startswith("Parse error on line 2")
    assert lines[2].strip("-") == "^"
    assert error.evaluate("one => getComputedStyle(one).fontFamily").endswith(
        "monospace"
    )


def test_a_diagram_without_scripts_shows_its_source(
    browser: Any, live_portal: Any
) -> None:
    """A reader without scripts reads the text of the diagram."""
    live_portal.api.articles[KEY] = f"<h1>Booking</h1>{fence(GOOD)}"
    bare = browser.new_context(java_script_enabled=False)
    sign_in(bare, live_portal.url)
    page = bare.new_page()
    page.goto(f"{live_portal.url}{BOOKING}/")
    expect(page.locator("pre.mermaid")).to_contain_text("Till-->Hall")
    bare.close()
    live_portal.api.articles.clear()


def test_pages_without_diagrams_load_nothing_for_them(
    context: Any, live_portal: Any
) -> None:
    """Neither the modules nor the right to have frames."""
    page = context.new_page()
    urls: list[str] = []
    page.on("request", lambda one: urls.append(one.url))
    answer = page.goto(f"{live_portal.url}{BOOKING}/")
    page.locator(".docs-copy").wait_for(state="attached")
    assert "frame-src" not in answer.headers["content-security-policy"]
    assert not [url for url in urls if "mermaid" in url or "diagram" in url]
