"""How the pages look in a real Chromium: accessibility, narrow screens, themes."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.portal.browsing import (
    BOOKING,
    NARROW,
    TOO_WIDE,
    WIDE,
    Open,
    sign_in,
    violations,
)
from tests.portal.company import GUEST

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES = {
    "home": "/",
    "catalog": "/catalog?type=service",
    "entity": BOOKING,
    "entity-errors": "/catalog/default/component/basket",
    "group": "/catalog/default/group/payments-team",
    "dependencies": "/catalog/default/component/checkout/dependencies",
    "api": "/catalog/default/api/booking-api/api",
    "activity": f"{BOOKING}/activity",
    "raw": f"{BOOKING}/raw",
    "unregister": f"{BOOKING}/unregister",
    "graph": "/graph",
    "graph-focus": "/graph?entity=component:default/ledger",
    "impact": "/graph?entity=component:default/ledger&show=impact",
    "styleguide": "/styleguide",
    "not-found": "/nothing",
    "removed": f"{BOOKING}/removed?returns=1",
}
# Each page wide and light; narrow and dark those that differ most in shape.
SHAPES = ("home", "catalog", "entity", "dependencies", "graph", "styleguide")
SCREENS = [(name, WIDE, False) for name in PAGES] + [
    (name, NARROW, True) for name in SHAPES
]


@pytest.mark.parametrize(("name", "size", "dark"), SCREENS)
def test_pages_are_accessible(
    browser: Any,
    live_portal: Any,
    artefacts: Path,
    name: str,
    size: tuple[int, int],
    dark: bool,
) -> None:
    """No violation of axe's rules, nothing wider than the screen; a picture is kept."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        bypass_csp=True,  # axe itself is an injected script
        reduced_motion="reduce",
    )
    sign_in(context, live_portal.url)
    page = context.new_page()
    page.goto(live_portal.url + PAGES[name])
    mode = "dark" if dark else "light"
    page.screenshot(path=artefacts / f"{name}-{size[0]}-{mode}.png")
    too_wide = page.evaluate(TOO_WIDE)
    broken_rules = violations(page)
    context.close()
    assert broken_rules == []
    assert not too_wide


def test_the_theme_changes_at_once_and_stays(open_page: Open) -> None:
    """No new page is needed, and the next one is as chosen."""
    page = open_page("/catalog")
    page.get_by_label("Ann Becker: settings and sign-out").click()
    with page.expect_response("**/preferences"):
        page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == (
        "dark"
    )


def test_a_scrollable_picture_has_a_shadow_at_its_edges(open_page: Open) -> None:
    """In colours of both themes."""
    page = open_page("/catalog/default/component/booking", size=(390, 844))
    box = page.locator(".picture").first
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    drawn = box.evaluate("box => getComputedStyle(box).backgroundImage")
    moving = box.evaluate("box => getComputedStyle(box).backgroundAttachment")
    assert drawn.count("linear-gradient") == 4
    assert moving.count("local") == moving.count("scroll") - 1 == 2


def test_a_guest_on_a_phone_can_reach_everything(open_page: Open) -> None:
    """The bar is at the bottom, its targets are large enough for fingers."""
    page = open_page("/", size=NARROW, subject=GUEST)
    for link in page.locator(".bar-link:visible").all():
        box = link.bounding_box()
        assert box["height"] >= 24
        assert box["width"] >= 24
    page.locator(".bar-link", has_text="Catalog").click()
    page.get_by_text("Filters").click()
    expect(page.get_by_label("service")).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_remaining_entities_after_unregistering_fit_the_page(
    open_page: Open, live_portal: Any, artefacts: Path, size: tuple[int, int]
) -> None:
    """Long addresses and names wrap, on a phone too; no violation of axe's rules."""
    remaining = {
        "location": f"url:https://git.playhouse.example/{'long-' * 20}/all.yaml",
        "providers": ["git:every-repository", "config"],
        "totalEntities": 12,
        "entityRefs": [f"component:default/{'part-' * 11}{n:02}" for n in range(12)],
    }
    live_portal.api.remaining = [
        {**remaining, "returns": False},
        {**remaining, "returns": True, "providers": ["registered"]},
    ]
    try:
        page = open_page(f"{BOOKING}/unregister", size=size)
    finally:
        live_portal.api.remaining = []
    page.screenshot(path=artefacts / f"unregister-{size[0]}.png", full_page=True)
    expect(page.get_by_text("12 entities stay")).to_be_visible()
    expect(page.get_by_text("and 4 more")).to_have_count(2)
    width = "document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(width) <= 0
