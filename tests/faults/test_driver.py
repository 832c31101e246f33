"""A short run of the driver, as CI makes it: work, faults, and nothing lost.

The seeds below found something once; what that was has a test of its own beside the
code that was mended.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.conftest import SERVERS
from tests.faults.driver.deployment import Deployment
from tests.faults.driver.deployments import deployment_of
from tests.faults.driver.run import run
from tests.faults.driver.table import show

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

SEED = 1
SECONDS = 45.0
FAULTS = 15


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A portal of its own, on the engines of this run."""
    deployment = deployment_of("servers" if SERVERS else "embedded", tmp_path)
    try:
        deployment.up()
        yield deployment
    finally:
        deployment.down()


def test_no_write_is_lost_or_done_twice_under_faults(deployment: Deployment) -> None:
    """Every acknowledged write is there, once, and everything agrees at the end."""
    outcome = run(deployment, seed=SEED, seconds=SECONDS, faults=FAULTS)
    show(outcome, Console(width=120))
    assert outcome.ledger.lost == []
    assert outcome.ledger.doubled == []
    assert outcome.ledger.odd == []
    assert len(outcome.faults) >= FAULTS // 2
    assert outcome.ledger.total("done") > 50
