"""Starts the embedded engines as processes, and tells where they answer."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from deploy.engines import processes
from deploy.engines.engine import Engine, answers
from shared.kit.config.servers import Server

_wait = partial(processes.wait, seconds=20.0, every=0.02)
#: To the address of the embedded documents: on one machine a write need not wait for
#: the disk. It outlives the end of any process so, if not a power cut.
UNSYNCED = "/?journal=false"
#: By what name the embedded documents know everybody (`deploy.embedded.login`), and the
#: variable by which their process is told where the password is.
DOCUMENTS_USER = "callboard"
PASSWORD_FILE = "CALLBOARD_DOCUMENTS_PASSWORD_FILE"


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_broker(folder: Path, log: Path) -> Engine:
    """The event log. Its port is new at every start, and so is its memory."""
    folder.mkdir(parents=True, exist_ok=True)
    address_file = folder / "broker.address"
    address_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "deploy.embedded.broker", str(address_file)]
    process = _start(command, log)
    _wait(process, address_file.exists, "The embedded event log", log)
    return Engine("broker", process, address_file.read_text().strip())


def start_documents(
    folder: Path,
    log: Path,
    port: int | None = None,
    *,
    password_file: Path | None = None,
) -> Engine:
    """The document store: MongoDB's wire protocol over SQLite files in `folder`.

    It asks for the password in `password_file`; without one it asks for nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    command = [
        sys.executable,
        "-m",
        "deploy.embedded.documents",
        "--data-dir",
        str(folder),
        "--port",
        str(port),
        "--log-file",
        str(log),
        "--pid-file",
        str(folder / "pid"),
    ]
    more = {PASSWORD_FILE: str(password_file)} if password_file else {}
    process = _start(command, log, more)
    _wait(process, lambda: answers(port), "The embedded document store", log)
    address = f"mongodb://127.0.0.1:{port}"
    secured = None
    if password_file is not None:
        secured = Server(address, DOCUMENTS_USER, password_file.read_text().strip())
    return Engine("documents", process, address, secured)


def _start(
    command: list[str], log: Path, more: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(more or {})},
            # Ctrl-C in the terminal is the supervisor's to answer, in its own order.
            start_new_session=True,
        )
