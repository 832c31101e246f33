"""Who a process is to the leases in a store: the same again after a restart."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from shared.contracts.errors import Unavailable

_MOST = 64


@contextlib.contextmanager
def owner(folder: Path) -> Iterator[str]:
    """A name that no other living process has, and that a killed one frees.

    The operating system holds a lock on one of a few files while this process lives:
    who gets a file's lock has its name, and may go on with what that name was doing.

    Raises:
        Unavailable: if too many processes use this folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(_MOST):
        descriptor = os.open(folder / f"owner-{number}.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            yield f"{socket.gethostname()}:{folder.resolve()}:{number}"
        finally:
            os.close(descriptor)
        return
    raise Unavailable(f"Over {_MOST} processes of a service use {folder}")
