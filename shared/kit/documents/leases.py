"""Leases: which of several processes works on something, and when another may.

A lease is a part of a document that its holder renews by changing it. No clocks of two
machines are compared: a lease is over when it has not changed for its whole time by the
monotonic clock of the process that watches it. So a process that has just started waits
for that time once, unless it succeeds the holder (`owner`). A lease saves work and is
no lock: a holder that was frozen continues until it notices, so every write of its work
is a compare-and-set.
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

OWNERS = 64
WATCHED_LEASES = 10_000


class LeaseWatch:
    """The time since which this process has seen each lease unchanged.

    A lease that is not renewed lasts for `seconds`.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._states: OrderedDict[Hashable, tuple[Hashable, float]] = OrderedDict()

    def is_over(self, name: Hashable, state: Hashable) -> bool:
        """Whether the lease `name` has had this state for its whole time.

        Every renewal and every new holder changes `state`.
        """
        now = self._clock()
        before, since = self._states.pop(name, (None, now))
        if before != state:
            since = now
        self._states[name] = state, since
        if len(self._states) > WATCHED_LEASES:
            self._states.popitem(last=False)
        return now - since > self._seconds


@contextlib.contextmanager
def owner(folder: Path) -> Iterator[str]:
    """A name that no other living process has.

    The process holds a file lock of the operating system, which a killed process
    releases. The next holder of the lock has the same name and succeeds the first.

    Raises:
        Unavailable: if too many processes use this folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(OWNERS):
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
    raise Unavailable(f"Over {OWNERS} processes of a service use {folder}")
