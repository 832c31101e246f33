"""Pages while a service hangs that is not what they are about."""

import pytest

from tests.portal.conftest import Client
from tests.portal.services import FakeServices

BOOKING = "component/default/booking"
TECHDOCS, SCAFFOLDER, STARS = (
    "/api/techdocs/",
    "/api/scaffolder/",
    "/api/user-settings/",
)
CHANGES = "/api/catalog/changes"
HISTORY = f"/api/catalog/entities/by-name/{BOOKING}/history"
UNREAD = "The latest changes cannot be read now."


@pytest.fixture
def api() -> FakeServices:
    return FakeServices()


@pytest.mark.parametrize(
    ("address", "hanging", "texts"),
    [
        ("/", (TECHDOCS,), ["Which of the latest builds failed is not known now."]),
        ("/", (CHANGES, STARS), [UNREAD, "Owned by me or my teams"]),
        ("/create", (SCAFFOLDER,), ["Python service"]),
        ("/catalog/default/component/booking", (HISTORY, STARS), [UNREAD]),
        ("/catalog/default/template/python-service", (SCAFFOLDER,), ["Python service"]),
        ("/status", (TECHDOCS,), ["Not all services are ready"]),
    ],
)
async def test_a_page_waits_short_for_what_it_is_not_about(
    client: Client,
    api: FakeServices,
    address: str,
    hanging: tuple[str, ...],
    texts: list[str],
) -> None:
    """It is there, and its box says what is missing."""
    page = (await client().get(address)).text
    api.hanging = hanging
    answer = await client().get(address)
    assert (answer.status_code, api.waited_for) == (200, [])
    for text in texts:
        assert text in answer.text
    assert UNREAD not in page


async def test_a_page_waits_for_its_subject(client: Client, api: FakeServices) -> None:
    """The list of sites is nothing without techdocs."""
    api.hanging = (TECHDOCS,)
    assert (await client().get("/docs")).status_code == 503
    assert api.waited_for == ["/api/techdocs/sites"]
