"""Text of people that has no place to break at: it breaks anywhere, on every page."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.portal.frame import Frame
from services.portal.router import make_portal
from tests.portal import test_looks_in_browser, test_pages_in_browser
from tests.portal.browsing import NARROW, TOO_WIDE, WIDE, sign_in
from tests.portal.conftest import served
from tests.portal.services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ARN = "arn:aws:iam::123456789012:role/aws-service-role/eks.example.com/ServiceRole"
NAME = "customerIdentificationNumberOfTheAccountHolderInTheRegion"
WORDS = "A choice of many words that goes on and on, " * 4
TEXT = {"type": "string"}
CODE = f"Write it so:\n\n    role = {ARN * 3}\n\nor see https://wiki.example/{NAME * 2}"
QUESTIONS: dict[str, Any] = {
    NAME: TEXT,
    f"{NAME}Object": {"type": "object", "properties": {NAME: TEXT}},
    f"{NAME}List": {"type": "array", "items": {"type": "object"}, "minItems": 1},
    "checkboxes": {
        "type": "array",
        "items": {**TEXT, "enum": [ARN, WORDS]},
        "ui:widget": "checkboxes",
    },
    "radio": {**TEXT, "enum": [ARN, WORDS], "ui:widget": "radio"},
    "select": {**TEXT, "enum": [ARN, WORDS], "ui:widget": "select", "default": ARN},
    "title": {**TEXT, "title": WORDS * 4},
    "described": {**TEXT, "description": CODE},
    "truth": {"type": "boolean", "title": f"enable_{ARN}", "description": CODE},
    "constant": {**TEXT, "title": NAME, "const": ARN},
    "nothing": {"type": "null", "title": ARN, "description": CODE},
    "fixed": {**TEXT, "readOnly": True, "default": ARN * 2},
    "lines": {"type": "array", "items": TEXT, "default": [ARN, ARN]},
    "strict": {**TEXT, "pattern": f"^{'[a-z0-9]' * 20}$"},
    "repository": {**TEXT, "title": ARN, "ui:field": "RepoUrlPicker"},
    "owner": {**TEXT, "title": ARN, "ui:field": "OwnerPicker"},
}
FORM = "/create/templates/default/python-service"
FORM_QUERIES = ("", "page=0&go=next", "page=1", "page=0&go=next&p.strict=X")
#: Makes one long word of each text of the page, but not of the portal's own: keys,
#: counts, and what CSS keeps on one line or at its width.
ONE_LONG_WORD = """() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const own = 'script, style, svg, kbd, .count, .error-search, .visually-hidden';
    while (texts.nextNode()) {
        const text = texts.currentNode, parent = text.parentElement;
        if (!text.data.trim() || parent.closest(own)) continue;
        if (/^(nowrap|pre)$/.test(getComputedStyle(parent).whiteSpace)) continue;
        text.data = 'unbroken'.repeat(25);
    }
}"""
#: The elements that reach over the right edge of the screen, outermost first.
OVER_THE_EDGE = """() => [...document.querySelectorAll('main *')]
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 4).map(one => `${one.tagName}.${one.className}`)"""
PAGES = {
    **test_looks_in_browser.PAGES,
    **test_pages_in_browser.PAGES,
    "sign-in": "/sign-in",
}


@pytest.fixture(scope="module")
def services() -> FakeServices:
    """All services that the portal asks."""
    return test_pages_in_browser.every_service()


@pytest.fixture(scope="module")
def portal_url(frame: Frame, services: FakeServices) -> Iterator[str]:
    """The address of a running portal over the services."""
    app = test_pages_in_browser.WithRuns()
    app.app = make_portal(services, frame=frame)
    with served(app) as url:
        yield url


@pytest.fixture(scope="module")
def page(browser: Any, portal_url: str) -> Iterator[Any]:
    """One page for all tests, signed in as Ann."""
    context = browser.new_context(base_url=portal_url)
    sign_in(context, portal_url)
    yield context.new_page()
    context.close()


def too_wide(page: Any) -> list[tuple[int, list[str]]]:
    """The widths of screens that the page does not fit, with what is too wide there."""
    widths = []
    for width, height in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": height})
        if page.evaluate(TOO_WIDE):
            widths.append((width, page.evaluate(OVER_THE_EDGE)))
    return widths


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_question_makes_a_form_wider(
    page: Any, services: FakeServices, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Names, titles, choices and defaults break; so do the steps and the review."""
    schema = {"title": NAME * 2, "properties": {name: QUESTIONS[name]}}
    steps = [{"title": NAME * 2, "schema": schema}]
    monkeypatch.setattr(services, "steps", steps)
    for query in FORM_QUERIES:
        assert page.goto(f"{FORM}?{query}").status in {200, 422}
        assert too_wide(page) == [], query


@pytest.mark.parametrize("name", PAGES)
def test_no_text_makes_a_page_wider(page: Any, name: str) -> None:
    """Each text of the page is one long word, and everything that opens is open."""
    page.goto(PAGES[name])
    page.evaluate("document.querySelectorAll('main details').forEach(e => e.open = 1)")
    page.evaluate(ONE_LONG_WORD)
    assert too_wide(page) == []
    page.goto("about:blank")  # or it would listen on


def test_a_dialog_breaks_long_words(page: Any) -> None:
    """It neither grows nor scrolls to the side."""
    page.goto("/")
    page.evaluate("document.querySelector('#shortcuts').showModal()")
    page.evaluate(ONE_LONG_WORD)
    for screen_width, height in (WIDE, NARROW):
        page.set_viewport_size({"width": screen_width, "height": height})
        sides = "dialog => [dialog.scrollWidth, dialog.clientWidth]"
        content_width, width = page.locator("#shortcuts").evaluate(sides)
        assert content_width <= width
