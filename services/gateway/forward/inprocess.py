"""The public API called from inside: the same app, without a socket."""

import asyncio
from typing import Any
from urllib.parse import quote, unquote, urlencode

import orjson
from starlette.types import ASGIApp, Message

from services.gateway.callers import IN_PROCESS
from services.gateway.model import ApiAnswer, Identity
from services.gateway.ports import Params
from shared.kit.observability import tracing


class InProcessApi:
    """`Api` over the gateway's own ASGI app, which is set once it is built."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def call(
        self,
        identity: Identity,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
    ) -> ApiAnswer:
        """What the API answers; see the port."""
        if self.app is None:
            return ApiAnswer(503, {}, b"")
        body = b"" if json is None else orjson.dumps(json)
        answer = _Answer(body)
        scope = _scope(identity, method, path, params, body)
        await self.app(scope, answer.receive, answer.send)
        return answer.whole()


class _Answer:
    """Feeds the request's body in and collects what comes out."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._status = 500
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []

    async def receive(self) -> Message:
        if self._body is None:
            # Whoever asks again waits for the client to leave: this one stays.
            await asyncio.get_running_loop().create_future()
        body, self._body = self._body or b"", None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in message.get("headers", ())
            }
        else:
            self._chunks.append(message.get("body", b""))

    def whole(self) -> ApiAnswer:
        return ApiAnswer(self._status, self._headers, b"".join(self._chunks))


def _scope(
    identity: Identity, method: str, path: str, params: Params | None, body: bytes
) -> dict[str, Any]:
    path, _, query = path.partition("?")
    if params:
        query = "&".join(filter(None, (query, urlencode(params, doseq=True))))
    headers = [(b"accept", b"application/json"), (b"host", b"gateway")]
    headers += [(name.encode(), v.encode()) for name, v in tracing.fields().items()]
    if body:
        headers += [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": "http",
        "path": unquote(path),
        "raw_path": quote(path, safe="/%:@!$&'()*+,;=~-._").encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": None,
        "server": ("gateway", 80),
        IN_PROCESS: identity,
    }
