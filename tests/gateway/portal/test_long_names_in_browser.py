"""Names and addresses without a place to break at: no page is wider for them."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.gateway.portal.frame import Frame
from services.gateway.portal.router import make_portal
from tests.gateway.portal.browsing import NARROW, TOO_WIDE, WIDE, sign_in
from tests.gateway.portal.conftest import served
from tests.gateway.portal.fakes import FakeSessions, FakeUsers
from tests.gateway.portal.house import entity
from tests.gateway.portal.services import FakeServices
from tests.gateway.portal.stream import WithStream

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
"""
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
    f"/catalog?kind=all&tag={TITLE}",
    f"/graph?entity=component:default/{NAME}",
    f"/graph?entity=component:default/{NAME}&show=impact",
    f"/search?query={TITLE}",
    f"/sign-in?text={TITLE}",
    f"/nowhere/{TITLE}",
    f"/create/register?target=https://bad.example/{TITLE}",
    f"/docs/default/component/{NAME}/",
)


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
    app = WithStream()
    app.app = make_portal(api, FakeSessions(), FakeUsers(), frame=frame)
    with served(app) as url:
        yield url


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_no_page_is_wider_than_the_screen(
    browser: Any, long_names: str, size: tuple[int, int]
) -> None:
    """Long words break, or end in an ellipsis."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    sign_in(context, long_names)
    page = context.new_page()
    wide = []
    for path in PAGES:
        answer = page.goto(long_names + path)
        assert answer.status < 500, path
        if page.evaluate(TOO_WIDE):
            wide.append(path)
    context.close()
    assert wide == []
