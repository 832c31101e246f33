"""Looks at the portal's status all the time, to tell how long each fault was felt."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

STEP_SECONDS = 0.2
ANSWER_SECONDS = 3.0
#: What the services call an engine in their checks.
CHECKS = {
    "broker": {"events", "pushes"},
    "kafka": {"events", "pushes"},
    "documents": {"documents"},
    "opensearch": {"index"},
    "opa": {"policy"},
    "disk": {"catalog", "scaffolder", "techdocs"},
}


@dataclass(slots=True)
class Fault:
    """One thing that was done to the portal, and when it was over."""

    kind: str
    target: str
    started_at: float
    over: float | None = None
    recovered: float | None = None

    @property
    def seconds(self) -> float | None:
        """From the end of the fault to a portal that says it is well."""
        if self.recovered is None or self.over is None:
            return None
        return self.recovered - self.over


@dataclass(slots=True)
class Watch:
    """Asks `/api/status` in a thread; `faults` are given their time of recovery."""

    url: str
    token: str
    faults: list[Fault] = field(default_factory=list)
    well: bool = False
    last: str = ""
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="watch")
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        headers = {"authorization": f"Bearer {self.token}"}
        while not self._ending.wait(STEP_SECONDS):
            # A client of its own each time: a connection to a dead one is no news.
            with httpx.Client(headers=headers, timeout=ANSWER_SECONDS) as client:
                polled_at = time.monotonic()
                try:
                    status = client.get(f"{self.url}/api/status").json()
                except (httpx.HTTPError, ValueError) as error:
                    self.well, self.last = False, f"no status: {error}"
                    continue
            self._note(polled_at, status)

    def _note(self, polled_at: float, status: dict[str, Any]) -> None:
        bad: set[str] = set()
        for service in status.get("services") or [{"name": "all"}]:
            if not service.get("ready"):
                bad.add(str(service["name"]))
            checks = service.get("checks") or {}
            bad |= {name for name, state in checks.items() if state != "ok"}
        self.well, self.last = not bad, ", ".join(sorted(bad))
        for fault in self.faults:
            if fault.recovered is None and fault.over and polled_at > fault.over:
                names = CHECKS.get(fault.target, {fault.target})
                if "all" not in bad and not bad & names:
                    fault.recovered = time.monotonic()
