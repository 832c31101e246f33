"""The catalog's list in a real Chromium: narrowed by typing and ticks."""

import pytest
from playwright.sync_api import expect

from tests.portal.browsing import Open

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_typing_filters_the_catalog_and_keeps_the_focus(open_page: Open) -> None:
    """The list follows the keys; focus, text and address are kept."""
    page = open_page("/catalog")
    box = page.get_by_label("Filter by name or description")
    box.click()
    page.keyboard.type("seat", delay=15)
    expect(page.locator("[data-row]")).to_have_count(2)
    page.wait_for_url("**text=seat")
    expect(box).to_have_value("seat")
    expect(box).to_be_focused()


def test_ticked_filters_are_in_the_address_and_history(open_page: Open) -> None:
    """A shared address shows the same list; the back button undoes a tick."""
    page = open_page("/catalog")
    page.get_by_role("checkbox", name="library").check()
    page.wait_for_url("**/catalog?type=library")
    expect(page.locator("[data-row]")).to_have_count(2)
    page.get_by_role("checkbox", name="Platform").check()
    page.wait_for_url("**owner=group:default/platform-team")
    expect(page.locator("[data-row]")).to_have_count(1)
    page.go_back()
    page.wait_for_url("**/catalog?type=library")
    expect(page.locator("[data-row]")).to_have_count(2)
    expect(page.get_by_role("checkbox", name="library")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Platform")).not_to_be_checked()


def test_the_catalog_works_without_scripts(open_page: Open) -> None:
    """It is a form with a button, and links."""
    page = open_page("/catalog", scripts=False)
    page.get_by_label("Filter by name or description").fill("auditorium")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    page.get_by_role("link", name="APIs").click()
    expect(page.locator("h1")).to_have_text("Catalog")
