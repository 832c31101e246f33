"""Calls from service to service: snapshots by themselves, the rest for a user.

What a user asked for goes through the gateway, on behalf of that user, so that the one
policy applies; only owners' snapshots are read directly (ADR 0006).
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
from shared.kit.http.replicas import Replicas
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from shared.kit.observability import logs, tracing

SECONDS = 30.0
LINE_LIMIT = 16 * 1024 * 1024
#: Nothing was sent: another replica may be asked, whatever it is.
NOT_REACHED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
ERRORS: dict[int, type[CallboardError]] = {
    error.status: error
    for error in (Invalid, Unauthenticated, Forbidden, NotFound, Conflict, TooLarge)
}


@dataclass(frozen=True, slots=True)
class ServiceResponse:
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]


class ServiceCalls:
    """One service's way to the others.

    `urls` maps a service to its address, or to those of its replicas with commas
    between them: one that cannot be reached is passed over.
    """

    def __init__(self, secret: str, own_name: str, urls: Mapping[str, str]) -> None:
        self._tokens = PrincipalTokens(secret)
        self._own = Principal(subject=f"service:{own_name}", kind="service")
        self._replicas = {name: Replicas(found) for name, found in urls.items()}
        self._opened: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._opened is not None:
            await self._opened.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=3, sock_read=SECONDS
                ),
                read_bufsize=1024 * 1024,
            )
        return self._opened

    async def get_json(
        self, service: str, path: str, *, reader: Principal | None = None
    ) -> Any:
        """The JSON at `path` of a service, asked by this service for itself.

        Args:
            service: Its name.
            path: Where the answer is.
            reader: For whom it is asked, with what the policy decided about them:
                the answer shows no more than they may see.

        Raises:
            Unavailable: if it does not answer.
            CallboardError: as the service said.
        """
        headers = {PRINCIPAL: self._tokens.sign(reader or self._own)}
        return (await self._ask("GET", path, headers, None, service)).body

    async def post_json(
        self, service: str, path: str, body: Any, *, reader: Principal | None = None
    ) -> Any:
        """The JSON that a service answers to a question in a body, as `get_json`."""
        headers = {PRINCIPAL: self._tokens.sign(reader or self._own)}
        return (await self._ask("POST", path, headers, body, service)).body

    async def lines(self, service: str, path: str) -> AsyncIterator[Any]:
        """The JSON lines at `path` of a service, one at a time."""
        headers = {PRINCIPAL: self._tokens.sign(self._own)}
        try:
            async with await self._request("GET", service, path, headers) as answer:
                if answer.status != 200:
                    raise _error(answer.status, await answer.read(), service)
                rest = b""
                async for chunk in answer.content.iter_any():
                    *whole, rest = (rest + chunk).split(b"\n")
                    if len(rest) > LINE_LIMIT:
                        raise TooLarge(f"{service}{path}: a line is too long")
                    for line in whole:
                        if line:
                            yield orjson.loads(line)
                if rest:
                    yield orjson.loads(rest)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"The {service} does not answer") from error

    async def as_user(
        self, subject: str, method: str, path: str, *, json: Any = None
    ) -> ServiceResponse:
        """Ask the gateway's API (`/api/…`) on behalf of a user.

        Raises:
            Unavailable: if the gateway or the service behind it does not answer.
            CallboardError: as the API said.
        """
        headers = {
            "authorization": f"Bearer {self._tokens.sign(self._own)}",
            ON_BEHALF_OF: subject,
        }
        return await self._ask(method, path, headers, json, "gateway")

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], json: Any, service: str
    ) -> ServiceResponse:
        data = None
        if json is not None:
            data = orjson.dumps(json)
            headers["content-type"] = "application/json"
        try:
            async with await self._request(
                method, service, path, headers, data
            ) as answer:
                raw = await answer.read()
                if answer.status >= 400:
                    raise _error(answer.status, raw, service)
                body = orjson.loads(raw) if raw else None
                return ServiceResponse(answer.status, body, dict(answer.headers))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"The {service} does not answer") from error
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
        """The first replica's answer that there is; the last one's failure."""
        attributes = {
            "http.request.method": method,
            "peer.service": service,
            "url.path": path.partition("?")[0],
        }
        kind = tracing.SpanKind.CLIENT
        with tracing.span(f"{method} {service}", attributes, kind=kind) as span:
            traced = {**headers, **_trace()}
            answer = await self._answer(method, service, path, traced, data)
            span.set_attribute("http.response.status_code", answer.status)
            return answer

    async def _answer(
        self,
        method: str,
        service: str,
        path: str,
        headers: Mapping[str, str],
        data: bytes | None,
    ) -> aiohttp.ClientResponse:
        replicas = self._replicas[service]
        *others, last = replicas.order(self._own.subject)
        for address in others:
            with contextlib.suppress(*NOT_REACHED):
                return await self._session.request(
                    method,
                    address + path,
                    data=data,
                    headers=headers,
                    allow_redirects=False,
                )
            replicas.away(address)
        return await self._session.request(
            method, last + path, data=data, headers=headers, allow_redirects=False
        )


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
