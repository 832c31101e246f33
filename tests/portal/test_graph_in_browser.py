"""The graph of relations in a real Chromium."""

import pytest

from tests.portal.browsing import Open
from tests.waiting import until_now

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_graph_zooms_and_its_boxes_are_links(open_page: Open) -> None:
    """Buttons and keys make it larger; a box leads to the graph of its entity."""
    page = open_page("/graph?entity=component:default/booking")
    svg = page.locator("svg.graph")
    before = svg.bounding_box()["width"]
    page.get_by_role("button", name="Larger").click()
    until_now(lambda: svg.bounding_box()["width"] > before * 1.2)
    page.locator("[data-zoom]").focus()
    page.keyboard.press("0")
    until_now(lambda: svg.bounding_box()["width"] <= before * 1.01)
    page.locator("svg.graph a", has_text="Seat map").first.click()
    page.wait_for_url("**/graph?entity=component:default/seat-map*")


#: Pairs of words with words or boxes that they cover in part.
COVERED = """(() => {
    const part = (one, other) =>
        Math.min(one.right, other.right) - Math.max(one.left, other.left) > 0.5 &&
        Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 0.5;
    const area = element => element.getBoundingClientRect();
    const words = [...document.querySelectorAll('.graph .edge-label')];
    const others = [...words, ...document.querySelectorAll('.graph .node rect')];
    return words.flatMap(one => others
        .filter(other => other !== one && part(area(one), area(other)))
        .map(other => [one.textContent, other.textContent]));
})()"""


@pytest.mark.parametrize(
    "path",
    [
        "/graph?entity=component:default/ledger&show=impact",
        "/graph?entity=group:default/box-office-team",
        "/graph?entity=component:default/booking&direction=needs-it&depth=2",
        "/catalog/default/component/checkout/dependencies",
    ],
)
def test_arrow_labels_cover_nothing(open_page: Open, path: str) -> None:
    """As the browser draws them, whatever its font."""
    page = open_page(path)
    assert page.locator(".graph .edge-label").count() > 0
    assert page.evaluate(COVERED) == []
