"""Leases: which of several processes works on something, and when another may.

A lease is a part of a document that its holder renews by changing it. No two machines'
clocks are compared: a lease is over when it has not changed for its whole time by the
monotonic clock of whoever watches it. A process that has just started so waits for that
time once, unless it is the holder's successor (`owner`). A lease spares work and is no
lock: a holder that stood still goes on until it notices, so every write of its work is
a compare-and-set.
"""

import contextlib
import fcntl
import os
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path

from shared.contracts.errors import Unavailable

_MOST = 64
MOST_WATCHED = 10_000


class LeaseWatch:
    """When this process first saw each lease as it still is.

    `seconds` is how long a lease lasts that nobody renews.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: OrderedDict[Hashable, tuple[Hashable, float]] = OrderedDict()

    def is_over(self, name: Hashable, state: Hashable) -> bool:
        """Whether the lease `name` has had this state for its whole time.

        `state` is what every renewal and every new holder changes.
        """
        now = self._clock()
        before, since = self._seen.pop(name, (None, now))
        if before != state:
            since = now
        self._seen[name] = state, since
        if len(self._seen) > MOST_WATCHED:
            self._seen.popitem(last=False)
        return now - since > self._seconds


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
