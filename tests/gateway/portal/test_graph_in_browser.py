"""The graph of relations in a real Chromium."""

import pytest

from tests.gateway.portal.browsing import Open
from tests.waiting import until_now

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_graph_zooms_and_leads_on(opened: Open) -> None:
    """Buttons and keys make it larger; a box asks about its entity."""
    page = opened("/graph?entity=component:default/booking")
    svg = page.locator("svg.graph")
    before = svg.bounding_box()["width"]
    page.get_by_role("button", name="Larger").click()
    until_now(lambda: svg.bounding_box()["width"] > before * 1.2)
    page.locator("[data-zoom]").focus()
    page.keyboard.press("0")
    until_now(lambda: svg.bounding_box()["width"] <= before * 1.01)
    page.locator("svg.graph a", has_text="Seat map").first.click()
    page.wait_for_url("**/graph?entity=component:default/seat-map*")
