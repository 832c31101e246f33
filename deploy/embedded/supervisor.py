"""Runs the engines and services of a portal on one machine, and restarts them.

The services are forked from this process after it has imported their common modules, so
that a start takes milliseconds and memory is shared. The supervisor owns the listening
sockets, so connections wait during a restart and are not refused. Run as
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
from deploy.embedded.rundata import PORTAL, SERVICES, AlreadyRunning, RunData
from deploy.engines.cache import CannotFetch
from deploy.engines.engine import Engine, EngineFailed
from shared.contracts.errors import CallboardError

#: The address of another front end; then the portal is not started.
FRONT_END = "CALLBOARD_PORTAL_URL"
#: A little longer than a service's own limit (`shared.kit.http.serving.END_SECONDS`).
STOP_SECONDS = 15.0
#: The time to stop services whose event log was lost, which cannot leave their groups.
LOG_LOST_STOP_SECONDS = 1.5
POLL_SECONDS = 0.1
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 10.0
STABLE_SECONDS = 30.0
BACKLOG = 1024
#: Errors of a start; their messages are for the operator.
FAILURES = (EngineFailed, CannotFetch, CallboardError, OSError)
#: Imported before the first fork, because every service needs them.
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
    "shared.kit.http.bodies",
    "shared.contracts.events",
    "shared.guards.workers",
    # FastAPI loads it when a service makes its app.
    "pydantic.v1",
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
        replaced = {PORTAL} if os.environ.get(FRONT_END) else set()
        self._services = tuple(name for name in SERVICES if name not in replaced)
        self._sockets = {
            name: _listen(port if name == "gateway" else 0) for name in self._services
        }
        self._pids: dict[str, int] = {}
        self._engines: dict[str, Engine] = {}
        self._pool = ThreadPoolExecutor(len(backing.forms))
        self._restarting: dict[str, Future[Engine]] = {}
        self._restart_delays: dict[str, float] = {}
        self._restart_at: dict[str, float] = {}
        self._started_at: dict[str, float] = {}
        self._restarts: dict[str, int] = {}
        #: False if run.json is outdated.
        self._is_run_file_current = True

    def run(self) -> None:
        """Start everything, restart ended processes, stop at SIGTERM."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request_stop)
        try:
            self._start_engines()
            gc.collect()
            gc.freeze()
            for name in self._services:
                self._start_service(name)
            self._write_run_file()
            while not self._stopping:
                self._collect_ended()
                self._restart_due()
                if not self._is_run_file_current:
                    self._write_run_file()
                time.sleep(POLL_SECONDS)
        finally:
            self._stop_all()

    def _request_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start_engines(self) -> None:
        """Start all engines in parallel, and meanwhile import the common modules."""
        started_at, names = time.monotonic(), self._backing.started()
        starting = {
            name: self._pool.submit(self._backing.start, name) for name in names
        }
        topics_declared = self._pool.submit(self._backing.declare_given)
        for module in SHARED_MODULES:
            importlib.import_module(module)
        failure: BaseException | None = None
        pending = set(names)
        for name, future in sorted(starting.items(), key=lambda item: item[0]):
            self._data.write_starting(pending)
            try:
                self._engines[name] = future.result()
            except FAILURES as error:
                failure = failure or error
            pending.discard(name)
        self._data.write_starting(pending)
        if failure is not None:
            raise failure
        topics_declared.result()
        _log_event("engines_started", seconds=round(time.monotonic() - started_at, 2))

    def _environment(self, name: str) -> dict[str, str]:
        urls = {
            f"CALLBOARD_{service.upper()}_URL": f"http://127.0.0.1:{_port(listening)}"
            for service, listening in self._sockets.items()
        }
        environment = {
            **urls,
            **self._data.environment_of(name),
            "CALLBOARD_CONFIG": str(self._config),
            "CALLBOARD_PORT": str(_port(self._sockets[name])),
        }
        if name != PORTAL:
            # It speaks to no engine, and to no service but as its reader.
            environment |= self._backing.environment(self._engines)
            environment["CALLBOARD_SERVICE_SECRET"] = self._data.secret()
        return environment

    def _start_service(self, name: str) -> None:
        arguments = (
            name,
            self._sockets[name],
            self._environment(name),
            self._log(name),
        )
        if self._restarting:
            self._pids[name] = child.spawn(*arguments)
        else:
            other_sockets = [
                listening
                for other_name, listening in self._sockets.items()
                if other_name != name
            ]
            self._pids[name] = child.fork(*arguments, other_sockets)
        self._started_at[name] = time.monotonic()

    def _log(self, name: str) -> Path:
        return self._data.logs / f"{name}.log"

    def _collect_ended(self) -> None:
        for name, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._pids[name]
                self._schedule_restart(name, os.waitstatus_to_exitcode(status))
        for name, engine in list(self._engines.items()):
            code = engine.process.poll()
            if code is not None and not {name} & {*self._restart_at, *self._restarting}:
                self._schedule_restart(name, code)

    def _schedule_restart(self, name: str, code: int) -> None:
        lifetime = time.monotonic() - self._started_at.get(name, 0.0)
        delay = (
            FIRST_DELAY_SECONDS
            if lifetime > STABLE_SECONDS
            else self._restart_delays.get(name, 0.0)
        )
        self._restart_at[name] = time.monotonic() + delay
        self._restart_delays[name] = min(
            max(delay, FIRST_DELAY_SECONDS) * 2, LONGEST_DELAY_SECONDS
        )
        self._restarts[name] = self._restarts.get(name, 0) + 1
        _log_event("process_ended", process=name, code=code, restart_in_seconds=delay)

    def _restart_due(self) -> None:
        now = time.monotonic()
        for name in [name for name, due in self._restart_at.items() if due <= now]:
            del self._restart_at[name]
            if name in self._services:
                self._start_service(name)
                self._write_run_file()
            else:
                self._restart_engine(name)
        for name in [
            name for name, future in self._restarting.items() if future.done()
        ]:
            self._engine_restarted(name, self._restarting.pop(name))
            self._write_run_file()

    def _restart_engine(self, name: str) -> None:
        """Restart an engine in a thread, as a real server takes seconds."""
        self._started_at[name] = time.monotonic()
        engine = self._engines[name]
        engine.stop()
        port = int(engine.address.rpartition(":")[2])
        self._restarting[name] = self._pool.submit(self._backing.start, name, port)

    def _engine_restarted(self, name: str, future: Future[Engine]) -> None:
        try:
            self._engines[name] = future.result()
        except FAILURES as error:
            _log_event("engine_failed", process=name, error=str(error))
            self._schedule_restart(name, -1)
            return
        if not self._backing.forgets(name):
            return
        # It has another port, so all services are restarted with the new address.
        services = dict(self._pids)
        self._pids.clear()
        _terminate_all(services.values(), LOG_LOST_STOP_SECONDS)
        for service in services:
            self._start_service(service)

    def _write_run_file(self) -> None:
        """Write `run.json`; if that fails, the next round tries again."""
        was_current = self._is_run_file_current
        try:
            self._data.write_run(self._run_data())
        except OSError as error:
            self._is_run_file_current = False
            if was_current:
                _log_event("run_file_not_written", error=str(error))
        else:
            self._is_run_file_current = True

    def _run_data(self) -> dict[str, object]:
        pids = {
            "supervisor": os.getpid(),
            **{name: engine.process.pid for name, engine in self._engines.items()},
            **self._pids,
        }
        addresses = {
            name: f"http://127.0.0.1:{_port(listening)}"
            for name, listening in self._sockets.items()
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

    def _stop_all(self) -> None:
        _terminate_all(self._pids.values(), STOP_SECONDS)
        for future in self._restarting.values():
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
    """Stop child processes in parallel."""
    threads = [threading.Thread(target=_terminate, args=(pid, seconds)) for pid in pids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _terminate(pid: int, seconds: float) -> None:
    """Stop a child process with SIGTERM, after some seconds with SIGKILL."""
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


def _log_event(event: str, **values: object) -> None:
    # A full disk must not stop the supervisor.
    with contextlib.suppress(OSError):
        print(
            json.dumps({"event": event, "service": "supervisor", **values}), flush=True
        )


def main() -> int:
    """Parse the arguments and supervise; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--engines", choices=FORMS[:2], default=EMBEDDED)
    arguments = parser.parse_args()
    data = RunData(arguments.data)
    data.prepare()
    # New files are private; secrets are passed only to the services that need them.
    os.umask(0o077)
    os.environ["CALLBOARD_DATA"] = str(data.root)
    os.environ.pop("CALLBOARD_WEBHOOK_SECRET", None)
    try:
        with data.locked():
            backing = Backing.of(data, arguments.engines, os.environ)
            Supervisor(data, arguments.port, arguments.config, backing).run()
    except (AlreadyRunning, WrongEngines, *FAILURES) as error:
        _log_event("cannot_start", error=str(error), port=arguments.port)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
