"""A portal to be ill-treated, apart from the one that the journeys use."""

from collections.abc import Iterator

import pytest

from tests.e2e.running import Portal
from tests.e2e.system import free_port
from tests.faults.victims import agreed
from tests.waiting import until_now

SITES = 3


@pytest.fixture(scope="package")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """Runs with the example loaded and its documentation built."""
    portal = Portal(tmp_path_factory.mktemp("faults") / "data", free_port())
    try:
        portal.up()

        def built() -> bool:
            return int(agreed(portal)["sites"]["count"]) == SITES

        until_now(built, "the example's sites")
        yield portal
    finally:
        portal.hang_up()
        portal.down()
