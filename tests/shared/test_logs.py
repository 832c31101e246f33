"""What becomes of log lines that cannot be written."""

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
PROGRAM = """
import logging
from shared.kit.observability import logs
logs.configure("test")
logs.get_logger("test").info("a_line")
logging.getLogger("other").warning("another")
print("goes on")
"""


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk_of_the_log_file_stops_no_process() -> None:
    """Log lines are lost; the process goes on."""
    command = [sys.executable, "-c", PROGRAM]
    with FULL.open("w") as full:
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, stderr=full, text=True
        )
    assert done.stdout == "goes on\n"
