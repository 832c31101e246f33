"""Document stores of a test's own, which it may kill and freeze."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded import engines
from deploy.engines import documents
from deploy.engines.engine import Engine
from tests.conftest import SERVERS
from tests.waiting import until_now


def start(folder: Path, port: int | None = None) -> Engine:
    """Start one over the data in a folder, of the kind that this run is about."""
    starting = documents.start if SERVERS else engines.start_documents
    return starting(folder / "store", folder / "store.log", port=port)


@contextmanager
def started(folder: Path) -> Iterator[Engine]:
    """One for the length of a test."""
    engine = start(folder)
    try:
        yield engine
    finally:
        engine.stop()


@contextmanager
def frozen(engine: Engine) -> Iterator[None]:
    """Let one stand still for a while: every thread of it, which takes a moment."""
    os.kill(engine.process.pid, signal.SIGSTOP)
    until_now(lambda: _still(engine.process.pid), condition="it stands still")
    try:
        yield
    finally:
        os.kill(engine.process.pid, signal.SIGCONT)


def _still(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").iterdir()
    states = [
        (thread / "stat").read_text().rpartition(") ")[2][0] for thread in threads
    ]
    return set(states) == {"T"}
