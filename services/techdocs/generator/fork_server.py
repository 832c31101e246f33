"""Builds sites, each in a fork of this process, which has loaded all modules before.

Loading mkdocs and compiling the theme is four fifths of a small build. On standard
input comes the path of a job file per line; on standard output go JSON lines:
`{job, pid}` when its process began, `{job, line}` for its log, `{job, status}` at its
end. When the input ends, so does everything here: nothing outlives the service.
"""

import contextlib
import gc
import json
import os
import selectors
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from services.techdocs.build_log import BuildLog, without_paths
from services.techdocs.generator.build import build
from services.techdocs.generator.child import FAILED, run
from services.techdocs.generator.job import Job
from services.techdocs.generator.recorder import CompiledTemplates

#: After so long without a job, the theme's templates are compiled in advance.
IDLE_SECONDS = 0.2
CHUNK = 64 * 1024
LINE_CHARACTERS = 4000
SAMPLE = """# Sample

## Code

```python
print("hello")
```

!!! note
    A [link](other.md), `code` and a table.

| a | b |
|---|---|
| 1 | 2 |
"""


@dataclass(slots=True)
class _Child:
    """A running job: its process, the pipe of its log, the log, and a begun line."""

    job: str
    pid: int
    pipe: int
    log: BuildLog
    shortened: Callable[[str], str]
    rest: bytes = b""


class BuildForkServer:
    """Takes jobs, forks a process for each, and reports how each one ends."""

    def __init__(self) -> None:
        self._templates = CompiledTemplates()
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, _Child] = {}
        self._input = b""
        self._warm = False

    def run(self) -> None:
        """Work until standard input ends."""
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        while True:
            wait = None if self._warm or self._children else IDLE_SECONDS
            ready = self._selector.select(wait)
            if not ready:
                self._compile()
            for key, _ in ready:
                if key.fd != sys.stdin.fileno():
                    self._read_log(self._children[key.fd])
                elif not self._take():
                    self._end()
                    return

    def _take(self) -> bool:
        """Start the requested jobs; False at the end of the input."""
        read = os.read(sys.stdin.fileno(), CHUNK)
        *jobs, self._input = (self._input + read).split(b"\n")
        for job in jobs:
            self._start(job.decode())
        return bool(read)

    def _start(self, job: str) -> None:
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._be_child(job, write_end)
        os.close(write_end)
        # However much a build writes, its log is bounded.
        log = BuildLog(lambda line: _write(job=job, line=line))
        shortened = without_paths(Path(job).parent)
        self._children[read_end] = _Child(job, pid, read_end, log, shortened)
        self._selector.register(read_end, selectors.EVENT_READ)
        _write(job=job, pid=pid)

    def _be_child(self, job: str, pipe: int) -> NoReturn:
        status = FAILED
        try:
            os.setsid()
            for number in (1, 2):
                os.dup2(pipe, number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            status = run(Path(job), self._templates)
        except BaseException:  # noqa: BLE001 - a fork must never go on as its parent
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _read_log(self, child: _Child) -> None:
        read = os.read(child.pipe, CHUNK)
        *lines, child.rest = (child.rest + read).split(b"\n")
        # A line without an end is cut: a build cannot fill this process' memory.
        child.rest = child.rest[-LINE_CHARACTERS:]
        for line in lines:
            child.log.add(child.shortened(line.decode(errors="replace")))
        if not read:
            self._report_end(child)

    def _report_end(self, child: _Child) -> None:
        self._selector.unregister(child.pipe)
        os.close(child.pipe)
        del self._children[child.pipe]
        _kill(child.pid)
        _, status = os.waitpid(child.pid, 0)
        child.log.end()
        _write(job=child.job, status=os.waitstatus_to_exitcode(status))

    def _end(self) -> None:
        for child in self._children.values():
            _kill(child.pid)

    def _compile(self) -> None:
        """Build a sample site: every fork has the templates that it compiles."""
        with tempfile.TemporaryDirectory() as parent:
            source, out, record = (Path(parent, n) for n in ("source", "out", "record"))
            for folder in (source / "docs", out, record):
                folder.mkdir(parents=True)
            for name in ("index.md", "other.md"):
                (source / "docs" / name).write_text(SAMPLE)
            job = Job(str(source), str(out), str(record), title="Sample")
            build(job, self._templates)
            _remove_temporary_folders()
        self._warm = True
        gc.collect()
        # Pages that the collector does not touch stay shared with the forks.
        gc.freeze()


def _remove_temporary_folders() -> None:
    """Remove what the sample left, and with it the finalizers that forks would run."""
    for folder_object in gc.get_objects():
        if isinstance(folder_object, tempfile.TemporaryDirectory):
            folder_object.cleanup()


def _kill(pid: int) -> None:
    """End a job's process and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _write(**message: Any) -> None:
    raw = json.dumps(message).encode() + b"\n"
    while raw:
        raw = raw[os.write(1, raw) :]
