"""Starts servers as processes, waits until they answer, and never leaves orphans."""

import json
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.engines.engine import Engine, EngineFailed, end
from shared.kit.config.servers import Server

START_SECONDS = 110.0
POLL_SECONDS = 0.05
#: Below the kernel's ports for outgoing connections, so that a free port stays free.
PORTS = range(20_000, 32_000)
PORTS_FILE = "ports.json"
#: Ends a process when its standard input is closed, which happens when the parent ends
#: in any way. A frozen server reacts only to SIGKILL.
LEASH = 'cat >/dev/null; kill -TERM "$1"; sleep 8; kill -KILL "$1"'


def port(folder: Path, requested: int | None = None, name: str = "client") -> int:
    """The requested port, else the folder's last port, else a free one.

    The folder is created if it is missing.

    Raises:
        EngineFailed: if the requested port is in use.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / PORTS_FILE
    ports: dict[str, int] = json.loads(file.read_text()) if file.is_file() else {}
    chosen = requested or ports.get(name)
    if requested and not _is_free(requested):
        raise EngineFailed(
            f"port {requested} of 127.0.0.1 is in use by another process"
        )
    if chosen is None or not _is_free(chosen):
        chosen = quiet_port()
    if ports.get(name) != chosen:
        new = file.with_suffix(".new")
        new.write_text(json.dumps({**ports, name: chosen}) + "\n")
        new.replace(file)
    return chosen


def quiet_port() -> int:
    """A free TCP port of 127.0.0.1 that the kernel does not assign by itself."""
    for chosen in random.sample(PORTS, 200):
        if _is_free(chosen):
            return chosen
    raise EngineFailed(f"no TCP port between {PORTS.start} and {PORTS.stop} is free")


def _is_free(chosen: int) -> bool:
    with socket.socket() as probe:
        # As the servers do, because closed connections may linger.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", chosen))
        except OSError:
            return False
    return True


def start(
    command: Sequence[str],
    log: Path,
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command in its folder, with its output in the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            # The parent handles Ctrl-C.
            start_new_session=True,
        )


def start_engine(
    name: str,
    address: str,
    command: Sequence[str],
    log: Path,
    *,
    folder: Path,
    secured: Server | None = None,
    detached: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Engine:
    """Start an engine's command; the process ends with this one unless detached."""
    process = start(command, log, folder=folder, environment=environment)
    companions = [] if detached else [_end_with_parent(process)]
    return Engine(name, process, address, secured, companions)


def _end_with_parent(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """Let a process end with this one, also if this one is killed."""
    return subprocess.Popen(
        ["sh", "-c", LEASH, "callboard-leash", str(process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait(
    process: subprocess.Popen[bytes],
    ready: Callable[[], bool],
    display_name: str,
    log: Path,
    *,
    seconds: float = START_SECONDS,
    every: float = POLL_SECONDS,
) -> None:
    """Wait until a server answers; it is checked `every` so many seconds.

    Raises:
        EngineFailed: if it ends or does not answer in time; with the log's last lines.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            problem = f"{display_name} ended with {process.returncode}"
            raise EngineFailed(f"{problem}; see {log}\n{last_words(log)}")
        if time.monotonic() > deadline:
            end(process, 1.0)
            message = f"{display_name} did not answer within {seconds:.0f} s"
            raise EngineFailed(f"{message}; see {log}\n{last_words(log)}")
        time.sleep(every)


def last_words(log: Path) -> str:
    """The last lines of a log, for a message."""
    lines = log.read_text("utf-8", "replace").splitlines() if log.is_file() else []
    return "\n".join(line[:300] for line in lines[-6:])


def properties_file(path: Path, properties: Mapping[str, object]) -> Path:
    """Write the configuration of a Java server, which may hold passwords."""
    lines = [f"{name}={value}\n" for name, value in properties.items()]
    return secret_file(path, "".join(lines))


def secret_file(path: Path, text: str) -> Path:
    """Write a file that only its owner may read."""
    path.unlink(missing_ok=True)
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
    ) as f:
        f.write(text)
    return path
