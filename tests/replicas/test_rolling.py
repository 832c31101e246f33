"""Every process is replaced, one after the other, while people work: nobody notices."""

import itertools
import threading
import time
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.e2e.running import BY_NAME
from tests.faults.driver.host import GitHost
from tests.faults.driver.ledger import Ledger
from tests.replicas.installation import Installation
from tests.replicas.test_replicas import LOCATIONS, agree, location

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

READS = (
    f"{BY_NAME}/component/default/payments",
    "/api/catalog/entities/by-query?limit=20",
    "/api/catalog/entity-facets?facet=kind",
    "/api/search/query?term=payments",
    "/api/scaffolder/v2/tasks?limit=5",
    "/api/techdocs/metadata/techdocs/default/component/payments",
    "/catalog/default/component/payments",
)
TRIES = 20
ORDER = ("catalog", "search", "techdocs", "scaffolder", "portal", "gateway")


class Load:
    """Readers and a writer, who ask the other gateway when one takes no connection.

    That is what a balancer before two gateways does; it retries nothing that was sent,
    unless sending it twice is once: a read, or a registration with `refresh`.
    """

    def __init__(self, two: Installation, host: GitHost) -> None:
        self._two = two
        self._host = host
        self._ending = threading.Event()
        self.answers: Counter[tuple[str, int]] = Counter()
        self.wrong: list[str] = []
        self.slowest = 0.0
        self.written = 0
        jobs = [self._read, self._read, self._write]
        self._threads = [
            threading.Thread(target=job, args=(n,)) for n, job in enumerate(jobs)
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _read(self, number: int) -> None:
        for path in itertools.cycle(READS):
            if self._ending.is_set():
                return
            self._ask(number, "GET", path)

    def _write(self, number: int) -> None:
        for count in itertools.count():
            if self._ending.is_set():
                return
            name = f"rolling-{count}"
            path = f"{LOCATIONS}?onConflict=refresh"
            body = location(self._host, name)
            registration = self._ask(number, "POST", path, json=body)
            if registration is None:
                continue
            self.written += 1
            at_least = {
                "callboard-at-least": registration.headers["callboard-revision"]
            }
            path = f"{BY_NAME}/component/default/{name}"
            self._ask(number + 1, "GET", path, headers=at_least)
            self._ending.wait(0.2)

    def _ask(
        self, number: int, method: str, path: str, **more: Any
    ) -> httpx.Response | None:
        started_at = time.monotonic()
        for attempt in range(TRIES):
            # A connection each: what a gateway closes that was idle tells nothing.
            with self._two.client((number + attempt) % 2) as client:
                try:
                    answer = client.request(method, path, **more)
                except httpx.TransportError:
                    continue
            self.slowest = max(self.slowest, time.monotonic() - started_at)
            self.answers[method, answer.status_code] += 1
            if answer.is_success:
                return answer
            self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text}")
            return None
        self.wrong.append(f"{method} {path}: no gateway takes a connection")
        return None


def test_a_rolling_restart_answers_every_request(two: Installation) -> None:
    """Ten processes are replaced under load; every response is a success."""
    host = GitHost(two.data, two.gateways[0], Ledger())
    load = Load(two, host)
    try:
        for service in ORDER:
            for replica in two.replicas[service]:
                two.stop(replica)
                two.start(replica)
                two.wait_ready(replica)
    finally:
        load.end()
        host.close()
    print(
        f"\n{sum(load.answers.values())} requests, {load.written} writes, "
        f"the slowest took {load.slowest:.2f} s: {dict(load.answers)}"
    )
    assert load.wrong == []
    assert load.written > 10
    agree(two)
