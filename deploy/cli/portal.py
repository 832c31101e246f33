"""A client of the portal's API for the command line."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_SECONDS = 30.0


class PortalError(RuntimeError):
    """The request failed; the message has the reason."""


@dataclass(frozen=True, slots=True)
class Portal:
    """The address of a portal and the token for its API."""

    url: str
    token: str

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON response; raises PortalError for errors and if none comes."""
        connection, response = self._send(method, path, body, TIMEOUT_SECONDS)
        try:
            raw = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise PortalError(_reason(response.status, raw))
        return json.loads(raw) if raw else None

    def stream(self, path: str, query: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """The (event, data) pairs of a server-sent event stream."""
        target = f"{path}?{urlencode(query)}" if query else path
        yield from self._events("GET", target)

    def post_stream(self, path: str) -> Iterator[tuple[str, str]]:
        """The (event, data) pairs of the stream that answers a POST request."""
        yield from self._events("POST", path)

    def _events(self, method: str, path: str) -> Iterator[tuple[str, str]]:
        connection, response = self._send(method, path, None, None)
        try:
            if response.status >= 400:
                raise PortalError(_reason(response.status, response.read()))
            event, lines = "message", list[str]()
            for raw in response:
                line = raw.decode().rstrip("\r\n")
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    lines.append(line[5:].removeprefix(" "))
                elif not line and lines:
                    yield event, "\n".join(lines)
                    event, lines = "message", []
        finally:
            connection.close()

    def _send(
        self, method: str, path: str, body: Any, timeout: float | None
    ) -> tuple[HTTPConnection, HTTPResponse]:
        host = urlsplit(self.url).netloc
        connection = HTTPConnection(host, timeout=timeout)
        headers = {"Authorization": f"Bearer {self.token}"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, data, headers)
            return connection, connection.getresponse()
        except (OSError, HTTPException) as error:
            connection.close()
            raise PortalError(f"The portal at {self.url} does not answer") from error


def _reason(status: int, raw: bytes) -> str:
    try:
        error = json.loads(raw)["error"]
        return f"{error['name']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return f"The portal answered {status}"


def wait_until(probe: Any, seconds: float, step: float = 0.05) -> Any:
    """The first truthy value of `probe()` within `seconds`, else None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := probe():
            return value
        time.sleep(step)
    return None
