"""`python -m tests.bench.events [--engines servers] [SIZE]`: how fast changes travel.

One location of SIZE entities (10,000) is registered, then every entity is changed and
the location refreshed. From the request on it is noted when it was answered (documents,
outbox and the read model that wrote are done), when the event log had an event of each,
when a second catalog that only hears the log holds them all, and when search does.
Prints seconds and events a second; never fails for being slow.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.embedded.backing import EMBEDDED, FORMS, VARIABLES
from deploy.embedded.rundata import SERVICES, RunData
from shared.contracts.headers import PRINCIPAL
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from tests.bench.portal import BenchPortal
from tests.builders import component
from tests.e2e.system import free_port
from tests.faults.driver.recorder import Recorder

PORT, SIZE = 17029, 10_000
LIMIT_SECONDS, STEP_SECONDS = 300.0, 0.1


class Marks:
    """When each place had everything, looked at all the time in threads."""

    def __init__(self, places: dict[str, Callable[[], bool]]) -> None:
        self._started_at = time.monotonic()
        self.seconds: dict[str, float] = {}
        self._threads = [
            threading.Thread(target=self._look, args=place, name=place[0])
            for place in places.items()
        ]
        for thread in self._threads:
            thread.start()

    def _look(self, name: str, has_arrived: Callable[[], bool]) -> None:
        while time.monotonic() - self._started_at < LIMIT_SECONDS:
            with suppress(httpx.HTTPError, KeyError):
                if has_arrived():
                    self.seconds[name] = time.monotonic() - self._started_at
                    return
            time.sleep(STEP_SECONDS)

    def wait(self) -> None:
        """Until all places have everything, or time is up."""
        for thread in self._threads:
            thread.join()

    @property
    def missing(self) -> list[str]:
        """The places that did not have everything in time."""
        return [t.name for t in self._threads if t.name not in self.seconds]


@contextmanager
def listener(portal: BenchPortal) -> Iterator[str]:
    """A second catalog, whose read model lives from the event log; its address."""
    data, run = RunData(portal.data), portal.run
    port = free_port()
    urls = {f"CALLBOARD_{s.upper()}_URL": run["addresses"][s] for s in SERVICES}
    engines = {
        variable: run["addresses"][name]
        for name, variable in VARIABLES.items()
        if name in run["addresses"]
    }
    environment = {
        **os.environ,
        **data.environment(),
        **urls,
        **engines,
        "CALLBOARD_CONFIG": run["config"],
        "CALLBOARD_SERVICE_SECRET": data.secret(),
        "CALLBOARD_PORT": str(port),
    }
    url = f"http://127.0.0.1:{port}"
    with (portal.data / "logs" / "catalog-second.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.catalog.main"],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        Marks({"ready": lambda: httpx.get(f"{url}/readyz").status_code == 200}).wait()
        yield url
    finally:
        process.terminate()
        process.wait()


def write(path: Path, size: int, word: str) -> None:
    """A descriptor of so many components that say `word`."""
    entities = [component(f"c{n}", {"description": f"{word} {n}"}) for n in range(size)]
    path.write_text(yaml.dump_all(entities, Dumper=yaml.CSafeDumper))


class Places:
    """Where a change must come to, asked whether all of them have come."""

    def __init__(self, portal: BenchPortal, second: str, recorder: Recorder) -> None:
        tokens = PrincipalTokens(RunData(portal.data).secret())
        self._headers = {PRINCIPAL: tokens.sign(Principal("service:bench", "service"))}
        self._at = portal.run["addresses"]
        self._second = second
        self._recorder = recorder
        self._size, self._revision = 0, 0
        # One client: what makes one for each question leaves no time to listen.
        self._client = httpx.Client(timeout=30)
        self._answered = threading.Event()

    def expect(self, size: int, revision: int) -> Marks:
        """Begin to look for so many entities of this revision."""
        self._size, self._revision = size, revision
        self._answered.clear()
        return Marks(
            {
                "answered": self._answered.is_set,
                "in the event log": self._is_logged,
                "in another read model": self._is_followed,
                "in search": self._is_searchable,
            }
        )

    def answered(self) -> None:
        """The request was: what the writer holds is all that there will be."""
        self._answered.set()

    def _is_logged(self) -> bool:
        keys = [
            key for key in list(self._recorder.event_ids) if key[1] == self._revision
        ]
        return len(keys) >= self._size

    def _is_followed(self) -> bool:
        return (
            self._answered.is_set()
            and self._read_checksum(self._second) == self._written
        )

    def _is_searchable(self) -> bool:
        if not self._answered.is_set():
            return False
        return bool(
            self._read_checksum(self._at["search"])["entities"] == self._written
        )

    @property
    def _written(self) -> Any:
        return self._read_checksum(self._at["catalog"])

    def _read_checksum(self, url: str) -> Any:
        answer = self._client.get(f"{url}/snapshot/checksum", headers=self._headers)
        return answer.raise_for_status().json()


def measure(portal: BenchPortal, folder: Path, size: int) -> None:
    """Register all, then change all."""
    recorder = Recorder(lambda: str(portal.run["addresses"]["broker"]))
    try:
        with listener(portal) as second:
            places = Places(portal, second, recorder)
            for revision, change in ((1, "registered"), (2, "changed")):
                write(folder / "all.yaml", size, change)
                marks = places.expect(size, revision)
                ask(portal, folder / "all.yaml", revision)
                places.answered()
                marks.wait()
                for name, seconds in marks.seconds.items():
                    rate = size / seconds
                    print(
                        f"{change:12} {name:24} {seconds:7.2f} s {rate:8.0f} events/s"
                    )
                for name in marks.missing:
                    print(f"{change:12} {name:24} not within {LIMIT_SECONDS:.0f} s")
    finally:
        recorder.close()


def ask(portal: BenchPortal, path: Path, revision: int) -> None:
    """Register the location, or refresh it."""
    headers = {"Authorization": f"Bearer {portal.token}"}
    with httpx.Client(base_url=portal.url, headers=headers, timeout=600) as client:
        if revision == 1:
            body = {"type": "file", "target": str(path)}
            client.post("/api/catalog/locations", json=body).raise_for_status()
            return
        one = {"entityRef": "component:default/c0"}
        client.post("/api/catalog/refresh", json=one).raise_for_status()


def main() -> None:
    """Measure on a portal of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", nargs="?", type=int, default=SIZE)
    parser.add_argument("--engines", choices=FORMS[:2], default=EMBEDDED)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        portal = BenchPortal(folder / "data", PORT, "empty", arguments.engines)
        try:
            portal.up()
            measure(portal, folder, arguments.size)
        finally:
            portal.down()


if __name__ == "__main__":
    main()
