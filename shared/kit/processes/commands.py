"""Runs commands of the operating system in threads, without forking this process.

uvloop starts processes by `fork`, which blocked a catalog of 780 MB for 43 ms at each
command. A thread with `vfork` takes 1.4 ms and blocks nothing. A fork would also
inherit locks that other threads hold.
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

#: The most commands that run at the same time; others wait.
CONCURRENT_COMMANDS = 16
#: The most bytes of standard error that `stream` returns.
STDERR_BYTES = 64 * 1024
#: Reads a command's output in the command's thread, to its end or not.
Consumer = Callable[[IO[bytes]], None]
_threads = ThreadPoolExecutor(CONCURRENT_COMMANDS, thread_name_prefix="command")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """Exit code and output of a command."""

    exit_code: int
    stdout: bytes
    stderr: bytes


async def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    seconds: float,
    cwd: Path | None = None,
    data: bytes | None = None,
) -> CommandResult:
    """Run a command to its end; `data` is its standard input.

    After a timeout or a cancellation, the command and its children are killed and have
    ended when this returns.

    Raises:
        TimeoutError: if it takes longer than `seconds`, waiting for a thread included.
        OSError: if it cannot be started.
    """
    process = _Command(command, env, cwd)
    return await _wait_or_kill(process, lambda: process.run(data), seconds)


async def stream(
    command: Sequence[str],
    consume: Consumer,
    *,
    env: Mapping[str, str],
    seconds: float,
    cwd: Path | None = None,
    source: IO[bytes] | None = None,
) -> CommandResult:
    """Run a command while `consume` reads its output; `source` is its input.

    When `consume` ends before the output does, or raises, the command is killed.

    Raises:
        TimeoutError: if it takes longer than `seconds`, waiting for a thread included.
        OSError: if it cannot be started.
    """
    process = _Command(command, env, cwd)
    return await _wait_or_kill(
        process, lambda: process.stream(consume, source), seconds
    )


async def _wait_or_kill(
    command: "_Command", work: Callable[[], CommandResult], seconds: float
) -> CommandResult:
    """Run `work` in a thread; kill the command at a timeout or a cancellation."""
    future = asyncio.get_running_loop().run_in_executor(_threads, work)
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(future)
    finally:
        if not future.done():
            command.kill()
            await asyncio.wait({future})
            future.exception()


class _Command:
    """One command, run by one thread; another thread may kill it."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path | None
    ) -> None:
        self._command = command
        self._env = env
        self._cwd = cwd
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_killed = False

    def run(self, data: bytes | None) -> CommandResult:
        with self._lock:
            if self._is_killed:
                return CommandResult(-signal.SIGKILL, b"", b"")
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # A process group of its own can be killed with its children.
                start_new_session=True,
            )
        out, err = self._process.communicate(data)
        return CommandResult(self._process.returncode, out, err)

    def stream(self, consume: Consumer, source: IO[bytes] | None) -> CommandResult:
        """Run the command until it or the consumer ends."""
        with tempfile.TemporaryFile() as stderr:
            process = self._start(source, stderr)
            if process is None or process.stdout is None:
                return CommandResult(-signal.SIGKILL, b"", b"")
            is_consumed = False
            try:
                consume(process.stdout)
                is_consumed = not process.stdout.read(1)
            finally:
                if not is_consumed:
                    self.kill()
                process.stdout.close()
                process.wait()
            stderr.seek(0)
            code = process.returncode if is_consumed else 0
            return CommandResult(code, b"", stderr.read(STDERR_BYTES))

    def _start(
        self, source: IO[bytes] | None, stderr: IO[bytes]
    ) -> "subprocess.Popen[bytes] | None":
        with self._lock:
            if self._is_killed:
                return None
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL if source is None else source,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        return self._process

    def kill(self) -> None:
        with self._lock:
            self._is_killed = True
        # Also if the command has ended: its children may keep its output open.
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
