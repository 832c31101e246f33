"""A short run of the driver, as CI makes it: work, faults, and nothing lost.

The seeds below found something once; what that was has a test of its own beside the
code that was mended.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.conftest import SERVERS
from tests.faults.driver.house import House
from tests.faults.driver.houses import house_of
from tests.faults.driver.run import run
from tests.faults.driver.table import show

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

SEED = 1
SECONDS = 45.0
FAULTS = 15


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A portal of its own, on the engines of this run."""
    house = house_of("servers" if SERVERS else "embedded", tmp_path)
    try:
        house.up()
        yield house
    finally:
        house.down()


def test_nothing_is_lost_and_nothing_done_twice(house: House) -> None:
    """Every acknowledged write is there, once, and everything agrees at the end."""
    found = run(house, seed=SEED, seconds=SECONDS, faults=FAULTS)
    show(found, Console(width=120))
    assert found.ledger.lost == []
    assert found.ledger.doubled == []
    assert found.ledger.odd == []
    assert len(found.faults) >= FAULTS // 2
    assert found.ledger.total("done") > 50
