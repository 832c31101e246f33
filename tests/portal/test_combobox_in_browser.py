"""The combobox in a real Chromium: by keyboard, on a phone, without scripts."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Error, expect

from services.portal.frame import Frame
from services.portal.router import make_portal
from tests.portal.browsing import NARROW, Open, violations, visits
from tests.portal.conftest import served
from tests.portal.services import FakeServices
from tests.portal.stream import WithStream
from tests.waiting import until_now

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FORM = "/create/templates/default/python-service"
PROPERTIES = {
    "owner": {"title": "Owner", "type": "string", "ui:field": "OwnerPicker"},
    "needs": {
        "title": "Needs",
        "type": "array",
        "ui:field": "MultiEntityPicker",
        "ui:options": {"catalogFilter": {"kind": "Component"}},
    },
}
PLACE = {
    "title": "Place",
    "type": "string",
    "ui:field": "RepoUrlPicker",
    "ui:options": {
        "allowedHosts": ["git.example"],
        "allowedOwners": [f"guild-{number}" for number in range(200)],
    },
}
STEPS = [{"title": "Who", "schema": {"required": ["owner"], "properties": PROPERTIES}}]
PLACE_STEPS = [{"title": "Where", "schema": {"properties": {"place": PLACE}}}]


@pytest.fixture(scope="module")
def services() -> FakeServices:
    return FakeServices()


@pytest.fixture(scope="module")
def portal_url(frame: Frame, services: FakeServices) -> Iterator[str]:
    """A running portal; its template asks what `services.steps` says."""
    app = WithStream()
    app.app = make_portal(services, frame=frame)
    with served(app) as url:
        yield url


@pytest.fixture
def open_page(browser: Any, portal_url: str, services: FakeServices) -> Iterator[Open]:
    """Opens the form as Ann; fails if the page's scripts raise or are refused."""
    with visits(browser, portal_url) as open_page:

        def open_form(*, steps: list[Any] = STEPS, **options: Any) -> Any:
            services.steps = steps
            return open_page(FORM, **options)

        yield open_form


def test_an_owner_is_chosen_by_keyboard_alone(open_page: Open) -> None:
    """Arrows walk, End and Home go to the ends, Escape keeps the text, Enter takes."""
    page = open_page()
    box = page.get_by_role("combobox", name="Owner")
    box.press("ArrowDown")
    options = page.get_by_role("option")
    options.first.wait_for()
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    box.press("End")
    last = options.last
    expect(last).to_have_attribute("aria-selected", "true")
    active = last.get_attribute("id")
    expect(box).to_have_attribute("aria-activedescendant", active)
    box.press("Home")
    expect(options.first).to_have_attribute("aria-selected", "true")
    box.press("Escape")
    expect(box).to_have_attribute("aria-expanded", "false")
    box.press_sequentially("stag")
    page.get_by_role("option", name="Stage").wait_for()
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("Stage")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("heading", name="Who").wait_for()
    assert "p.owner=group:default/stage-team" in unquote(page.url)


def test_several_values_are_added_and_removed_as_chips(open_page: Open) -> None:
    """Each is a chip with a button of its own; Backspace removes the last."""
    page = open_page()
    box = page.get_by_role("combobox", name="Needs")
    for typed in ("ledg", "refu", "book"):
        box.press_sequentially(typed)
        option = page.get_by_role("option").first
        expect(option).to_contain_text(typed, ignore_case=True)
        option.click()
    expect(page.locator(".chip")).to_have_count(3)
    page.get_by_role("button", name="Remove Refunds").click()
    box.press("Backspace")
    expect(page.locator(".chip")).to_have_count(1)
    page.get_by_role("combobox", name="Owner").fill("stage-team")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("heading", name="Who").wait_for()
    assert unquote(page.url).count("p.needs=component:default/ledger") == 1


def test_listed_owners_are_searched_in_the_page(
    open_page: Open,
) -> None:
    """The first is preselected; a click chooses another and closes the list."""
    page = open_page(steps=PLACE_STEPS)
    box = page.get_by_role("combobox", name="Owner")
    expect(box).to_have_value("guild-0")
    box.fill("d-19")
    options = page.locator(".choice-option")
    expect(options).to_have_count(11)
    options.filter(has_text="guild-197").click()
    expect(options.first).to_be_hidden()
    page.get_by_role("combobox", name="Repository").fill("it")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("heading", name="Where").wait_for()
    assert "p.place=git.example?owner=guild-197&repo=it" in unquote(page.url)


def test_an_outdated_response_is_ignored(open_page: Open) -> None:
    """Continued typing gets the choices of the last text, whatever arrives first."""
    page = open_page()
    box = page.get_by_role("combobox", name="Owner")
    late: list[Any] = []
    body = '<div role="option" data-value="{0}" data-label="{0}">{0}</div><p data-note>'

    def answer(route: Any) -> None:
        if route.request.url.endswith("term=a"):
            late.append(route)
        else:
            route.fulfill(body=body.format("new"), content_type="text/html")

    page.route("**/choices*", answer)
    box.press_sequentially("a")
    until_now(lambda: page.wait_for_timeout(10) or late, condition="the first question")
    box.press_sequentially("b")
    page.get_by_role("option", name="new").wait_for()
    with suppress(Error):  # given up by the page already
        late[0].fulfill(body=body.format("old"), content_type="text/html")
    expect(page.get_by_role("option", name="new")).to_be_visible()
    expect(box).to_have_value("ab")


def test_an_open_list_is_accessible_on_a_phone(open_page: Open) -> None:
    """No violation of axe's rules, nothing wider than the screen, large targets."""
    page = open_page(size=NARROW, bypass_csp=True, reduced_motion="reduce")
    page.get_by_role("combobox", name="Needs").click()
    page.get_by_role("option").first.wait_for()
    assert violations(page) == []
    assert page.get_by_role("option").first.bounding_box()["height"] >= 24
    wide = "document.documentElement.scrollWidth > innerWidth"
    assert not page.evaluate(wide)


def test_a_combobox_without_scripts_is_a_text_field(open_page: Open) -> None:
    """Names are completed, and several can be typed in one text."""
    page = open_page(scripts=False)
    page.get_by_label("Owner").fill("stage-team")
    page.get_by_label("Needs").fill("component:default/ledger, component:refunds")
    page.get_by_role("button", name="Review").click()
    address = unquote(page.url)
    assert "p.owner=group:default/stage-team" in address
    assert "p.needs=component:default/ledger" in address
    assert "p.needs=component:default/refunds" in address
