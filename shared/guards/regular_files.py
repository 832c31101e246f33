"""Reads files of a stranger's tree that a person names or that a folder search meets.

A name in such a tree may be a pipe, whose reader waits for a writer, or an endless
device. Links are followed, also out of the tree, because whoever calls a command may
read what it reads. Code that reads for somebody else uses `foreign_files`.
"""

import errno
import os
import stat
from pathlib import Path


def read_regular_file(path: Path, limit: int = -1) -> bytes:
    """The content of a regular file, or the first `limit` bytes of it.

    Raises:
        OSError: if it cannot be read, or is no regular file.
    """
    with open(path, "rb", opener=_open_without_waiting) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        return file.read(limit)


def _open_without_waiting(path: str, _flags: int) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
