"""Keeps one machine's portal running: engines and services, restarted if killed.

The services are forked from this process after it has imported what they share, so
that starting one costs milliseconds and their memory is shared; their listening sockets
are bound here and survive them, so a restart refuses nobody. Run as
`python -m deploy.embedded.supervisor --data DIR --port N --config FILE --engines FORM`.
"""

import argparse
import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType

from deploy.embedded import child
from deploy.embedded.backing import EMBEDDED, FORMS, Backing, WrongEngines
from deploy.embedded.rundata import SERVICES, AlreadyRunning, RunData
from deploy.engines.cache import CannotFetch
from deploy.engines.engine import Engine, EngineFailed
from shared.contracts.errors import CallboardError

#: A little longer than a service's own limit (`shared.kit.http.serving.END_SECONDS`).
STOP_SECONDS = 15.0
#: For services whose event log is gone: they cannot say goodbye to it.
ORPHAN_SECONDS = 1.5
POLL_SECONDS = 0.1
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0
CALM_SECONDS = 30.0
BACKLOG = 1024
#: What a start may fail with; each message is for the operator.
FAILURES = (EngineFailed, CannotFetch, CallboardError, OSError)
#: Imported before the first fork: what every service needs anyway.
SHARED_MODULES = (
    "fastapi",
    "uvicorn",
    "aiohttp",
    "aiokafka",
    "motor.motor_asyncio",
    "shared.kit.http.serving",
    "shared.kit.events.bus",
    "shared.kit.events.consumer_group",
    "shared.kit.events.outbox",
    "shared.kit.http.clients",
    "shared.kit.config.sections",
    "shared.kit.git.url_reader",
    "shared.kit.http.apps",
)


class Supervisor:
    """The processes of one data folder."""

    def __init__(
        self, data: RunData, port: int, config: Path, backing: Backing
    ) -> None:
        self._data = data
        self._config = config
        self._backing = backing
        self._stopping = False
        self._sockets = {name: _listen(0) for name in SERVICES if name != "gateway"}
        self._sockets["gateway"] = _listen(port)
        self._pids: dict[str, int] = {}
        self._engines: dict[str, Engine] = {}
        self._pool = ThreadPoolExecutor(len(backing.forms))
        self._reviving: dict[str, Future[Engine]] = {}
        self._waits: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._born: dict[str, float] = {}
        self._restarts: dict[str, int] = {}
        #: False while what run.json says is not so any more.
        self._is_told = True

    def run(self) -> None:
        """Start everything, restart what dies, stop when told."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            self._start_engines()
            gc.collect()
            gc.freeze()
            for name in SERVICES:
                self._begin(name)
            self._tell()
            while not self._stopping:
                self._reap()
                self._revive()
                if not self._is_told:
                    self._tell()
                time.sleep(POLL_SECONDS)
        finally:
            self._end()

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start_engines(self) -> None:
        """Start all engines at once, and import meanwhile what the services share."""
        began, names = time.monotonic(), self._backing.started()
        starting = {
            name: self._pool.submit(self._backing.start, name) for name in names
        }
        given = self._pool.submit(self._backing.declare_given)
        for module in SHARED_MODULES:
            importlib.import_module(module)
        failed: BaseException | None = None
        waiting = set(names)
        for name, future in sorted(starting.items(), key=lambda item: item[0]):
            self._data.tell_starting(waiting)
            try:
                self._engines[name] = future.result()
            except FAILURES as error:
                failed = failed or error
            waiting.discard(name)
        self._data.tell_starting(waiting)
        if failed is not None:
            raise failed
        given.result()
        _say("engines_started", seconds=round(time.monotonic() - began, 2))

    def _environment(self, name: str) -> dict[str, str]:
        urls = {
            f"CALLBOARD_{service.upper()}_URL": f"http://127.0.0.1:{_port(found)}"
            for service, found in self._sockets.items()
        }
        return {
            **urls,
            **self._backing.environment(self._engines),
            **self._data.environment_of(name),
            "CALLBOARD_CONFIG": str(self._config),
            "CALLBOARD_SERVICE_SECRET": self._data.secret(),
            "CALLBOARD_PORT": str(_port(self._sockets[name])),
        }

    def _begin(self, name: str) -> None:
        given = (name, self._sockets[name], self._environment(name), self._log(name))
        if self._reviving:
            self._pids[name] = child.spawn(*given)
        else:
            others = [found for n, found in self._sockets.items() if n != name]
            self._pids[name] = child.fork(*given, others)
        self._born[name] = time.monotonic()

    def _log(self, name: str) -> Path:
        return self._data.logs / f"{name}.log"

    def _reap(self) -> None:
        for name, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._pids[name]
                self._schedule(name, os.waitstatus_to_exitcode(status))
        for name, engine in list(self._engines.items()):
            code = engine.process.poll()
            if code is not None and not {name} & {*self._due, *self._reviving}:
                self._schedule(name, code)

    def _schedule(self, name: str, code: int) -> None:
        lived = time.monotonic() - self._born.get(name, 0.0)
        wait = (
            FIRST_WAIT_SECONDS if lived > CALM_SECONDS else self._waits.get(name, 0.0)
        )
        self._due[name] = time.monotonic() + wait
        self._waits[name] = min(max(wait, FIRST_WAIT_SECONDS) * 2, LONGEST_WAIT_SECONDS)
        self._restarts[name] = self._restarts.get(name, 0) + 1
        _say("process_ended", process=name, code=code, restart_in_seconds=wait)

    def _revive(self) -> None:
        now = time.monotonic()
        for name in [name for name, due in self._due.items() if due <= now]:
            del self._due[name]
            if name in SERVICES:
                self._begin(name)
                self._tell()
            else:
                self._begin_reviving(name)
        for name in [name for name, f in self._reviving.items() if f.done()]:
            self._revived(name, self._reviving.pop(name))
            self._tell()

    def _begin_reviving(self, name: str) -> None:
        """Start an engine anew, beside everything else: a real one takes seconds."""
        self._born[name] = time.monotonic()
        gone = self._engines[name]
        gone.stop()
        port = int(gone.address.rpartition(":")[2])
        self._reviving[name] = self._pool.submit(self._backing.start, name, port)

    def _revived(self, name: str, started: Future[Engine]) -> None:
        try:
            self._engines[name] = started.result()
        except FAILURES as error:
            _say("engine_failed", process=name, error=str(error))
            self._schedule(name, -1)
            return
        if not self._backing.forgets(name):
            return
        # It came back at another port: everybody must be told.
        waiting = dict(self._pids)
        self._pids.clear()
        _terminate_all(waiting.values(), ORPHAN_SECONDS)
        for service in waiting:
            self._begin(service)

    def _tell(self) -> None:
        """Write down who runs where; where that fails, the next round tries again."""
        was_told = self._is_told
        try:
            self._data.write_run(self._run_data())
        except OSError as error:
            self._is_told = False
            if was_told:
                _say("run_file_not_written", error=str(error))
        else:
            self._is_told = True

    def _run_data(self) -> dict[str, object]:
        pids = {
            "supervisor": os.getpid(),
            **{name: engine.process.pid for name, engine in self._engines.items()},
            **self._pids,
        }
        addresses = {
            name: f"http://127.0.0.1:{_port(found)}"
            for name, found in self._sockets.items()
        }
        addresses |= self._backing.addresses(self._engines)
        return {
            "url": addresses["gateway"],
            "pids": pids,
            "addresses": addresses,
            "config": str(self._config),
            "engines": dict(self._backing.forms),
            "restarts": self._restarts,
        }

    def _end(self) -> None:
        _terminate_all(self._pids.values(), STOP_SECONDS)
        for future in self._reviving.values():
            future.add_done_callback(_stop_started)
        list(self._pool.map(lambda engine: engine.stop(), self._engines.values()))
        self._pool.shutdown()
        self._data.starting_file.unlink(missing_ok=True)
        self._data.run_file.unlink(missing_ok=True)


def _stop_started(future: Future[Engine]) -> None:
    if future.exception() is None:
        future.result().stop()


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(BACKLOG)
    return listening


def _port(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def _terminate_all(pids: Iterable[int], seconds: float) -> None:
    """End children at the same time."""
    threads = [threading.Thread(target=_terminate, args=(pid, seconds)) for pid in pids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _terminate(pid: int, seconds: float) -> None:
    """End a child: politely for so many seconds, then not."""
    deadline = time.monotonic() + seconds
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
            while number == signal.SIGKILL or time.monotonic() < deadline:
                flags = 0 if number == signal.SIGKILL else os.WNOHANG
                if os.waitpid(pid, flags)[0]:
                    return
                time.sleep(POLL_SECONDS / 5)
        except (ProcessLookupError, ChildProcessError):
            return


def _say(event: str, **values: object) -> None:
    # The disk of the log may be full: no reason to leave the processes alone.
    with contextlib.suppress(OSError):
        print(
            json.dumps({"event": event, "service": "supervisor", **values}), flush=True
        )


def main() -> int:
    """Parse the arguments and supervise; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--engines", choices=FORMS[:2], default=EMBEDDED)
    given = parser.parse_args()
    data = RunData(given.data)
    data.prepare()
    # What is made from here on is for this user alone; secrets go to who needs them.
    os.umask(0o077)
    os.environ["CALLBOARD_DATA"] = str(data.root)
    os.environ.pop("CALLBOARD_WEBHOOK_SECRET", None)
    try:
        with data.locked():
            backing = Backing.of(data, given.engines, os.environ)
            Supervisor(data, given.port, given.config, backing).run()
    except (AlreadyRunning, WrongEngines, *FAILURES) as error:
        _say("cannot_start", error=str(error), port=given.port)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
