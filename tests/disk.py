"""A small file system in memory, and how it is filled to the last byte."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import until_now

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
        self._bytes = megabytes * 1024 * 1024
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
        """Leave no byte free: it is made as small as what it holds."""
        until_now(self._shrunk, GONE_SECONDS, "the disk to be full")
        try:
            yield
        finally:
            self._resize(self._bytes)

    @property
    def free(self) -> int:
        """Bytes that can still be written."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_bsize

    def _shrunk(self) -> bool:
        """Refused where something was written meanwhile."""
        found = os.statvfs(self.folder)
        used = (found.f_blocks - found.f_bfree) * found.f_bsize
        with suppress(subprocess.CalledProcessError):
            # Nothing at all would be no limit.
            self._resize(max(used, found.f_bsize))
            return True
        return False

    def _resize(self, size: int) -> None:
        options = f"remount,size={size}"
        command = ["mount", "-o", options, str(self.folder)]
        subprocess.run(command, check=True, capture_output=True)

    def _unmounted(self) -> bool:
        command = ["umount", str(self.folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
