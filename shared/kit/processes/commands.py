"""Runs commands of the operating system beside the loop, without copying this process.

The loop's own way (uvloop's) forks: for a catalog of 780 MB each command held
everything up for 43 ms, where a thread and `vfork` take 1.4 ms and hold nothing up. And
what a fork finds locked by another thread stays locked in it.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

#: Commands at once; the others wait for their turn.
MOST = 16
#: Of what a command complained of, when its output is consumed as it comes.
COMPLAINT_BYTES = 64 * 1024
#: Reads a command's output in the command's own thread, as much of it as it likes.
Consumer = Callable[[IO[bytes]], None]
_threads = ThreadPoolExecutor(MOST, thread_name_prefix="command")


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended, and what it printed."""

    code: int
    out: bytes
    err: bytes


async def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    seconds: float,
    cwd: Path | None = None,
    data: bytes | None = None,
) -> Finished:
    """Run a command to its end; `data` is its standard input.

    Late or cancelled, it is killed with all that it started, and has ended then.

    Raises:
        TimeoutError: if it takes longer than `seconds`, its turn included.
        OSError: if it cannot be started.
    """
    running = _Running(command, env, cwd)
    return await _ended(running, lambda: running.go(data), seconds)


async def stream(
    command: Sequence[str],
    consume: Consumer,
    *,
    env: Mapping[str, str],
    seconds: float,
    cwd: Path | None = None,
    source: IO[bytes] | None = None,
) -> Finished:
    """Run a command, its output read by `consume` as it comes; `source` is its input.

    When `consume` ends before the output does, or raises, the command is killed.

    Raises:
        TimeoutError: if it takes longer than `seconds`, its turn included.
        OSError: if it cannot be started.
    """
    running = _Running(command, env, cwd)
    return await _ended(running, lambda: running.feed(consume, source), seconds)


async def _ended(
    running: "_Running", work: Callable[[], Finished], seconds: float
) -> Finished:
    """How a command ended that one of the threads works for; late, it is killed."""
    ended = asyncio.get_running_loop().run_in_executor(_threads, work)
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(ended)
    finally:
        if not ended.done():
            running.kill()
            await asyncio.wait({ended})
            ended.exception()


class _Running:
    """One command, in one thread; killed from another."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path | None
    ) -> None:
        self._command = command
        self._env = env
        self._cwd = cwd
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_killed = False

    def go(self, data: bytes | None) -> Finished:
        with self._starting:
            if self._is_killed:
                return Finished(-signal.SIGKILL, b"", b"")
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # A group of its own: killed with what it started.
                start_new_session=True,
            )
        out, err = self._process.communicate(data)
        return Finished(self._process.returncode, out, err)

    def feed(self, consume: Consumer, source: IO[bytes] | None) -> Finished:
        """Run the command to its end, or to the consumer's."""
        with tempfile.TemporaryFile() as complaints:
            process = self._start(source, complaints)
            if process is None or process.stdout is None:
                return Finished(-signal.SIGKILL, b"", b"")
            is_whole = False
            try:
                consume(process.stdout)
                is_whole = not process.stdout.read(1)
            finally:
                if not is_whole:
                    self.kill()
                process.stdout.close()
                process.wait()
            complaints.seek(0)
            code = process.returncode if is_whole else 0
            return Finished(code, b"", complaints.read(COMPLAINT_BYTES))

    def _start(
        self, source: IO[bytes] | None, complaints: IO[bytes]
    ) -> "subprocess.Popen[bytes] | None":
        with self._starting:
            if self._is_killed:
                return None
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL if source is None else source,
                stdout=subprocess.PIPE,
                stderr=complaints,
                start_new_session=True,
            )
        return self._process

    def kill(self) -> None:
        with self._starting:
            self._is_killed = True
        # Also when it has ended itself: what it started may hold its output open.
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
