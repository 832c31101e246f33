"""Starts a service as a child process, on a socket that is already listening.

A forked child starts in milliseconds and shares memory, but forking is safe only while
the supervisor has no busy threads: a child inherits the locks and pipes of a thread
that is starting an engine. In that case the service is spawned as a new process,
`python -m deploy.embedded.child NAME`, with the socket as file descriptor 3.
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

SOCKET_DESCRIPTOR = 3


def fork(
    name: str,
    listening: socket.socket,
    environment: Mapping[str, str],
    log: Path,
    other_sockets: Iterable[socket.socket] = (),
) -> int:
    """Start a service in a fork of this process; returns the child's process id.

    `other_sockets` are the parent's sockets that the child must close.
    """
    pid = os.fork()
    if pid == 0:
        _run_child(name, listening, environment, log, other_sockets)
    return pid


def spawn(
    name: str, listening: socket.socket, environment: Mapping[str, str], log: Path
) -> int:
    """Start a service in a new process; returns its process id."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "deploy.embedded.child", name],
        {**os.environ, **environment},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, listening.fileno(), SOCKET_DESCRIPTOR),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=(signal.SIGTERM, signal.SIGINT),
    )


def run_service(name: str, listening: socket.socket) -> None:
    """Run one service in this process, on a socket that is already listening."""
    serving = importlib.import_module("shared.kit.http.serving")
    main = importlib.import_module(f"services.{name}.main")
    model = importlib.import_module(f"services.{name}.settings").Settings
    settings = importlib.import_module("shared.kit.config.settings").read_settings(
        model
    )
    serving.serve(
        name, lambda: main.create_app(settings), settings, listening=listening
    )


def _run_child(
    name: str,
    listening: socket.socket,
    environment: Mapping[str, str],
    log: Path,
    other_sockets: Iterable[socket.socket],
) -> None:
    """Run the service in this forked child; never returns."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        _end_with_parent()
        _redirect(log)
        os.environ.update(environment)
        for parent_socket in other_sockets:
            parent_socket.close()
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
    """Run the service that the command line names."""
    _end_with_parent()
    run_service(sys.argv[1], socket.socket(fileno=SOCKET_DESCRIPTOR))


if __name__ == "__main__":
    main()
