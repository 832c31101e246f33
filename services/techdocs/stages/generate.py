"""Stage two: mkdocs in processes of its own, with limits and an empty environment."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Required, Self, TypedDict

from services.techdocs.build_log import without_paths
from services.techdocs.generator.job import (
    NO_ROOM,
    PAGE_FILE,
    REFUSED,
    REFUSED_FILE,
    SITE_FILE,
    Job,
)
from services.techdocs.generator.site_summary import SiteSummary
from services.techdocs.model import Generated
from services.techdocs.ports import Say
from shared.contracts import disk_space
from shared.contracts.errors import Invalid, Unavailable

ROOT = Path(__file__).resolve().parents[3]
LINE_BYTES = 64 * 1024
TAIL = 20
SUMMARY_BYTES = 16 * 1024 * 1024
REASON_CHARACTERS = 2000
JOB_FILE = "job.json"
END_SECONDS = 2.0
#: The code of a failure that may not happen the next time.
STOPPED = "stopped"


@dataclass(slots=True)
class _Running:
    """A job in the generating process: `say` gets its log, `ended` its exit status."""

    say: Say
    ended: asyncio.Future[int]
    pid: int | None = None
    tail: list[str] = field(default_factory=list)


class ProcessGenerator:
    """Hands jobs to `services.techdocs.generator`, starting it when it is needed.

    `seconds` is how long a build may take. Use as an async context manager: at its
    end the process and its jobs are ended too.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[str, _Running] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is None or self._reader is None:
            return
        assert self._process.stdin is not None  # noqa: S101 - stdin is a pipe
        # At the end of its input the process ends its jobs, and then itself.
        self._process.stdin.close()
        await asyncio.wait({self._reader}, timeout=END_SECONDS)
        if self._process.returncode is None:
            self._process.kill()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def warm_up(self) -> None:
        """Start the process before the first job, so that it need not wait."""
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                self._process = await _start()
                self._reader = asyncio.create_task(self._listen(self._process))

    async def generate(self, job: Job, say: Say) -> Generated:
        """Run one job; `say` gets every line of its log.

        Raises:
            Invalid: with the reason, if there is no site at the end.
            Unavailable: if the process that runs the jobs died, or the disk is full.
        """
        workspace = Path(job.source).parent
        path = workspace / JOB_FILE
        await asyncio.to_thread(job.write, path)
        await self.warm_up()
        started_at = time.monotonic()
        ended = asyncio.get_running_loop().create_future()
        running = self._running[str(path)] = _Running(say, ended)
        try:
            async with asyncio.timeout(self._seconds):
                await self._hand_over(path)
                status = await running.ended
        except TimeoutError:
            # The process' end is the end of its log.
            _kill(running.pid)
            await asyncio.wait({ended}, timeout=END_SECONDS)
            late = f"it took longer than {self._seconds:g} s"
            reason = await asyncio.to_thread(_stopped, job, late)
            raise Invalid(reason, code=STOPPED) from None
        finally:
            del self._running[str(path)]
            _kill(running.pid)
        if status == NO_ROOM:
            raise disk_space.DiskFull
        if status:
            reason = await asyncio.to_thread(_reason, job, status, running.tail)
            reason = without_paths(workspace)(reason)[:REASON_CHARACTERS]
            raise Invalid(reason, code=STOPPED if status < 0 else None)
        say(f"info: Generated in {time.monotonic() - started_at:.2f} s")
        return await asyncio.to_thread(_generated, job)

    async def _hand_over(self, path: Path) -> None:
        process = self._process
        assert process is not None  # noqa: S101 - warmed up
        assert process.stdin is not None  # noqa: S101 - stdin is a pipe
        try:
            process.stdin.write(f"{path}\n".encode())
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            # The pipe breaks before the exit is known; the next job starts a process.
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise Unavailable("The generator of docs has ended") from error

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - stdin is a pipe
        while raw := await process.stdout.readline():
            message: _Message = json.loads(raw)
            running = self._running.get(message["job"])
            if running is not None:
                _apply(message, running)
            else:
                # The job was given up before its process began: it is ended here.
                _kill(message.get("pid"))
        await process.wait()
        for running in self._running.values():
            if not running.ended.done():
                lost = Unavailable("The generator of docs has ended")
                running.ended.set_exception(lost)


class _Message(TypedDict, total=False):
    """A line that the generating process writes (`BuildForkServer`)."""

    job: Required[str]
    pid: int
    line: str
    status: int


def _apply(message: _Message, running: _Running) -> None:
    running.pid = message.get("pid", running.pid)
    line = message.get("line", "").rstrip()
    if line:
        running.say(line)
        running.tail.append(line)
        del running.tail[:-TAIL]
    if "status" in message:
        # The process is gone, and another one may have its number by now.
        running.pid = None
        if not running.ended.done():
            running.ended.set_result(message["status"])


async def _start() -> asyncio.subprocess.Process:
    # Started once, while this process is still small.
    return await asyncio.create_subprocess_exec(  # noqa: TID251
        sys.executable,
        # Nothing of a site's own folder may be imported.
        "-P",
        "-m",
        "services.techdocs.generator",
        cwd=ROOT,
        env=_environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    """No secret of this process, no proxy, no home."""
    path = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    return {
        **path,
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }


def _kill(pid: int | None) -> None:
    """End a job's process and what it started, if it is still there."""
    if pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _reason(job: Job, status: int, tail: list[str]) -> str:
    if status == REFUSED:
        return _own(job, REFUSED_FILE).decode(errors="replace")
    if status == -signal.SIGXCPU:
        return _stopped(job, f"it used {job.cpu_seconds} s of processor time")
    if status < 0:
        return _stopped(job, f"by signal {-status}")
    if any("MemoryError" in line for line in tail):
        limit = job.memory_bytes // 1024**2
        return _stopped(job, f"it needed more than {limit} MB of memory")
    return f"mkdocs failed: {tail[-1] if tail else f'status {status}'}"


def _stopped(job: Job, reason: str) -> str:
    """Why a build was ended, and the page that it was at."""
    try:
        page = _own(job, PAGE_FILE).decode(errors="replace")
    except OSError:
        return f"mkdocs was stopped: {reason}"
    return f"{page}: mkdocs was stopped at this page: {reason}"


def _own(job: Job, name: str, most: int = 1024 * 1024) -> bytes:
    """A file that the process wrote; links are not followed."""
    opened = os.open(Path(job.record) / name, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(opened, "rb") as file:
        return file.read(most)


def _generated(job: Job) -> Generated:
    try:
        summary: SiteSummary = json.loads(_own(job, SITE_FILE, SUMMARY_BYTES))
    except (OSError, ValueError) as error:
        raise Invalid("mkdocs ended without a site") from error
    return Generated(
        out=job.out,
        record=job.record,
        title=summary["title"],
        pages=len(summary["pages"]),
        warnings=tuple(summary["warnings"]),
    )
