"""Ends a process whose event loop stands still, so that another takes its place.

A loop stands still in one of two ways. It computes: a foreign pattern, for example,
holds Python's lock all the while, and no thread of Python's can notice. So a timer of
the system runs on the processor time of the process and is set back by every beat of
the loop; what it starts is no Python code: it writes down where every thread is, and
ends the process. Or the loop waits, for a lock or a disk: then a thread counts the
times that it looked and saw no beat. Neither counts time of a suspended process.

Whatever runs the process starts it again; the next one tells what happened (`ENDED`).
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
#: Ticks of the thread that take longer than this many beats: the process was suspended.
SUSPENDED = 3.0
LONGEST_STACK = 6000
ENDED = Counter(
    "callboard_loop_stood_still_total",
    "Times that this service was ended because its event loop stood still",
)


class Watchdog:
    """Watches the running loop from `start` until `stop`.

    `folder` keeps what the next process tells: where the loop stood, and how often.
    """

    def __init__(self, name: str, folder: Path, port: int) -> None:
        self._log = logs.get_logger(name)
        self._folder = folder
        # Replicas may share a folder; a process that is started again has these again.
        self._stack = folder / f"{name}-{socket.gethostname()}-{port}.stack"
        self._count = self._stack.with_suffix(".count")
        self._file: IO[bytes] | None = None
        self._beats = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()

    def report(self) -> None:
        """Tell in log and metric if the process before this one was ended here."""
        with suppress(OSError, ValueError):
            if not self._stack.exists():
                ENDED.inc(_number_in(self._count))
                return
            stack = self._stack.read_text("utf-8", "replace")
            self._stack.unlink()
            count = _number_in(self._count)
            if stack:
                count += 1
                self._count.write_text(str(count))
                self._log.error("loop_stood_still", stack=stack[-LONGEST_STACK:])
            ENDED.inc(count)

    def start(self) -> None:
        """Begin, on the loop that is to be watched."""
        with suppress(OSError):
            # Without a place on the disk the log alone tells.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = self._stack.open("wb")
        _end_without_python(signal.SIGPROF)
        faulthandler.register(signal.SIGPROF, self._file or sys.stderr, chain=True)
        self._beat()
        threading.Thread(target=self._look, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no more: the process ends, or goes on without a loop."""
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

    def _look(self) -> None:
        """End the process after as many ticks without a beat as make up the limit."""
        seen, missed, looked = self._beats, 0, time.monotonic()
        while not self._stopped.wait(BEAT_SECONDS):
            now = time.monotonic()
            suspended = now - looked > SUSPENDED * BEAT_SECONDS
            looked = now
            if suspended or self._beats != seen:
                seen, missed = self._beats, 0
                continue
            missed += 1
            if missed * BEAT_SECONDS >= LIMIT_SECONDS:
                os.kill(os.getpid(), signal.SIGPROF)


def _end_without_python(number: signal.Signals) -> None:
    """Let a signal end the process by the system's own function.

    Its usual effect would do, but the first process of a container is immune to that.
    """
    library = ctypes.CDLL(None)
    library.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    library.signal.restype = ctypes.c_void_p
    library.signal(number, ctypes.cast(library._exit, ctypes.c_void_p))  # noqa: SLF001


def _number_in(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0
