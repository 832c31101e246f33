"""Starts the embedded engines as processes, and returns their addresses."""

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
#: Added to the address of the embedded documents: writes do not wait for the disk. They
#: survive the end of any process, but not a power cut.
UNSYNCED = "/?journal=false"
#: The only user of the embedded documents (`deploy.embedded.login`), and the variable
#: with the path of the file with the password.
DOCUMENTS_USER = "callboard"
PASSWORD_FILE = "CALLBOARD_DOCUMENTS_PASSWORD_FILE"


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_broker(folder: Path, log: Path) -> Engine:
    """Start the event log; it is empty and has a new port at every start."""
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
    """Start the document store: MongoDB's wire protocol over SQLite files in `folder`.

    Clients need the password in `password_file`; without a file they need none.
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
    environment = {PASSWORD_FILE: str(password_file)} if password_file else {}
    process = _start(command, log, environment)
    _wait(process, lambda: answers(port), "The embedded document store", log)
    address = f"mongodb://127.0.0.1:{port}"
    server = None
    if password_file is not None:
        server = Server(address, DOCUMENTS_USER, password_file.read_text().strip())
    return Engine("documents", process, address, server)


def _start(
    command: list[str], log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            # The supervisor handles Ctrl-C and stops processes in order.
            start_new_session=True,
        )
