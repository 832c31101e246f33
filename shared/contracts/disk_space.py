"""Recognizes a full disk, so that work that needed space is retried and not refused."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from shared.contracts.errors import Unavailable

FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})
#: Messages of git, and of other programs that report a full disk in text only.
FULL_MESSAGES = ("no space left on device", "disk quota exceeded")


class DiskFull(Unavailable):
    """The disk is full; the data to be written is valid."""

    def __init__(self) -> None:
        super().__init__("The disk is full: with room on it, this goes on by itself")


def is_disk_full(error: BaseException) -> bool:
    """Whether an error reports a full disk."""
    return isinstance(error, OSError) and error.errno in FULL_ERRNOS


def mentions_full_disk(text: str) -> bool:
    """Whether a command's output reports a full disk."""
    lowered = text.lower()
    return any(message in lowered for message in FULL_MESSAGES)


@contextmanager
def raising_disk_full() -> Iterator[None]:
    """Raise `DiskFull` for the OSError of a full disk; pass all others on."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DiskFull from error
        raise
