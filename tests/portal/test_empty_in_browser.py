"""A portal with nothing in it, in a real Chromium: first steps, for everybody."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from services.portal.frame import Frame
from services.portal.router import make_portal
from tests.portal.browsing import SCREENS, TOO_WIDE, sign_in, violations
from tests.portal.company import GUEST
from tests.portal.conftest import served
from tests.portal.services import FakeServices
from tests.portal.stream import WithStream
from tests.portal.test_first_steps import OPERATOR, REGISTER

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = {
    "sign-in": ("/sign-in", None),
    "sign-in-wrong": ("/sign-in?wrong=token", None),
    "sign-in-unknown": ("/sign-in?text=nobody&wrong=user", None),
    "sign-in-typed": ("/sign-in?text=" + "long-name" * 30, None),
    "first-steps": ("/", OPERATOR),
    "first-steps-guest": ("/", GUEST),
    "catalog": ("/catalog", OPERATOR),
    "graph": ("/graph", OPERATOR),
    "docs": ("/docs", GUEST),
    "create": ("/create", GUEST),
    "register": ("/create/register", OPERATOR),
    "search": ("/search?query=seat", OPERATOR),
}


@pytest.fixture(scope="module")
def empty_portal(frame: Frame) -> Iterator[str]:
    """The address of a portal without an entity, where guests may not register."""
    api = FakeServices()
    api.hidden = set(api.entities)
    api.denied = {REGISTER}
    api.people, api.has_people = [], False
    app = WithStream()
    app.app = make_portal(api, frame=frame)
    with served(app) as url:
        yield url


@pytest.mark.parametrize("name", PAGES)
def test_empty_pages_are_accessible(
    browser: Any, empty_portal: str, artefacts: Path, name: str
) -> None:
    """No violation of axe's rules, nothing wider than the screen; pictures are kept."""
    path, subject = PAGES[name]
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce")
    if subject:
        sign_in(context, empty_portal, subject)
    page = context.new_page()
    for size, mode in SCREENS:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme=mode, reduced_motion="reduce")
        page.goto(empty_portal + path)
        page.screenshot(
            path=artefacts / f"empty-{name}-{size[0]}-{mode}.png", full_page=True
        )
        assert violations(page) == []
        assert not page.evaluate(TOO_WIDE)
    context.close()


def test_the_sign_in_token_can_be_typed(browser: Any, empty_portal: str) -> None:
    """A wrong one is reported at the field, the right one leads to the first steps."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{empty_portal}/sign-in")
    page.get_by_label("Token", exact=True).fill("guess")
    page.keyboard.press("Enter")
    expect(page.locator("#token-error")).to_contain_text("not a token of this")
    page.get_by_label("Token", exact=True).fill("the-token")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    context.close()
