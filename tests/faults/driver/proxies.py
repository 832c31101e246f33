"""Connections that can be cut and slowed: toxiproxy before each engine, by its API."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from deploy.engines import toxiproxy
from deploy.engines.processes import quiet_port

SECONDS = 10.0


class Proxies:
    """One toxiproxy; each engine has a port of its own there."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._engine = toxiproxy.start(folder, log)
        self._client = httpx.Client(base_url=self._engine.address, timeout=SECONDS)

    def stand(self, name: str, upstream: int, port: int | None = None) -> int:
        """Stand before a port of this machine; the port to connect to."""
        listen = port or quiet_port()
        body = {
            "name": name,
            "listen": f"127.0.0.1:{listen}",
            "upstream": f"127.0.0.1:{upstream}",
            "enabled": True,
        }
        self._client.post("/proxies", json=body).raise_for_status()
        return listen

    @contextmanager
    def cut(self, name: str) -> Iterator[None]:
        """Close all connections and take no new ones."""
        self._set(name, {"enabled": False})
        try:
            yield
        finally:
            self._set(name, {"enabled": True})

    @contextmanager
    def slowed(self, name: str, *, milliseconds: int) -> Iterator[None]:
        """Let every answer take so much longer, more or less."""
        toxic = f"slow-{name}"
        body = {
            "name": toxic,
            "type": "latency",
            "stream": "downstream",
            "attributes": {"latency": milliseconds, "jitter": milliseconds // 3},
        }
        self._client.post(f"/proxies/{name}/toxics", json=body).raise_for_status()
        try:
            yield
        finally:
            path = f"/proxies/{name}/toxics/{toxic}"
            self._client.delete(path).raise_for_status()

    def close(self) -> None:
        """End it; whoever is connected through it is cut off."""
        with suppress(httpx.HTTPError):
            self._client.close()
        self._engine.stop()

    def _set(self, name: str, change: dict[str, Any]) -> None:
        self._client.post(f"/proxies/{name}", json=change).raise_for_status()
