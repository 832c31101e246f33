"""`python -m tests.faults.driver`: exit code 1 if anything was lost or doubled."""

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from shared.kit.observability import logs
from tests.faults.driver.deployments import deployment_of
from tests.faults.driver.run import run
from tests.faults.driver.table import show

FAULTS_PER_MINUTE = 21


def main() -> int:
    """Run once, print the table; the data folder stays where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument(
        "--engines", choices=["embedded", "servers"], default="embedded"
    )
    parser.add_argument("--faults", type=int, help="How many; 21 a minute by default.")
    arguments = parser.parse_args()
    count = arguments.faults
    if count is None:
        count = round(FAULTS_PER_MINUTE * arguments.minutes)
    # The recorder hears of every fault of the log, too: the table tells of them.
    logs.configure("faults", "critical")
    logging.disable(logging.ERROR)
    out = Console(width=120)
    folder = Path(tempfile.mkdtemp(prefix="callboard-faults-"))
    deployment = deployment_of(arguments.engines, folder)
    try:
        deployment.up()
        outcome = run(
            deployment,
            seed=arguments.seed,
            seconds=arguments.minutes * 60,
            faults=count,
        )
    finally:
        deployment.down()
    show(outcome, out)
    if outcome.ledger.lost or outcome.ledger.doubled or outcome.ledger.odd:
        out.print(f"Everything of this run is in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
