"""Runs work on foreign input outside of the event loop.

`run_beside` runs bounded, short work in a few threads, so that requests wait for each
other and never block the loop. `run_bounded` runs everything else in a worker process,
which is killed when it takes too much time or memory. The process starts with the first
job and ends when it has been idle for a while. Long jobs have a second process, so that
short jobs never wait for them.
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
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from shared.contracts.errors import CallboardError
from shared.guards import worker_process
from shared.guards.budgets import BudgetExceeded

P = ParamSpec("P")
Result = TypeVar("Result")

#: A job may take so many times its processor time by the clock.
_PATIENCE = 6.0
_ROOT = Path(__file__).resolve().parents[2]
_MB = 1024 * 1024
# Two threads, so that one slow job does not delay the short ones.
_threads = ThreadPoolExecutor(2, thread_name_prefix="guards")


@dataclass(frozen=True, slots=True)
class WorkOptions:
    """Options of a job: a job with `is_long` runs in the process for long jobs.

    `spend` is called with the processor time that the job took.
    """

    is_long: bool = False
    spend: Callable[[float], None] | None = None


_USUAL = WorkOptions()


class ThreadCall(Protocol):
    """Calls a function in a thread, as `run_beside` does."""

    def __call__(
        self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, Result]: ...


async def run_beside(
    function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
) -> Result:
    """Run bounded work in a thread; it runs to its end if the caller is cancelled."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, lambda: function(*args, **kwargs))


async def run_bounded(
    function: Callable[..., Result],
    *arguments: Any,
    seconds: float = 10.0,
    memory: int = 1024 * _MB,
    label: str = "input",
    options: WorkOptions = _USUAL,
) -> Result:
    """Run a function of a module in a process that can be killed.

    Args:
        function: A top-level function; the process imports its module.
        arguments: The function's arguments; they are pickled.
        seconds: The most processor time.
        memory: The most bytes of memory of the process.
        label: Names the job in errors.
        options: How the job runs.

    Raises:
        BudgetExceeded: if it takes more time or memory, or its process dies.
        CallboardError: as the function raises it.
    """
    lane = _long if options.is_long else _quick
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
        if options.spend is not None:
            options.spend(job.spent)


class _Process:
    """The worker process, if it runs; one thread at a time uses it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def request(self, request: bytes, job: "_Job") -> bytes:
        """Send a request and read its reply; empty if the worker died."""
        for _ in range(2):
            process = self._worker()
            job.begin(process)
            with contextlib.suppress(BrokenPipeError, ConnectionError):
                worker_process.write_frame(_stream(process.stdin), request)
                answer = worker_process.read_frame(_stream(process.stdout))
                if answer:
                    return answer
            self.end()
            # An idle worker ends by itself before it reads; then a second try is due.
            if process.returncode != 0 or job.is_killed:
                return b""
        return b""

    def _worker(self) -> subprocess.Popen[bytes]:
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
    """One thread with one worker process, for jobs of one kind."""

    def __init__(self, name: str) -> None:
        self.process = _Process()
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        # The worker ends with its parent; this waits until it has ended.
        atexit.register(self.process.end)


_quick = _Lane("guards-worker")
_long = _Lane("guards-worker-long")


class _Job:
    """One job, run by the lane's thread; the event loop or a timer may kill it."""

    def __init__(self, request: Any, label: str, process: _Process) -> None:
        self._request = request
        self._seconds: float = request[2]
        self._label = label
        self._process = process
        #: Processor time that the job took in the worker.
        self.spent = 0.0
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None
        self.is_killed = False

    def run(self) -> Any:
        request = worker_process.pack(*self._request)
        timer = threading.Timer(self._seconds * _PATIENCE, self.kill)
        timer.daemon = True
        timer.start()
        try:
            answer = self._process.request(request, self)
        finally:
            timer.cancel()
            with self._lock:
                self._worker = None
        if not answer:
            self.spent = self._seconds
            raise BudgetExceeded(f"{self._label}: takes too long or too much memory")
        self.spent, *outcome = pickle.loads(answer)  # noqa: S301 - our own process
        return _unpack(outcome, self._label)

    def begin(self, process: subprocess.Popen[bytes]) -> None:
        """Register the process; kill it if the job was killed before."""
        with self._lock:
            self._worker = process
            if self.is_killed:
                process.send_signal(signal.SIGKILL)

    def kill(self) -> None:
        with self._lock:
            self.is_killed = True
            if self._worker is not None:
                self._worker.send_signal(signal.SIGKILL)


def _unpack(answer: Sequence[Any], label: str) -> Any:
    outcome, *parts = answer
    if outcome == "value":
        return pickle.loads(parts[0])  # noqa: S301 - our own process wrote it
    if outcome == "list":
        # One by one, so that other threads run in between.
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
