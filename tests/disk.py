"""A small file system in memory, and how it is filled to the last byte."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import until_now

CHUNK = 65536
GONE_SECONDS = 60.0


class CannotMount(RuntimeError):
    """This process may not mount a file system."""


class SmallDisk:
    """A tmpfs of so many megabytes, mounted at `folder` until it is `close`d.

    Raises:
        CannotMount: if it may not be mounted here.
    """

    def __init__(self, folder: Path, *, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        options = f"size={megabytes}m"
        command = ["mount", "-t", "tmpfs", "-o", options, "callboard-test", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise CannotMount("needs the right to mount a file system") from error

    def close(self) -> None:
        """Unmount it; processes that are about to end hold it for a moment."""
        until_now(self._unmounted, GONE_SECONDS, "the disk to be let go")

    @contextmanager
    def filled(self) -> Iterator[None]:
        """Leave no byte free."""
        ballast = self.folder / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * CHUNK)
        try:
            yield
        finally:
            ballast.unlink()

    @property
    def free(self) -> int:
        """Bytes that can still be written."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_bsize

    def _unmounted(self) -> bool:
        command = ["umount", str(self.folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
