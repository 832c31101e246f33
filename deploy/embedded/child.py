"""Turns a process into one of the services, on a socket that listens already.

A forked child costs milliseconds and shares its memory, and is right while no other
thread of the supervisor does anything. While an engine is being started in a thread, a
fork would copy that thread's locks as held for ever, and the pipe on which it waits for
its own child: then the service is a fresh process instead, as
`python -m deploy.embedded.child NAME` with the socket as its file handle 3.
"""

import ctypes
import importlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path

HANDLE = 3


def fork(
    name: str,
    listening: socket.socket,
    environment: Mapping[str, str],
    log: Path,
    others: Iterable[socket.socket] = (),
) -> int:
    """A service in a copy of this process; the child's id.

    `others` are sockets of the parent that the child has no business with.
    """
    pid = os.fork()
    if pid == 0:
        _become(name, listening, environment, log, others)
    return pid


def spawn(
    name: str, listening: socket.socket, environment: Mapping[str, str], log: Path
) -> int:
    """A service in a process of its own; the child's id."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "deploy.embedded.child", name],
        {**os.environ, **environment},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, listening.fileno(), HANDLE),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=(signal.SIGTERM, signal.SIGINT),
    )


def run_service(name: str, listening: socket.socket) -> None:
    """Serve one service in this process, on a socket that is already listening."""
    serving = importlib.import_module("shared.kit.http.serving")
    main = importlib.import_module(f"services.{name}.main")
    settings = importlib.import_module(f"services.{name}.settings").Settings()
    serving.serve(
        name, lambda: main.create_app(settings), settings, listening=listening
    )


def _become(
    name: str,
    listening: socket.socket,
    environment: Mapping[str, str],
    log: Path,
    others: Iterable[socket.socket],
) -> None:
    """Turn this fresh child into a service; never returns."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        _end_with_parent()
        _redirect(log)
        os.environ.update(environment)
        for other in others:
            other.close()
        run_service(name, listening)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - a child must never return from here
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _redirect(log: Path) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the supervisor dies (Linux only)."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def main() -> None:
    """Serve the service that the command line names."""
    _end_with_parent()
    run_service(sys.argv[1], socket.socket(fileno=HANDLE))


if __name__ == "__main__":
    main()
