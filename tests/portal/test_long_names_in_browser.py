"""Names and addresses without a place to break at: no page is wider for them."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.portal.frame import Frame
from services.portal.router import make_portal
from tests.portal.answers import OUTPUT, TASK
from tests.portal.browsing import NARROW, TOO_WIDE, WIDE, sign_in
from tests.portal.company import entity
from tests.portal.conftest import served
from tests.portal.services import FakeServices
from tests.portal.stream import WithStream

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAME = "n" * 63
TITLE = "Aneverendingtitle" * 5
URL = f"https://git.example/{TITLE}"
OPENAPI = f"""openapi: 3.1.0
info: {{title: {TITLE}, version: {TITLE}, description: {TITLE}}}
servers: [{{url: '{URL}'}}]
tags: [{{name: {TITLE}, description: {TITLE}}}]
paths:
  /{TITLE}:
    get:
      tags: [{TITLE}]
      summary: {TITLE}
      responses: {{'200': {{description: {TITLE}, content: {{application/json:
        {{example: {TITLE * 4}, schema: {{type: object, properties: {{{TITLE}:
        {{type: string}}}}}}}}}}}}}}
"""
USUAL_WORD = "documentation"
SPECS: dict[str, dict[str, Any]] = {
    "Component": {"type": TITLE, "lifecycle": TITLE, "owner": NAME, "system": NAME},
    "API": {"type": "openapi", "lifecycle": TITLE, "definition": OPENAPI},
    "Group": {"type": TITLE, "profile": {"email": f"{TITLE}@example.org"}},
    "User": {"profile": {"displayName": TITLE}, "memberOf": [NAME]},
    "System": {"owner": NAME},
    "Location": {"target": URL},
}
RELATIONS = (
    ("ownedBy", "group"),
    ("partOf", "system"),
    ("dependsOn", "component"),
    ("providesApi", "api"),
    ("hasMember", "user"),
)
COMPONENT = f"/catalog/default/component/{NAME}"
PAGES = (
    *(f"/catalog/default/{kind.lower()}/{NAME}" for kind in SPECS),
    *(f"{COMPONENT}/{tab}" for tab in ("dependencies", "activity", "raw")),
    f"{COMPONENT}/unregister",
    f"/catalog/default/api/{NAME}/api",
    "/catalog",
    f"/catalog?kind=all&tag={TITLE}",
    f"/graph?entity=component:default/{NAME}",
    f"/graph?entity=component:default/{NAME}&show=impact",
    f"/search?query={TITLE}",
    f"/sign-in?text={TITLE}",
    f"/nowhere/{TITLE}",
    f"/create/register?target=https://bad.example/{TITLE}",
    f"/docs/default/component/{NAME}/",
    f"/create/tasks/{TASK}",
)
LINKS = [{"title": title, "url": URL} for title in (TITLE, "A link " * 20)]


def made(kind: str) -> dict[str, Any]:
    """An entity of which every part is long, with an error and links."""
    whole = entity(
        kind,
        NAME,
        SPECS[kind],
        title=TITLE,
        description=TITLE * 2,
        tags=[TITLE],
        links=[{"url": URL, "title": TITLE}, {"url": "x:", "title": TITLE}],
        annotations={
            "backstage.io/edit-url": URL,
            "backstage.io/view-url": URL,
            "backstage.io/managed-by-location": f"url:{URL}",
        },
    )
    relations = [
        {"type": relation, "targetRef": f"{target}:default/{NAME}"}
        for relation, target in RELATIONS
    ]
    error = {"level": "error", "type": TITLE, "message": f"InputError: {URL}"}
    return {**whole, "relations": relations, "status": {"items": [error]}}


@pytest.fixture(scope="module")
def long_names(frame: Frame) -> Iterator[str]:
    """The address of a portal whose entities have long names."""
    api = FakeServices()
    for kind in SPECS:
        api.entities[f"{kind.lower()}:default/{NAME}"] = made(kind)
    usual = {"type": USUAL_WORD, "lifecycle": "experimental", "owner": NAME}
    described = "A description of several words that takes more than one line of it. "
    api.entities["component:default/usual"] = entity(
        "Component", "usual", usual, description=described * 2
    )
    app = WithStream()
    app.app = make_portal(api, frame=frame)
    with served(app) as url:
        yield url


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_no_page_is_wider_than_the_screen(
    browser: Any,
    long_names: str,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Long words break, or end in an ellipsis; badges are whole, icons by their words.

    So it is with all examples of a definition open.
    """
    monkeypatch.setitem(OUTPUT, "links", LINKS)
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    sign_in(context, long_names)
    page = context.new_page()
    wide = []
    for path in PAGES:
        answer = page.goto(long_names + path)
        assert answer.status < 500, path
        page.evaluate(OPEN_ALL)
        if page.evaluate(TOO_WIDE):
            wide.append(path)
        assert page.evaluate(CUT_BADGES) == [], path
        assert page.evaluate(LONELY_ICONS) == [], path
    context.close()
    assert wide == []


OPEN_ALL = """for (const one of document.querySelectorAll('main .api details'))
    one.open = true"""
#: Badges of which a part is out of sight.
CUT_BADGES = """[...document.querySelectorAll('main .badge')]
    .filter(badge => badge.checkVisibility() && badge.scrollWidth > badge.clientWidth)
    .map(badge => badge.textContent)"""
#: Icons above a title that stand on a line without the words beside them.
LONELY_ICONS = """[...document.querySelectorAll('.over')].filter(line => {
    const [icon] = line.getElementsByTagName('svg');
    const words = document.createRange();
    words.setStartAfter(icon);
    words.setEndAfter(line.lastChild);
    const { top } = words.getBoundingClientRect();
    return icon.getBoundingClientRect().bottom < top;
}).map(line => line.textContent)"""
TOO_WIDE_TABLES = """[...document.querySelectorAll('.table-scroll')]
    .filter(box => box.scrollWidth > box.clientWidth)
    .map(box => box.querySelector('caption').textContent)"""
#: Usual words of a table that are broken into several lines.
BROKEN_WORDS = """[...document.querySelectorAll('.table td .word')]
    .filter(word => word.textContent.length < 16 && word.offsetHeight > 30)
    .map(word => word.textContent)"""
#: Links of the trail that end in an ellipsis; a fraction of a pixel is enough for one.
CUT_LINKS = """[...document.querySelectorAll('.crumbs a')].filter(link => {
    const text = document.createRange();
    text.selectNodeContents(link);
    const { width } = text.getBoundingClientRect();
    return width > link.getBoundingClientRect().width + 0.01;
}).map(link => link.textContent)"""


def test_a_long_name_does_not_hide_other_columns(browser: Any, long_names: str) -> None:
    """A long word breaks in its cell; usual words beside it stay whole."""
    page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
    sign_in(page.context, long_names)
    for path in PAGES:
        page.goto(long_names + path)
        if "/api/api" not in path:
            assert page.evaluate(TOO_WIDE_TABLES) == [], path
            assert page.evaluate(BROKEN_WORDS) == [], path
    page.close()


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_long_title_does_not_shorten_the_breadcrumb_links(
    browser: Any, long_names: str, size: tuple[int, int]
) -> None:
    """The title of the page is shortened there: it is shown in full below."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    sign_in(page.context, long_names)
    for path in (COMPONENT, f"/graph?entity=component:default/{NAME}"):
        page.goto(long_names + path)
        assert page.evaluate("document.querySelectorAll('.crumbs a').length") > 0
        assert page.evaluate(CUT_LINKS) == [], path
    page.goto(f"{long_names}{COMPONENT}/unregister")
    assert page.evaluate(CUT_LINKS) == [TITLE]
    assert page.locator(".crumbs li").last.bounding_box()["width"] >= 60
    page.close()
