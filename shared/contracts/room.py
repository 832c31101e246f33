"""A full disk is no mistake of what needed room: it is tried again, and not refused."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from shared.contracts.errors import Unavailable

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
#: What git, and others who only tell in words, say then.
SAYINGS = ("no space left on device", "disk quota exceeded")


class NoRoom(Unavailable):
    """The disk is full; nothing is wrong with what was to be written."""

    def __init__(self) -> None:
        super().__init__("The disk is full: with room on it, this goes on by itself")


def is_full(error: BaseException) -> bool:
    """Whether it is a full disk that an error tells of."""
    return isinstance(error, OSError) and error.errno in FULL


def says_full(text: str) -> bool:
    """Whether what a command printed tells of a full disk."""
    lowered = text.lower()
    return any(saying in lowered for saying in SAYINGS)


@contextmanager
def needed() -> Iterator[None]:
    """Turn the OSError of a full disk into `NoRoom`; any other stays what it is."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise NoRoom from error
        raise
