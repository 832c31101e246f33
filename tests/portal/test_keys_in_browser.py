"""The keyboard in a real Chromium: signing in, going everywhere, suggestions."""

import re
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Error, expect

from tests.portal.browsing import BOOKING, Open
from tests.waiting import until_now

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_sign_in_page_works_by_keyboard(open_page: Open) -> None:
    """Type a name, Tab to the person, Enter, and be there."""
    page = open_page("/sign-in?next=/graph", subject=None)
    page.get_by_label("Find a person").fill("dmitri")
    expect(page.locator(".people li")).to_have_count(1)
    page.get_by_label("Find a person").press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/graph")
    expect(page.locator("h1")).to_have_text("Graph")


def test_keyboard_shortcuts_reach_every_page(open_page: Open) -> None:
    """`g c`, `j`, `k`, Enter, `/`, `?` do what the list of keys says."""
    page = open_page("/")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/catalog")
    for key in "jjk":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/catalog/default/component/basket")
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("g c")
    expect(page.locator("#search")).to_have_value("g c")
    assert page.url.endswith("/basket")


def test_the_first_tab_stop_skips_to_the_content(open_page: Open) -> None:
    """And shows where the focus is."""
    page = open_page("/catalog")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**#content")


def test_suggestions_are_selected_by_keys(open_page: Open, live_portal: Any) -> None:
    """Arrow down chooses, Enter opens, Escape closes."""
    page = open_page("/catalog")
    body = "".join(
        f'<a class="suggestion" role="option" id="suggestion-{n}" href="{BOOKING}?{n}">'
        f"<span>Booking {n}</span></a>"
        for n in (1, 2)
    )
    page.route("**/search/suggest*", lambda route: route.fulfill(body=body))
    page.keyboard.press("/")
    page.keyboard.type("boo")
    page.locator("#suggestion-2").wait_for()
    box = page.locator("#search")
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "suggestion-2")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"booking\?2$"))


def test_a_late_response_does_not_change_the_selection(
    open_page: Open, live_portal: Any
) -> None:
    """A reader opens the suggestion that they selected."""
    page = open_page("/catalog")
    body = '<a role="option" id="suggestion-1" href="{}"><span>One</span></a>'
    routes: list[Any] = []

    def answer(route: Any) -> None:
        if route.request.url.endswith("=b"):
            route.fulfill(body=body.format(f"{BOOKING}?early"))
        else:
            routes.append(route)

    page.route("**/search/suggest*", answer)
    page.keyboard.press("/")
    page.keyboard.type("b")
    page.locator("#suggestion-1").wait_for()
    page.keyboard.type("o")
    until_now(
        lambda: page.wait_for_timeout(10) or routes, condition="the second question"
    )
    page.keyboard.press("ArrowDown")
    with suppress(Error):  # given up by the page already
        routes[0].fulfill(body=body.format(f"{BOOKING}?late"))
    expect(page.locator("#suggestion-1")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"booking\?early$"))
