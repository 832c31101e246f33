"""`make bench`: what a person waits for, measured on a portal of its own.

Prints medians; never fails for being slow. With the load generator and driver at
`CALLBOARD_BENCH` (default `../shared/bench`) the API is loaded too, at the sizes given
as arguments (`make bench`: 1000 and 10000).
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import journeys, load
from tests.bench.portal import BenchPortal


def main(arguments: list[str]) -> None:
    """Measure the journeys, then the load."""
    sizes = [int(size) for size in arguments] or [1000, 10000]
    with tempfile.TemporaryDirectory() as folder:
        portal = BenchPortal(Path(folder) / "playhouse", 17027, "playhouse")
        try:
            journeys.measure(portal)
        finally:
            portal.down()
        bench = Path(os.environ.get("CALLBOARD_BENCH", "../shared/bench")).resolve()
        if not (bench / "bench_api.py").is_file():
            print(f"No load driver at {bench}: set CALLBOARD_BENCH to run it.")
            return
        for size in sizes:
            load.measure(bench, size, Path(folder) / f"load-{size}", 17028)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        print(error.stderr or error)
        sys.exit(1)
