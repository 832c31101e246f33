"""Work on foreign input that may take long, beside the event loop.

`run_beside` is for work that is bounded and short: a few threads, so that many requests
for it wait for each other and not the loop for them. `run_bounded` is for the rest: a
process of its own, which is ended when it takes too long or too much memory. It starts
with the first work and ends when it has had none for a while. Work that is long has a
second process, so that what is quick never waits for it.
"""

import asyncio
import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from shared.contracts.errors import CallboardError
from shared.guards import worker_process
from shared.guards.budgets import BudgetExceeded

P = ParamSpec("P")
Result = TypeVar("Result")

#: How much longer than its processor time a piece of work may take by the clock.
_PATIENCE = 6.0
_ROOT = Path(__file__).resolve().parents[2]
_MB = 1024 * 1024
# Two, so that one slow piece of work does not hold up the short ones.
_threads = ThreadPoolExecutor(2, thread_name_prefix="guards")


@dataclass(frozen=True, slots=True)
class WorkOptions:
    """How work is done: `is_long` waits behind other long work, never before quick.

    `spend` is called with the processor time that it took.
    """

    is_long: bool = False
    spend: Callable[[float], None] | None = None


_USUAL = WorkOptions()


async def run_beside(
    function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs
) -> Result:
    """Run bounded work in a thread, to its end even if the caller is cancelled."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, lambda: function(*args, **kwargs))


async def run_bounded(
    function: Callable[..., Result],
    *arguments: Any,
    seconds: float = 10.0,
    memory: int = 1024 * _MB,
    label: str = "input",
    terms: WorkOptions = _USUAL,
) -> Result:
    """Run a function of a module in a process that can be ended.

    Args:
        function: A top-level function; its module is imported over there.
        arguments: What it is called with; they are pickled.
        seconds: Processor time that it may take.
        memory: Bytes that its process may have.
        label: Names the work in errors, for people.
        terms: How it is done.

    Raises:
        BudgetExceeded: if it takes more time or memory, or its process dies.
        CallboardError: what the function itself raises.
    """
    lane = _long if terms.is_long else _quick
    job = _Job((function, arguments, seconds, memory), label, lane.process)
    waiting = lane.thread.submit(job.run)
    future = asyncio.wrap_future(waiting)
    try:
        return await asyncio.shield(future)
    finally:
        if not future.done() and not waiting.cancel():
            job.kill()
            await asyncio.wait({future})
            if not future.cancelled():
                future.exception()
        if terms.spend is not None:
            terms.spend(job.spent)


class _Process:
    """The worker of this process, if it has one; used by one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: bytes, job: "_Job") -> bytes:
        """Send a request and read its answer; empty if the worker died of it."""
        for _ in range(2):
            process = self._running()
            job.begin(process)
            with contextlib.suppress(BrokenPipeError, ConnectionError):
                worker_process.write_frame(_stream(process.stdin), request)
                answer = worker_process.read_frame(_stream(process.stdout))
                if answer:
                    return answer
            self.end()
            # One that had nothing to do for a while ends by itself, before it reads.
            if process.returncode != 0 or job.is_killed:
                return b""
        return b""

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.end()
            code = (
                f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
                "from shared.guards.worker_process import main; main()"
            )
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )
        return self._process

    def end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


class _Lane:
    """One thread, so that a process of this kind is the only one of its lane."""

    def __init__(self, name: str) -> None:
        self.process = _Process()
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        # It would end by itself; this leaves nothing behind that is still ending.
        atexit.register(self.process.end)


_quick = _Lane("guards-worker")
_long = _Lane("guards-worker-long")


class _Job:
    """One piece of work, in the lane's thread; killed from the loop or by its timer."""

    def __init__(self, request: Any, label: str, process: _Process) -> None:
        self._request = request
        self._seconds: float = request[2]
        self._label = label
        self._process = process
        #: Processor time that it took over there.
        self.spent = 0.0
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self.is_killed = False

    def run(self) -> Any:
        request = worker_process.pack(*self._request)
        timer = threading.Timer(self._seconds * _PATIENCE, self.kill)
        timer.daemon = True
        timer.start()
        try:
            answer = self._process.ask(request, self)
        finally:
            timer.cancel()
            with self._lock:
                self._running = None
        if not answer:
            self.spent = self._seconds
            raise BudgetExceeded(f"{self._label}: takes too long or too much memory")
        self.spent, *outcome = pickle.loads(answer)  # noqa: S301 - our own process
        return _unpack(outcome, self._label)

    def begin(self, process: subprocess.Popen[bytes]) -> None:
        """Take note of the process, which may have been ended already."""
        with self._lock:
            self._running = process
            if self.is_killed:
                process.send_signal(signal.SIGKILL)

    def kill(self) -> None:
        with self._lock:
            self.is_killed = True
            if self._running is not None:
                self._running.send_signal(signal.SIGKILL)


def _unpack(answer: Sequence[Any], label: str) -> Any:
    outcome, *parts = answer
    if outcome == "value":
        return pickle.loads(parts[0])  # noqa: S301 - our own process wrote it
    if outcome == "list":
        # One by one, so that other threads get their turn in between.
        return [pickle.loads(part) for part in parts]  # noqa: S301 - as above
    if outcome == "memory":
        raise BudgetExceeded(f"{label}: takes too much memory")
    if outcome == "refused":
        kind, message = parts
        error: CallboardError = kind.__new__(kind)
        CallboardError.__init__(error, message)
        raise error
    raise RuntimeError(f"{label}: {parts[0]}")


def _stream(stream: Any) -> Any:
    if stream is None:
        raise BrokenPipeError
    return stream
