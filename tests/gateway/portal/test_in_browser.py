"""The pages in a real Chromium: accessibility, keys, live changes, narrow screens."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import axe_core_python
import pytest
from playwright.sync_api import Error, expect

from tests.gateway.portal.conftest import ANN, GUEST
from tests.gateway.portal.house import history
from tests.waiting import until_now

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(axe_core_python.__file__).with_name("axe.min.js")
WIDE, NARROW = (1440, 900), (390, 844)
BOOKING = "/catalog/default/component/booking"
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
LOOKS = [(name, WIDE, False) for name in PAGES] + [
    (name, NARROW, True) for name in SHAPES
]
Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, live_house: Any) -> Iterator[Open]:
    """Opens a page as somebody; fails if the page's scripts raise."""
    contexts = []
    mistakes: list[str] = []

    def go(
        path: str,
        *,
        size: tuple[int, int] = WIDE,
        dark: bool = False,
        subject: str | None = ANN,
        scripts: bool = True,
    ) -> Any:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )
        contexts.append(context)
        if subject:
            cookie = {"name": "callboard_session", "value": subject}
            context.add_cookies([{**cookie, "url": live_house.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        page.on("console", lambda said: _refused(said.text, mistakes))
        page.goto(live_house.url + path)
        return page

    yield go
    for context in contexts:
        context.close()
    until_now(lambda: not live_house.stream.readers, what="nobody listens any more")
    assert mistakes == []


def _refused(text: str, mistakes: list[str]) -> None:
    if "Content Security Policy" in text:
        mistakes.append(text)


def violations(page: Any) -> list[str]:
    page.add_script_tag(path=str(AXE)) if not page.evaluate("'axe' in window") else None
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(("name", "size", "dark"), LOOKS)
def test_pages_are_for_everybody(
    browser: Any,
    live_house: Any,
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
    cookie = {"name": "callboard_session", "value": ANN, "url": live_house.url}
    context.add_cookies([cookie])
    page = context.new_page()
    page.goto(live_house.url + PAGES[name])
    mode = "dark" if dark else "light"
    page.screenshot(path=artefacts / f"{name}-{size[0]}-{mode}.png")
    too_wide = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    found = violations(page)
    context.close()
    assert found == []
    assert not too_wide


def test_the_sign_in_page_works_by_keyboard(opened: Open) -> None:
    """Type a name, Tab to the person, Enter, and be there."""
    page = opened("/sign-in?next=/graph", subject=None)
    page.get_by_label("Find a person").fill("dmitri")
    expect(page.locator(".people li")).to_have_count(1)
    page.get_by_label("Find a person").press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/graph")
    expect(page.locator("h1")).to_have_text("Relations")


def test_typing_narrows_the_catalog_and_keeps_the_box(opened: Open) -> None:
    """The list follows the keys; focus, text and address are kept."""
    page = opened("/catalog")
    box = page.get_by_label("Narrow by name or description")
    box.click()
    page.keyboard.type("seat", delay=15)
    expect(page.locator("[data-row]")).to_have_count(2)
    page.wait_for_url("**text=seat")
    expect(box).to_have_value("seat")
    expect(box).to_be_focused()


def test_ticks_go_into_the_address_and_back_takes_them_out(opened: Open) -> None:
    """A shared address shows the same list; the back button undoes a tick."""
    page = opened("/catalog")
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


def test_the_catalog_works_without_scripts(opened: Open) -> None:
    """It is a form with a button, and links."""
    page = opened("/catalog", scripts=False)
    page.get_by_label("Narrow by name or description").fill("auditorium")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    page.get_by_role("link", name="APIs").click()
    expect(page.locator("h1")).to_have_text("Catalog")


def test_the_keyboard_goes_everywhere(opened: Open) -> None:
    """`g c`, `j`, `k`, Enter, `/`, `?` do what the list of keys says."""
    page = opened("/")
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
    assert page.url.endswith("/basket")


def test_the_first_tab_stop_skips_to_the_content(opened: Open) -> None:
    """And shows where the focus is."""
    page = opened("/catalog")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**#content")


def test_the_theme_changes_at_once_and_stays(opened: Open) -> None:
    """No new page is needed, and the next one is as chosen."""
    page = opened("/catalog")
    page.get_by_label("Ann Becker: settings and sign-out").click()
    with page.expect_response("**/preferences"):
        page.get_by_role("button", name="Dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == (
        "dark"
    )


def test_a_change_swaps_its_part_and_says_who(opened: Open, live_house: Any) -> None:
    """The open page changes by itself; what did not change is not touched."""
    ref = "component:default/ledger"
    entity = live_house.api.entities[ref]
    before = deepcopy(entity)
    page = opened("/catalog/default/component/ledger")
    until_now(lambda: live_house.stream.readers, what="the page listens")
    page.evaluate("document.getElementById('about').dataset.kept = 'yes'")
    entity["metadata"]["description"] = "Written a moment ago"
    past = history(ref)
    past[0]["cause"]["subject"] = "Explain the ledger"
    live_house.api.histories[ref] = past
    cause = {"author": "Carla Ruiz", "subject": "Explain the ledger"}
    data = {"entity_ref": ref, "actor": "user:default/carla", "cause": cause}
    live_house.stream.tell("entity-changed", data)
    page.get_by_text("Updated just now by Carla Ruiz: Explain the ledger").wait_for()
    expect(page.get_by_text("Written a moment ago")).to_be_visible()
    expect(page.locator("#latest").get_by_text("Explain the ledger")).to_be_visible()
    expect(page.locator("#entity-head")).to_have_class(re.compile("fresh"))
    expect(page.locator("#about")).not_to_have_class(re.compile("fresh"))
    live_house.api.entities[ref] = before


def test_what_happens_before_the_page_listens_is_not_missed(
    opened: Open, live_house: Any
) -> None:
    """A page listens from where the stream stood when it was read."""
    ref = "component:default/ledger"
    entity = live_house.api.entities[ref]
    before = deepcopy(entity)
    page = opened("/styleguide")
    held: list[Any] = []
    page.route("**/api/events/stream*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
    page.goto(f"{live_house.url}/catalog/default/component/ledger")
    entity["metadata"]["description"] = "Written before it listened"
    live_house.stream.tell("entity-changed", {"entity_ref": ref, "cause": {}})
    until_now(lambda: page.wait_for_timeout(10) or held, what="the page asks")
    held[0].continue_()
    page.get_by_text("Written before it listened").wait_for()
    live_house.api.entities[ref] = before


def test_what_is_selected_is_not_swapped_away(opened: Open, live_house: Any) -> None:
    """Somebody who reads or copies keeps what they have under their eyes."""
    ref = "component:default/refunds"
    entity = live_house.api.entities[ref]
    before = deepcopy(entity)
    page = opened("/catalog/default/component/refunds")
    until_now(lambda: live_house.stream.readers, what="the page listens")
    page.locator("#entity-head .lead").select_text()
    entity["metadata"]["description"] = "Another text"
    entity["metadata"]["tags"] = ["fresh-tag"]
    live_house.stream.tell("entity-changed", {"entity_ref": ref, "cause": {}})
    page.get_by_text("fresh-tag").wait_for()
    expect(page.locator("#entity-head .lead")).to_have_text("Does what its name says.")
    live_house.api.entities[ref] = before


def test_a_list_follows_the_catalog_and_moves_nothing(
    opened: Open, live_house: Any
) -> None:
    """A changed row changes where it stands; new ones wait until they are asked for."""
    entities = live_house.api.entities
    before = deepcopy(entities["component:default/ledger"])
    page = opened("/catalog?type=service")
    until_now(lambda: live_house.stream.readers, what="the page listens")
    row = page.locator("[data-row]", has_text="Ledger")
    place = row.bounding_box()
    entities["component:default/ledger"]["metadata"]["description"] = "Anew"
    made = deepcopy(before)
    made["metadata"] |= {"name": "aaa", "title": "Aaa"}
    entities["component:default/aaa"] = made
    live_house.stream.tell("entity-changed", {"entity_ref": "component:default/aaa"})
    expect(row).to_contain_text("Anew")
    expect(row).to_have_class(re.compile("fresh"))
    button = page.get_by_role("button", name="1 new – show")
    expect(button).to_be_visible()
    assert row.bounding_box() == place
    expect(page.locator("[data-row]", has_text="Aaa")).to_have_count(0)
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("scrollTo(0, 0)")
        tabs = page.locator(".tabs").bounding_box()
        # The tabs can be pressed: the button lies below them, on the window's foot.
        assert button.bounding_box()["y"] > tabs["y"] + tabs["height"]
    button.click()
    expect(page.locator("[data-row]", has_text="Aaa")).to_have_count(1)
    expect(page.get_by_role("link", name="Aaa")).to_be_focused()
    expect(button).to_be_hidden()
    del entities["component:default/aaa"]
    entities["component:default/ledger"] = before


def test_a_picture_that_is_cut_has_a_shadow_at_its_edges(opened: Open) -> None:
    """So that one sees that it can be scrolled: in colours of both looks."""
    page = opened("/catalog/default/component/booking", size=(390, 844))
    box = page.locator(".picture").first
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    drawn = box.evaluate("box => getComputedStyle(box).backgroundImage")
    moving = box.evaluate("box => getComputedStyle(box).backgroundAttachment")
    assert drawn.count("linear-gradient") == 4
    assert moving.count("local") == moving.count("scroll") - 1 == 2


def test_suggestions_are_walked_by_keys(opened: Open, live_house: Any) -> None:
    """Arrow down chooses, Enter opens, Escape closes."""
    page = opened("/catalog")
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


def test_a_late_answer_does_not_change_what_is_chosen(
    opened: Open, live_house: Any
) -> None:
    """Who walks the suggestions opens the one that they saw."""
    page = opened("/catalog")
    body = '<a role="option" id="suggestion-1" href="{}"><span>One</span></a>'
    held: list[Any] = []

    def answer(route: Any) -> None:
        if route.request.url.endswith("=b"):
            route.fulfill(body=body.format(f"{BOOKING}?early"))
        else:
            held.append(route)

    page.route("**/search/suggest*", answer)
    page.keyboard.press("/")
    page.keyboard.type("b")
    page.locator("#suggestion-1").wait_for()
    page.keyboard.type("o")
    until_now(lambda: page.wait_for_timeout(10) or held, what="the second question")
    page.keyboard.press("ArrowDown")
    with suppress(Error):  # given up by the page already
        held[0].fulfill(body=body.format(f"{BOOKING}?late"))
    expect(page.locator("#suggestion-1")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"booking\?early$"))


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


def test_a_guest_on_a_phone_reaches_everything(opened: Open) -> None:
    """The bar is at the bottom, its targets are large enough for fingers."""
    page = opened("/", size=NARROW, subject=GUEST)
    for link in page.locator(".bar-link:visible").all():
        box = link.bounding_box()
        assert box["height"] >= 24
        assert box["width"] >= 24
    page.locator(".bar-link", has_text="Catalog").click()
    page.get_by_text("Filters").click()
    expect(page.get_by_label("service")).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_what_stays_after_unregistering_fits_the_page(
    opened: Open, live_house: Any, artefacts: Path, size: tuple[int, int]
) -> None:
    """Long addresses and names wrap, on a phone too; no violation of axe's rules."""
    remainder = {
        "location": f"url:https://git.playhouse.example/{'long-' * 20}/all.yaml",
        "providers": ["git:every-repository", "config"],
        "totalEntities": 12,
        "entityRefs": [f"component:default/{'part-' * 11}{n:02}" for n in range(12)],
    }
    live_house.api.remainders = [
        {**remainder, "returns": False},
        {**remainder, "returns": True, "providers": ["registered"]},
    ]
    try:
        page = opened(f"{BOOKING}/unregister", size=size)
    finally:
        live_house.api.remainders = []
    page.screenshot(path=artefacts / f"unregister-{size[0]}.png", full_page=True)
    expect(page.get_by_text("12 entities stay")).to_be_visible()
    expect(page.get_by_text("and 4 more")).to_have_count(2)
    width = "document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(width) <= 0
