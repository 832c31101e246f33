"""Documentation in a real browser: what only its style sheet decides."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.portal.frame import Frame
from services.portal.router import make_portal
from tests.portal.browsing import Open
from tests.portal.conftest import served
from tests.portal.services import FakeServices
from tests.portal.stream import WithStream

pytestmark = pytest.mark.browser
KEY = "default/component/booking"
DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="


@pytest.fixture(scope="module")
def live_portal(frame: Frame) -> Iterator[Any]:
    """Its one article has pictures for each scheme."""
    names = ("only-light", "only-dark", "gh-light-mode-only", "gh-dark-mode-only")
    images = [f'<img src="{DOT}#{name}" alt="{name}">' for name in names]
    api, app = FakeServices(), WithStream()
    api.articles[KEY] = f"<h1>Booking</h1>{''.join(images)}"
    app.app = make_portal(api, frame=frame)
    with served(app) as url:
        yield type("House", (), {"url": url, "stream": app})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("is_chosen", [False, True])
def test_a_picture_for_one_scheme_of_colours_is_shown_in_it(
    open_page: Open, scheme: str, is_chosen: bool
) -> None:
    """The system's scheme, or the reader's against it."""
    system = {"light": "dark", "dark": "light"}[scheme] if is_chosen else scheme
    page = open_page(f"/docs/{KEY}/", color_scheme=system)
    if is_chosen:
        page.evaluate(f"document.documentElement.dataset.theme = '{scheme}'")
    images = page.locator(".docs-article img").all()
    visible_names = [one.get_attribute("alt") for one in images if one.is_visible()]
    assert visible_names == [f"only-{scheme}", f"gh-{scheme}-mode-only"]
