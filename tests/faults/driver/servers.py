"""The portal on real servers, each behind a proxy; the driver is their supervisor."""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from deploy.engines import documents, kafka, opa, opensearch
from deploy.engines.engine import Engine
from deploy.engines.processes import quiet_port
from shared.kit.config.servers import Server
from shared.kit.events import topics
from tests.disk import CannotMount, SmallDisk
from tests.e2e.system import free_port
from tests.faults.driver.proxies import Proxies
from tests.faults.driver.small import SmallPortal

#: The services' own disk; the engines have theirs elsewhere.
DISK = "disk"
#: Sites are kept for a while: 2.7 MB each, some hundreds in ten minutes.
DISK_MEGABYTES = 2048
Start = Callable[[], Engine]
VARIABLES = {
    "kafka": "CALLBOARD_KAFKA",
    "documents": "CALLBOARD_MONGODB",
    "opensearch": "CALLBOARD_OPENSEARCH",
    "opa": "CALLBOARD_OPA",
}


class ServersDeployment:
    """`callboard up` with the addresses of four proxies in its environment."""

    engines = tuple(VARIABLES)
    proxied = tuple(VARIABLES)

    def __init__(self, folder: Path) -> None:
        self._saved_logs = folder / "logs-of-services"
        try:
            self._disk = SmallDisk(folder / "disk", megabytes=DISK_MEGABYTES)
        except CannotMount:
            self._disk = None
        data = (self._disk.folder if self._disk else folder) / "data"
        self.portal = SmallPortal(data, free_port(), folder / "elsewhere")
        self._folder = folder / "engines"
        self._log = folder / "logs"
        self._kafka_front = quiet_port()
        self._starts: dict[str, Start] = {
            "kafka": lambda: kafka.start(*self._at("kafka"), advertised=self._front()),
            "documents": lambda: documents.start(*self._at("documents")),
            "opensearch": lambda: opensearch.start(*self._at("opensearch")),
            "opa": lambda: opa.start(*self._at("opa")),
        }
        self._running: dict[str, Engine] = {}
        self._proxies: Proxies | None = None
        self._addresses: dict[str, str] = {}
        self._lock = threading.Lock()

    def up(self) -> None:
        """Engines, proxies, topics, the portal."""
        self._log.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(len(self._starts)) as pool:
            futures = {name: pool.submit(start) for name, start in self._starts.items()}
        self._running = {name: engine.result() for name, engine in futures.items()}
        self._proxies = Proxies(*self._at("toxiproxy"))
        for name, engine in self._running.items():
            self._addresses[name] = self._fronted(name, engine)
        os.environ.update(self._variables())
        asyncio.run(topics.ensure(Server(self._addresses["kafka"])))
        self.portal.up()

    def down(self) -> None:
        """All of it; the environment as it was."""
        self.portal.hang_up()
        with suppress(AssertionError):
            self.portal.down()
        for variable in VARIABLES.values():
            os.environ.pop(variable, None)
        self.portal.end()
        for engine in self._running.values():
            engine.stop()
        if self._proxies is not None:
            self._proxies.close()
        if self._disk is not None:
            shutil.copytree(
                self.portal.data / "logs", self._saved_logs, dirs_exist_ok=True
            )
            self._disk.close()

    def event_log(self) -> str:
        return self._addresses["kafka"]

    def documents(self) -> str:
        return self._running["documents"].address

    def environment(self) -> dict[str, str]:
        return {**os.environ, **self._variables()}

    def pid(self, name: str) -> int:
        if name in self._running:
            return self._running[name].process.pid
        return int(self.portal.run["pids"].get(name, 0))

    def revive(self, name: str) -> None:
        """Start an engine again on its folder and port."""
        with self._lock:
            dead = self._running[name]
        dead.stop()
        following = self._starts[name]()
        with self._lock:
            self._running[name] = following

    def cut(self, name: str) -> AbstractContextManager[None]:
        return self._standing.cut(name)

    def slowed(self, name: str, *, milliseconds: int) -> AbstractContextManager[None]:
        return self._standing.slowed(name, milliseconds=milliseconds)

    @property
    def disks(self) -> tuple[str, ...]:
        return (DISK,) if self._disk else ()

    def filled(self, name: str) -> AbstractContextManager[None]:
        if self._disk is None:
            raise LookupError(f"no disk {name} of its own")
        return self._disk.filled()

    @property
    def _standing(self) -> Proxies:
        if self._proxies is None:
            raise LookupError("no proxies stand yet")
        return self._proxies

    def _at(self, name: str) -> tuple[Path, Path]:
        return self._folder / name, self._log / f"{name}.log"

    def _front(self) -> int:
        return self._kafka_front

    def _fronted(self, name: str, engine: Engine) -> str:
        scheme, slashes, rest = engine.address.rpartition("://")
        own = urlsplit(f"//{rest}").port or 0
        front = self._kafka_front if name == "kafka" else None
        port = self._standing.stand(name, own, front)
        return f"{scheme}{slashes}127.0.0.1:{port}"

    def _variables(self) -> dict[str, str]:
        return {VARIABLES[name]: at for name, at in self._addresses.items()}
