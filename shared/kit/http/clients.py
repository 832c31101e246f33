"""Calls from service to service: for snapshots, or on behalf of a user.

Calls for a user go through the gateway on the user's behalf, so that the one policy
applies; only snapshots of other services are read directly (ADR 0006).
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import orjson

from shared.contracts.errors import (
    CallboardError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from shared.contracts.headers import ON_BEHALF_OF, PRINCIPAL, REQUEST_ID
from shared.kit.http.replicas import Replicas, upstream_url
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from shared.kit.observability import logs, tracing

SECONDS = 30.0
LINE_LIMIT = 16 * 1024 * 1024
#: The size of an answer that is read whole, in bytes: it is parsed on the event loop.
ANSWER_BYTES = 64 * 1024 * 1024
#: Errors before anything was sent: another replica may be tried with any method.
NOT_REACHED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
ERRORS: dict[int, type[CallboardError]] = {
    error.status: error
    for error in (Invalid, Unauthenticated, Forbidden, NotFound, Conflict, TooLarge)
}


@dataclass(frozen=True, slots=True)
class ServiceResponse:
    """The response of a service."""

    status: int
    body: Any
    headers: Mapping[str, str]


class ServiceCalls:
    """The calls of one service to the others.

    `urls` maps a service to its address, or to those of its replicas, separated by
    commas; a replica that cannot be reached is skipped.
    """

    def __init__(self, secret: str, own_name: str, urls: Mapping[str, str]) -> None:
        self._tokens = PrincipalTokens(secret)
        self._principal = Principal(subject=f"service:{own_name}", kind="service")
        self._replicas = {name: Replicas(addresses) for name, addresses in urls.items()}
        self._client_session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client_session is not None:
            await self._client_session.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._client_session is None:
            self._client_session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=3, sock_read=SECONDS
                ),
                read_bufsize=1024 * 1024,
            )
        return self._client_session

    async def get_json(
        self, service: str, path: str, *, reader: Principal | None = None
    ) -> Any:
        """The JSON at `path` of a service, requested by this service itself.

        Args:
            service: Its name.
            path: The path of the service's route.
            reader: The principal whom the response is for, with the policy's
                decisions: it shows only what they may see.

        Raises:
            Unavailable: if it does not answer.
            CallboardError: the error of the service.
        """
        headers = {PRINCIPAL: self._tokens.sign(reader or self._principal)}
        return (await self._call("GET", path, headers, None, service)).body

    async def post_json(
        self, service: str, path: str, body: Any, *, reader: Principal | None = None
    ) -> Any:
        """The JSON of a service's response to a POST, as `get_json`."""
        headers = {PRINCIPAL: self._tokens.sign(reader or self._principal)}
        return (await self._call("POST", path, headers, body, service)).body

    async def lines(self, service: str, path: str) -> AsyncIterator[Any]:
        """The JSON lines at `path` of a service, one at a time."""
        headers = {PRINCIPAL: self._tokens.sign(self._principal)}
        try:
            async with await self._request("GET", service, path, headers) as response:
                if response.status != 200:
                    raise _error(response.status, await response.read(), service)
                rest = b""
                async for chunk in response.content.iter_any():
                    *whole, rest = (rest + chunk).split(b"\n")
                    if len(rest) > LINE_LIMIT:
                        raise TooLarge(f"{service}{path}: a line is too long")
                    for line in whole:
                        if line:
                            yield orjson.loads(line)
                if rest:
                    yield orjson.loads(rest)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"The service {service} does not answer") from error

    async def as_user(
        self,
        subject: str,
        method: str,
        path: str,
        *,
        json: Any = None,
        most: int = ANSWER_BYTES,
    ) -> ServiceResponse:
        """Call the gateway's API (`/api/…`) on behalf of a user.

        Raises:
            TooLarge: if the answer has over `most` bytes; the rest is not read.
            Unavailable: if the gateway or the service behind it does not answer.
            CallboardError: the error of the API.
        """
        headers = {
            "authorization": f"Bearer {self._tokens.sign(self._principal)}",
            ON_BEHALF_OF: subject,
        }
        return await self._call(method, path, headers, json, "gateway", most)

    async def _call(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        json: Any,
        service: str,
        most: int = ANSWER_BYTES,
    ) -> ServiceResponse:
        data = None
        if json is not None:
            data = orjson.dumps(json)
            headers["content-type"] = "application/json"
        try:
            async with await self._request(
                method, service, path, headers, data
            ) as response:
                raw = await _whole(response, most)
                if response.status >= 400:
                    raise _error(response.status, raw, service)
                body = orjson.loads(raw) if raw else None
                return ServiceResponse(response.status, body, dict(response.headers))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"The service {service} does not answer") from error
        except orjson.JSONDecodeError as error:
            raise Unavailable(f"The {service} answered something else") from error

    async def _request(
        self,
        method: str,
        service: str,
        path: str,
        headers: Mapping[str, str],
        data: bytes | None = None,
    ) -> aiohttp.ClientResponse:
        """The response of the first reachable replica, or the error of the last."""
        attributes = {
            "http.request.method": method,
            "peer.service": service,
            "url.path": path.partition("?")[0],
        }
        kind = tracing.SpanKind.CLIENT
        with tracing.span(f"{method} {service}", attributes, kind=kind) as span:
            traced_headers = {**headers, **_trace()}
            response = await self._request_replicas(
                method, service, path, traced_headers, data
            )
            span.set_attribute("http.response.status_code", response.status)
            return response

    async def _request_replicas(
        self,
        method: str,
        service: str,
        path: str,
        headers: Mapping[str, str],
        data: bytes | None,
    ) -> aiohttp.ClientResponse:
        replicas = self._replicas[service]
        *first_replicas, last = replicas.order(self._principal.subject)
        for address in first_replicas:
            with contextlib.suppress(*NOT_REACHED):
                return await self._session.request(
                    method,
                    upstream_url(address, path, encoded=False),
                    data=data,
                    headers=headers,
                    allow_redirects=False,
                )
            replicas.mark_unavailable(address)
        return await self._session.request(
            method,
            upstream_url(last, path, encoded=False),
            data=data,
            headers=headers,
            allow_redirects=False,
        )


async def _whole(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body of a response that is within the limit; another one is not read on."""
    pieces: list[bytes] = []
    size = response.content_length or 0
    if size <= most:
        size = 0
        async for piece in response.content.iter_any():
            pieces.append(piece)
            size += len(piece)
            if size > most:
                break
    if size > most:
        response.close()
        raise TooLarge(f"The answer is over the limit of {most} bytes")
    return b"".join(pieces)


def _trace() -> dict[str, str]:
    headers = tracing.fields()
    if request_id := logs.correlation_id():
        headers[REQUEST_ID] = request_id
    return headers


def _error(status: int, raw: bytes, service: str) -> CallboardError:
    try:
        message = str(orjson.loads(raw)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"The {service} answered {status}"
    return ERRORS.get(status, Unavailable)(message)
