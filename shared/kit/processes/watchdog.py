"""Ends a process whose event loop is blocked, so that it is started again.

A loop can be blocked by computing: a foreign pattern, for example, holds Python's lock,
so no Python thread can notice. Against this, a system timer counts the processor time
of the process, and every beat of the loop resets it. When it expires, native code
writes every thread's stack and ends the process. A loop can also be blocked by waiting,
for a lock or a disk. Against this, a thread counts its ticks without a beat. Neither
counts the time in which the process is suspended.

The supervisor starts the process again; the new one reports the end (`ENDED`).
"""

import asyncio
import ctypes
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from prometheus_client import Counter

from shared.kit.observability import logs

LIMIT_SECONDS = 10.0
BEAT_SECONDS = 2.0
#: After a tick that took longer than so many beats, the process was suspended.
SUSPENDED_BEATS = 3.0
STACK_CHARACTERS = 6000
ENDED = Counter(
    "callboard_loop_stood_still_total",
    "Times that this service was ended because its event loop stood still",
)


class Watchdog:
    """Watches the running loop from `start` until `stop`.

    `folder` stores the stack and the count, which the next process reports.
    """

    def __init__(self, name: str, folder: Path, port: int) -> None:
        self._log = logs.get_logger(name)
        self._folder = folder
        # Replicas may share a folder; host and port are the same after a restart.
        self._stack = folder / f"{name}-{socket.gethostname()}-{port}.stack"
        self._count = self._stack.with_suffix(".count")
        self._file: IO[bytes] | None = None
        self._beats = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()

    def report(self) -> None:
        """Log and count it if the watchdog ended the previous process."""
        with suppress(OSError, ValueError):
            if not self._stack.exists():
                ENDED.inc(_read_count(self._count))
                return
            stack = self._stack.read_text("utf-8", "replace")
            self._stack.unlink()
            count = _read_count(self._count)
            if stack:
                count += 1
                self._count.write_text(str(count))
                self._log.error("loop_stood_still", stack=stack[-STACK_CHARACTERS:])
            ENDED.inc(count)

    def start(self) -> None:
        """Start to watch the running loop."""
        with suppress(OSError):
            # Without a file the stack goes to standard error.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = self._stack.open("wb")
        _end_without_python(signal.SIGPROF)
        faulthandler.register(signal.SIGPROF, self._file or sys.stderr, chain=True)
        self._beat()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop watching: the process ends, or continues without a loop."""
        self._stopped.set()
        signal.setitimer(signal.ITIMER_PROF, 0)
        if self._timer is not None:
            self._timer.cancel()
        faulthandler.unregister(signal.SIGPROF)
        if self._file is not None:
            self._file.close()
            self._file = None
            with suppress(OSError):
                self._stack.unlink()

    def _beat(self) -> None:
        self._beats += 1
        signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(BEAT_SECONDS, self._beat)

    def _watch(self) -> None:
        """End the process when the ticks without a beat add up to the limit."""
        beats, missed_ticks, last_tick = self._beats, 0, time.monotonic()
        while not self._stopped.wait(BEAT_SECONDS):
            now = time.monotonic()
            is_suspended = now - last_tick > SUSPENDED_BEATS * BEAT_SECONDS
            last_tick = now
            if is_suspended or self._beats != beats:
                beats, missed_ticks = self._beats, 0
                continue
            missed_ticks += 1
            if missed_ticks * BEAT_SECONDS >= LIMIT_SECONDS:
                os.kill(os.getpid(), signal.SIGPROF)


def _end_without_python(number: signal.Signals) -> None:
    """Let a signal end the process through the system's `_exit`.

    The signal's default action is not enough: the first process of a container ignores
    it.
    """
    library = ctypes.CDLL(None)
    library.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    library.signal.restype = ctypes.c_void_p
    library.signal(number, ctypes.cast(library._exit, ctypes.c_void_p))  # noqa: SLF001


def _read_count(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0
