"""Starts a server as a process, waits until it answers, never leaves it orphaned."""

import json
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.engines.engine import EngineFailed, end

START_SECONDS = 110.0
POLL_SECONDS = 0.05
#: Below those that the kernel gives to outgoing connections: found free, it stays so.
PORTS = range(20_000, 32_000)
PORTS_FILE = "ports.json"
#: Ends a process when the other end of its standard input is closed: when its parent
#: ends, however that ends. A server that is frozen hears only SIGKILL.
LEASH = 'cat >/dev/null; kill -TERM "$1"; sleep 8; kill -KILL "$1"'


def port(folder: Path, given: int | None = None, name: str = "client") -> int:
    """The given port, else the one this folder's server had, else a free one.

    Raises:
        EngineFailed: if the given one is somebody else's.
    """
    file = folder / PORTS_FILE
    known: dict[str, int] = json.loads(file.read_text()) if file.is_file() else {}
    chosen = given or known.get(name)
    if given and not _free(given):
        raise EngineFailed(f"port {given} of 127.0.0.1 is in use by another process")
    if chosen is None or not _free(chosen):
        chosen = quiet_port()
    if known.get(name) != chosen:
        new = file.with_suffix(".new")
        new.write_text(json.dumps({**known, name: chosen}) + "\n")
        new.replace(file)
    return chosen


def quiet_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses, nor is given by the kernel soon."""
    for chosen in random.sample(PORTS, 200):
        if _free(chosen):
            return chosen
    raise EngineFailed(f"no TCP port between {PORTS.start} and {PORTS.stop} is free")


def _free(chosen: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: connections of the one before may linger.
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
    """Start a command in its folder; what it says goes to the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            # Ctrl-C in the terminal is for whoever started it to answer.
            start_new_session=True,
        )


def leash(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """Let a process end with this one, also when this one is killed."""
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
    what: str,
    log: Path,
    *,
    seconds: float = START_SECONDS,
    every: float = POLL_SECONDS,
) -> None:
    """Wait until a server answers, looking `every` so many seconds.

    Raises:
        EngineFailed: if it ends, or does not answer in time; with the log's last words.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            ended = f"{what} ended with {process.returncode}"
            raise EngineFailed(f"{ended}; see {log}\n{last_words(log)}")
        if time.monotonic() > deadline:
            end(process, 1.0)
            late = f"{what} did not answer within {seconds:.0f} s"
            raise EngineFailed(f"{late}; see {log}\n{last_words(log)}")
        time.sleep(every)


def last_words(log: Path) -> str:
    """The end of a log, for a message."""
    lines = log.read_text("utf-8", "replace").splitlines() if log.is_file() else []
    return "\n".join(line[:300] for line in lines[-6:])


def secret_file(path: Path, text: str) -> Path:
    """Write a file that its owner alone may read."""
    path.unlink(missing_ok=True)
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
    ) as f:
        f.write(text)
    return path
