"""Asks every service ten times a second whether it is alive, and notes the time."""

import http.client
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

EVERY_SECONDS = 0.1
#: So long one answer is waited for; a service that stands still is ended before.
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Beat:
    """One request: when it started, and how long it took."""

    service: str
    started_at: float
    seconds: float


@dataclass(slots=True)
class Pulse:
    """One client of each service, in a thread each, from `start` until `stop`."""

    addresses: Mapping[str, str]
    beats: list[Beat] = field(default_factory=list)
    #: What is being waited for, by service.
    _open: dict[str, float] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for service, address in self.addresses.items():
            place = urlsplit(address)
            thread = threading.Thread(
                target=self._listen, args=(service, place.hostname, place.port)
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _listen(self, service: str, host: str, port: int) -> None:
        client = http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
        while not self._stopped.is_set():
            started_at = self._open[service] = time.monotonic()
            try:
                client.request("GET", "/healthz")
                client.getresponse().read()
            except (OSError, http.client.HTTPException):
                # Its process ended: as slow as it gets.
                client.close()
                self._note(service, started_at, PATIENCE_SECONDS)
                self._stopped.wait(EVERY_SECONDS)
                continue
            took = time.monotonic() - started_at
            self._note(service, started_at, took)
            self._stopped.wait(max(0.0, EVERY_SECONDS - took))
        client.close()

    def _note(self, service: str, started_at: float, seconds: float) -> None:
        self.beats.append(Beat(service, started_at, seconds))
        self._open.pop(service, None)

    def worst(self, since: float, until: float) -> dict[str, float]:
        """The longest answer of each service that was awaited within a time."""
        now = time.monotonic()
        longest = {service: now - start for service, start in [*self._open.items()]}
        for beat in reversed(self.beats):
            if beat.started_at + PATIENCE_SECONDS < since:
                break
            if beat.started_at <= until and beat.started_at + beat.seconds >= since:
                seconds = max(longest.get(beat.service, 0.0), beat.seconds)
                longest[beat.service] = seconds
        return longest
