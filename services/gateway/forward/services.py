"""The connections to the services, and the gateway's own requests to them.

The gateway's own requests go directly to the service.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Self
from urllib.parse import unquote, urlencode

import orjson
from starlette.types import Message

from services.gateway.forward.admission import RequestAdmission
from services.gateway.forward.bodies import RequestBody
from services.gateway.forward.upstreams import Reply, ServiceRequest, Upstream
from services.gateway.model import Identity, ServiceAnswer
from services.gateway.ports import Params
from shared.contracts.errors import CallboardError
from shared.contracts.headers import PRINCIPAL, REQUEST_ID
from shared.kit.http.request_limits import BODY_LIMIT
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from shared.kit.observability import logs, tracing

OWN = Principal("service:gateway", "service")


class ServiceConnections:
    """Each service by its name; use as an async context manager."""

    def __init__(self, upstreams: Mapping[str, Upstream]) -> None:
        self._upstreams = upstreams
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for upstream in self._upstreams.values():
            await upstream.open()
            self._stack.push_async_callback(upstream.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def __getitem__(self, name: str) -> Upstream:
        return self._upstreams[name]


class ServiceQuestions:
    """`Services` over the connections that requests are forwarded on."""

    def __init__(
        self,
        connections: ServiceConnections,
        admission: RequestAdmission,
        tokens: PrincipalTokens,
    ) -> None:
        self._connections = connections
        self._admission = admission
        self._tokens = tokens

    async def ask(
        self,
        service: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        reader: Identity | None = None,
    ) -> ServiceAnswer:
        """The response of a service; see the port."""
        method = "GET" if json is None else "POST"
        query = f"?{urlencode(params, doseq=True)}" if params else ""
        try:
            principal = await self._principal(service, method, path, reader)
        except CallboardError as error:
            return ServiceAnswer(error.status, None, error.message)
        headers = [(PRINCIPAL, principal), ("content-type", "application/json")]
        return await self._send(service, method, path + query, headers, json)

    async def probe(self, service: str, path: str) -> ServiceAnswer:
        """The response to an anonymous request; see the port."""
        return await self._send(service, "GET", path, [], None)

    async def _send(
        self,
        service: str,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        json: Any,
    ) -> ServiceAnswer:
        reply = _WholeReply()
        # With any method it changes nothing, so another replica may be tried.
        request = ServiceRequest(
            method, path, [*headers, *_trace()], OWN.subject, changes=False
        )
        try:
            await self._connections[service].ask(request, _body(json), reply)
        except CallboardError as error:
            return ServiceAnswer(error.status, None, error.message)
        return reply.answer()

    async def _principal(
        self, service: str, method: str, path: str, reader: Identity | None
    ) -> str:
        if reader is None:
            return self._tokens.sign(OWN)
        admitted = await self._admission.admit(reader, service, method, unquote(path))
        return admitted.principal


def _trace() -> list[tuple[str, str]]:
    return [
        ("accept", "application/json"),
        *tracing.fields().items(),
        (REQUEST_ID, logs.correlation_id()),
    ]


def _body(json: Any) -> RequestBody:
    content = b"" if json is None else orjson.dumps(json)

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    length = str(len(content)).encode()
    return RequestBody([(b"content-length", length)], receive, BODY_LIMIT)


class _WholeReply(Reply):
    """Collects a response."""

    def __init__(self) -> None:
        self.started = False
        self._status = 0
        self._chunks: list[bytes] = []

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:  # noqa: ARG002
        self.started = True
        self._status = status

    async def body(self, chunk: bytes, *, more: bool) -> None:  # noqa: ARG002
        self._chunks.append(chunk)

    def answer(self) -> ServiceAnswer:
        try:
            value = orjson.loads(b"".join(self._chunks) or b"null")
        except orjson.JSONDecodeError:
            value = None
        return ServiceAnswer(self._status, value, self._error(value))

    def _error(self, value: Any) -> str:
        if 200 <= self._status < 300:
            return ""
        error = value.get("error") if isinstance(value, dict) else None
        message = error.get("message") if isinstance(error, dict) else None
        return str(message) if message else f"The service answered {self._status}"
