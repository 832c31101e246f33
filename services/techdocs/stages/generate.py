"""Stage two: mkdocs in a process of its own, with limits, without our environment."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from services.techdocs.generator.job import REFUSED, REFUSED_FILE, SITE_FILE, Job
from services.techdocs.model import Generated
from services.techdocs.ports import Say
from shared.contracts.errors import Invalid

ROOT = Path(__file__).resolve().parents[3]
LINE_BYTES = 64 * 1024
LINES = 2000
JOB_FILE = "job.json"
#: The code of a failure that may not happen the next time.
STOPPED = "stopped"


class ProcessGenerator:
    """Runs `services.techdocs.generator`; `seconds` is how long a build may take."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def generate(self, job: Job, say: Say) -> Generated:
        """Run one job; `say` gets every line of its log.

        Raises:
            Invalid: with the reason, if there is no site at the end.
        """
        path = Path(job.source).parent / JOB_FILE
        await asyncio.to_thread(job.write, path)
        began = time.monotonic()
        process = await _start(job, path)
        tail: list[str] = []
        try:
            async with asyncio.timeout(self._seconds):
                await _listen(process, tail, say)
                status = await process.wait()
        except TimeoutError:
            raise Invalid(
                f"mkdocs was stopped: it took longer than {self._seconds:.0f} s",
                code=STOPPED,
            ) from None
        finally:
            _kill(process)
            await process.wait()
        if status:
            reason = await asyncio.to_thread(_reason, job, status, tail)
            raise Invalid(reason, code=STOPPED if status < 0 else None)
        say(f"info: Generated in {time.monotonic() - began:.2f} s")
        return await asyncio.to_thread(_generated, job)


async def _start(job: Job, path: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        # Nothing of the site's own folder may be imported.
        "-P",
        "-m",
        "services.techdocs.generator",
        str(path),
        cwd=job.source,
        env=_environment(job),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=LINE_BYTES,
        start_new_session=True,
    )


def _environment(job: Job) -> dict[str, str]:
    """No secret of this process, no proxy, no home."""
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    return {
        **kept,
        "LC_ALL": "C.UTF-8",
        "HOME": str(Path(job.source).parent),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }


async def _listen(
    process: asyncio.subprocess.Process, tail: list[str], say: Say
) -> None:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    lines = 0
    while True:
        try:
            raw = await process.stdout.readline()
        except ValueError:
            continue  # a line over the limit; what was read of it is dropped
        if not raw:
            return
        line = raw.decode(errors="replace").rstrip()
        lines += 1
        if line and lines <= LINES:
            say(line)
            tail.append(line)
            del tail[:-20]


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the process and what it started, if anything is left of them."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _reason(job: Job, status: int, tail: list[str]) -> str:
    if status == REFUSED:
        return _own(job, REFUSED_FILE).decode(errors="replace")[:2000]
    if status == -signal.SIGXCPU:
        return f"mkdocs was stopped: it used {job.cpu_seconds} s of processor time"
    if status < 0:
        return f"mkdocs was stopped by signal {-status}"
    if any("MemoryError" in line for line in tail):
        return f"mkdocs needed more than {job.memory_bytes // 1024**2} MB of memory"
    return f"mkdocs failed: {tail[-1] if tail else f'status {status}'}"[:2000]


def _own(job: Job, name: str) -> bytes:
    """A file that the process wrote; a link would be somebody else's file."""
    opened = os.open(Path(job.record) / name, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(opened, "rb") as file:
        return file.read()


def _generated(job: Job) -> Generated:
    try:
        found: dict[str, Any] = json.loads(_own(job, SITE_FILE))
    except (OSError, ValueError) as error:
        raise Invalid("mkdocs ended without a site") from error
    return Generated(
        out=job.out,
        record=job.record,
        title=found["title"],
        pages=len(found["pages"]),
        warnings=tuple(found["warnings"][:50]),
    )
