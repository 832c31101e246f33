"""`make bench`: what a person waits for, measured on a portal of its own.

Prints medians; never fails for being slow. With the load generator and driver at
`CALLBOARD_BENCH` (default `../shared/bench`) the API is loaded too, at the sizes given
as arguments (`make bench`: 1000 and 10000). `--engines servers` measures the same on
real servers (`make bench ENGINES=servers`).
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.embedded.backing import EMBEDDED, FORMS
from tests.bench import journeys, load
from tests.bench.portal import BenchPortal


def main() -> None:
    """Measure the journeys, then the load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[1000, 10000])
    parser.add_argument("--engines", choices=FORMS[:2], default=EMBEDDED)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        portal = BenchPortal(
            Path(folder) / "playhouse", 17027, "playhouse", arguments.engines
        )
        try:
            journeys.measure(portal)
        finally:
            portal.down()
        bench = Path(os.environ.get("CALLBOARD_BENCH", "../shared/bench")).resolve()
        if not (bench / "bench_api.py").is_file():
            print(f"No load driver at {bench}: set CALLBOARD_BENCH to run it.")
            return
        for size in arguments.sizes:
            place = Path(folder) / f"load-{size}"
            load.measure(bench, size, place, 17028, arguments.engines)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        print(error.stderr or error)
        sys.exit(1)
