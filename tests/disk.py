"""A small file system in memory that tests can fill completely."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import until_now


class CannotMount(RuntimeError):
    """This process may not mount a file system."""


class SmallDisk:
    """A tmpfs of so many megabytes, mounted at `folder` until `close` is called.

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
        """Unmount it; processes that are ending may use it for a moment."""
        until_now(self._unmounted, "the disk to be let go")

    @contextmanager
    def filled(self) -> Iterator[None]:
        """Leave no byte free: the disk is shrunk to the size of its content."""
        until_now(self._shrunk, "the disk to be full")
        try:
            yield
        finally:
            self._resize(self._bytes)

    @property
    def free(self) -> int:
        """Bytes that can still be written."""
        stats = os.statvfs(self.folder)
        return stats.f_bavail * stats.f_bsize

    def _shrunk(self) -> bool:
        """Shrink the disk; False if something was written meanwhile."""
        stats = os.statvfs(self.folder)
        used = (stats.f_blocks - stats.f_bfree) * stats.f_bsize
        with suppress(subprocess.CalledProcessError):
            # A size of 0 would mean no limit.
            self._resize(max(used, stats.f_bsize))
            return True
        return False

    def _resize(self, size: int) -> None:
        options = f"remount,size={size}"
        command = ["mount", "-o", options, str(self.folder)]
        subprocess.run(command, check=True, capture_output=True)

    def _unmounted(self) -> bool:
        command = ["umount", str(self.folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
