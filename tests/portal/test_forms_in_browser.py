"""Errors of a form in a real Chromium: the browser's words are the server's."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from services.portal.frame import Frame
from services.portal.router import make_portal
from tests.portal.browsing import Open, visits
from tests.portal.conftest import served
from tests.portal.services import FakeServices
from tests.portal.stream import WithStream
from tests.portal.test_forms import draft

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FORM = "/create/templates/default/python-service"
TEXT = {"type": "string"}
QUESTIONS: dict[str, Any] = {
    "wanted": TEXT,
    "name": {**TEXT, "ui:field": "EntityNamePicker"},
    "code": {**TEXT, "pattern": "^[a-c]+$"},
    "mail": {**TEXT, "format": "email"},
    "home": {**TEXT, "format": "uri"},
    "short": {**TEXT, "minLength": 3},
    "size": {"type": "integer", "minimum": 2},
}
SCHEMA = {"properties": QUESTIONS, "required": ["wanted"]}
WRONG = {
    "wanted": "",
    "name": "-x-",
    "code": "xyz",
    "mail": "nobody",
    "home": "nowhere",
    "short": "ab",
    "size": "1",
}


@pytest.fixture(scope="module")
def portal_url(frame: Frame) -> Iterator[str]:
    """A running portal, whose template asks the questions above."""
    services = FakeServices()
    services.steps = [{"title": "One", "schema": SCHEMA}]
    app = WithStream()
    app.app = make_portal(services, frame=frame)
    with served(app) as url:
        yield url


@pytest.fixture
def open_page(browser: Any, portal_url: str) -> Iterator[Open]:
    """Opens pages as Ann; fails if the page's scripts raise or are refused."""
    with visits(browser, portal_url) as open_page:
        yield open_page


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_browser_says_what_the_server_says(open_page: Open, name: str) -> None:
    """Before the form is sent, at the same field."""
    page = open_page(FORM)
    page.locator("#f-wanted").fill("x")
    page.locator(f"#f-{name}").fill(WRONG[name])
    page.get_by_role("button", name="Review").click()
    errors = draft(SCHEMA, f"p.wanted=x&p.{name}={WRONG[name]}").pages[0].errors
    expect(page.locator(f"#f-{name}-error")).to_have_text(errors[(name,)])
    assert "go=next" not in page.url
