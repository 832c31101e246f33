"""Open pages in a real Chromium that follow what changes."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.portal.browsing import Open
from tests.portal.company import history
from tests.waiting import until_now

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Entities = dict[str, Any]


@pytest.fixture
def entities(live_portal: Any) -> Iterator[Entities]:
    """The entities of the portal; what a test changes of them is undone after it."""
    current: Entities = live_portal.api.entities
    before = deepcopy(current)
    yield current
    for ref in current.keys() - before.keys():
        del current[ref]
    current.update(before)


@pytest.fixture
def open_following(open_page: Open, live_portal: Any) -> Open:
    """Opens a page and waits until it follows the stream."""

    def open_and_follow(path: str) -> Any:
        page = open_page(path)
        until_now(lambda: live_portal.stream.readers, condition="the page listens")
        return page

    return open_and_follow


def tell_change(live_portal: Any, ref: str, **data: Any) -> None:
    """Send the event of a changed entity to all open pages."""
    live_portal.stream.tell("entity-changed", {"entity_ref": ref, "cause": {}, **data})


def test_a_change_updates_its_fragment_and_names_the_actor(
    entities: Entities, open_following: Open, live_portal: Any
) -> None:
    """The open page changes by itself; unchanged parts are not touched."""
    ref = "component:default/ledger"
    entity = entities[ref]
    page = open_following("/catalog/default/component/ledger")
    page.evaluate("document.getElementById('about').dataset.kept = 'yes'")
    entity["metadata"]["description"] = "Written a moment ago"
    past = history(ref)
    past[0]["cause"]["subject"] = "Explain the ledger"
    live_portal.api.histories[ref] = past
    cause = {"author": "Carla Ruiz", "subject": "Explain the ledger"}
    tell_change(live_portal, ref, actor="user:default/carla", cause=cause)
    page.get_by_text("Updated just now by Carla Ruiz: Explain the ledger").wait_for()
    expect(page.get_by_text("Written a moment ago")).to_be_visible()
    expect(page.locator("#latest").get_by_text("Explain the ledger")).to_be_visible()
    expect(page.locator("#entity-head")).to_have_class(re.compile("fresh"))
    expect(page.locator("#about")).not_to_have_class(re.compile("fresh"))
    expect(page.locator("#about")).to_have_attribute("data-kept", "yes")


def test_the_breadcrumb_follows_a_new_title(
    entities: Entities, open_following: Open, live_portal: Any
) -> None:
    """It names the page as its heading does."""
    ref = "component:default/ledger"
    page = open_following("/catalog/default/component/ledger")
    entities[ref]["metadata"]["title"] = "Book of accounts"
    tell_change(live_portal, ref)
    expect(page.locator("h1")).to_have_text("Book of accounts")
    expect(page.locator(".crumbs [aria-current]")).to_have_text("Book of accounts")


def test_changes_before_the_stream_opens_are_not_missed(
    entities: Entities, open_page: Open, live_portal: Any
) -> None:
    """A page reads the stream from the position at which the page was made."""
    ref = "component:default/ledger"
    entity = entities[ref]
    page = open_page("/styleguide")
    routes: list[Any] = []
    page.route("**/api/events/stream*", lambda route: routes.append(route))  # noqa: PLW0108 - Playwright marks it
    page.goto(f"{live_portal.url}/catalog/default/component/ledger")
    entity["metadata"]["description"] = "Written before it listened"
    tell_change(live_portal, ref)
    until_now(lambda: page.wait_for_timeout(10) or routes, condition="the page asks")
    routes[0].continue_()
    page.get_by_text("Written before it listened").wait_for()


def test_selected_text_is_not_replaced(
    entities: Entities, open_following: Open, live_portal: Any
) -> None:
    """A reader who selects text keeps it."""
    ref = "component:default/refunds"
    entity = entities[ref]
    page = open_following("/catalog/default/component/refunds")
    page.locator("#entity-head .lead").select_text()
    entity["metadata"]["description"] = "Another text"
    entity["metadata"]["tags"] = ["fresh-tag"]
    tell_change(live_portal, ref)
    page.get_by_text("fresh-tag").wait_for()
    expect(page.locator("#entity-head .lead")).to_have_text("Does what its name says.")


def test_fragments_appear_and_disappear_with_their_content(
    entities: Entities, open_following: Open, live_portal: Any
) -> None:
    """A corrected error leaves the open home page; a new one appears in its place."""
    ref = "component:default/basket"
    page = open_following("/")
    attention = page.get_by_role("heading", name="Needs attention")
    expect(attention).to_be_visible()
    order = "sections => sections.map(each => each.id)"
    before = page.locator("main section").evaluate_all(order)
    errors = entities[ref].pop("status")
    tell_change(live_portal, ref)
    expect(attention).to_have_count(0)
    entities[ref]["status"] = errors
    tell_change(live_portal, ref)
    expect(attention).to_be_visible()
    assert page.locator("main section").evaluate_all(order) == before


def test_a_page_keeps_its_content_when_the_session_ends(
    entities: Entities, open_following: Open, live_portal: Any
) -> None:
    """The response of the sign-in does not replace it."""
    ref = "component:default/ledger"
    page = open_following("/catalog/default/component/ledger")
    entities[ref]["metadata"]["description"] = "Not for somebody who left"
    page.context.clear_cookies()
    page.evaluate(
        "document.addEventListener('callboard:live',"
        " () => (document.body.dataset.done = ''))"
    )
    tell_change(live_portal, ref)
    page.locator("body[data-done]").wait_for()
    expect(page.locator("#about")).to_be_visible()
    expect(page.get_by_text("Not for somebody who left")).to_have_count(0)


def test_an_open_list_updates_rows_in_place(
    entities: Entities, open_following: Open, live_portal: Any
) -> None:
    """New rows wait until they are requested."""
    page = open_following("/catalog?type=service")
    row = page.locator("[data-row]", has_text="Ledger")
    place = row.bounding_box()
    component = deepcopy(entities["component:default/ledger"])
    entities["component:default/ledger"]["metadata"]["description"] = "Anew"
    component["metadata"] |= {"name": "aaa", "title": "Aaa"}
    entities["component:default/aaa"] = component
    tell_change(live_portal, "component:default/aaa")
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
