"""A portal whose data folder lies on a disk that may be full.

What a host elsewhere would hold (Git repositories) lies elsewhere here, too.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.e2e.running import Portal
from tests.waiting import until_now

APART = ("git", "workshop")


class SmallPortal(Portal):
    """A `Portal`; `elsewhere` takes what is not its state."""

    def __init__(self, data: Path, port: int, elsewhere: Path) -> None:
        super().__init__(data, port)
        data.mkdir(parents=True)
        for name in APART:
            (elsewhere / name).mkdir(parents=True)
            (data / name).symlink_to(elsewhere / name)

    def end(self) -> None:
        """Stop it, and be sure that nobody holds the disk any more."""
        self.hang_up()
        try:
            pid = int(self.run["pids"]["supervisor"])
        except (OSError, ValueError):
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            with suppress(AssertionError):
                until_now(lambda: not Path(f"/proc/{pid}").exists())
                return
