"""Backstage's addresses lead to the portal's own."""

import pytest

from services.portal.pages.backstage_addresses import ADDRESSES, ENTITY
from tests.portal.conftest import Client

BOOKING = "/catalog/default/component/booking"
ROOT = "rootEntityRefs%5B%5D"
CASES = [
    (f"{ENTITY}/docs", f"{BOOKING}/docs", "/docs/default/component/booking/"),
    (
        f"{ENTITY}/docs/{{path:path}}",
        f"{BOOKING}/docs/run%20book/x/",
        "/docs/default/component/booking/run%20book/x/",
    ),
    (
        f"{ENTITY}/definition",
        "/catalog/default/API/bookings/definition",
        "/catalog/default/api/bookings/api",
    ),
    ("/api-docs", "/api-docs", "/catalog?kind=api"),
    (
        "/api-docs",
        "/api-docs?filters%5Bkind%5D=api&filters%5Buser%5D=owned&filters%5Btags%5D=x",
        "/catalog?kind=api&tag=x&own=1",
    ),
    ("/catalog-import", "/catalog-import?x=//evil.example", "/create/register"),
    ("/catalog-graph", "/catalog-graph", "/graph"),
    (
        "/catalog-graph",
        f"/catalog-graph?{ROOT}=component:default/booking&maxDepth=2",
        "/graph?entity=component:default/booking&depth=2",
    ),
    ("/catalog-graph", f"/catalog-graph?{ROOT}=//evil.example&maxDepth=x", None),
    ("/settings/auth-providers", "/settings/auth-providers", "/settings"),
    ("/settings/feature-flags", "/settings/feature-flags", "/settings"),
]


@pytest.mark.parametrize(("_", "address", "expected"), CASES)
async def test_an_address_of_backstage_leads_to_the_page(
    client: Client, _: str, address: str, expected: str | None
) -> None:
    """The parts and filters that are understood go along; it stays in the portal."""
    answer = await client().get(address)
    assert answer.status_code == 307
    location = answer.headers["location"]
    assert location.startswith("/")
    assert not location.startswith("//")
    assert expected in (None, location)


def test_all_addresses_of_the_table_are_tried() -> None:
    """An address that is added is tested."""
    assert {pattern for pattern, _, _ in CASES} == set(ADDRESSES)
