"""The public API over HTTP, with the visitor's token.

A service that hangs makes no page wait for long: a read ends after some seconds, and
after a few of them the service counts as away until one of its answers comes in time.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import orjson

from services.portal.model import ApiAnswer, Visitor
from services.portal.ports import Params
from shared.contracts.errors import Unavailable
from shared.contracts.headers import REQUEST_ID
from shared.contracts.permissions import ROUTES, SAFE_METHODS
from shared.kit.http.replicas import Replicas, upstream_url
from shared.kit.observability import logs, tracing
from shared.kit.resilience.breaker import CircuitBreaker

CONNECT_SECONDS = 3.0
#: Longer than the gateway itself waits for a service that changes something.
CHANGE_SECONDS = 630.0
#: What a page waits for a read, far longer than any takes.
READ_SECONDS = 8.0
#: What a page waits for a read that is not about its subject.
SECONDARY_SECONDS = 3.0
#: After so many late reads in a row no page waits for the service, and in each rest the
#: reads of one page find out whether it answers again, for which it waits only so long.
LATE_READS = 2
REST_SECONDS = 4.0
TRIAL_SECONDS = 2.0
#: No page reads more of one service at once.
READS_AT_ONCE = 16
#: The gateway keeps an idle connection for 75 s: ours must end first.
KEEPALIVE_SECONDS = 60.0
MOST_CONNECTIONS = 256
#: What is asked by POST and changes nothing: the ends of paths.
READING = ("/by-refs", "/authorize", "/multiget", "/template-checks")
NOBODY = "nobody"
AWAY = (aiohttp.ClientError, TimeoutError, OSError)
NOT_REACHED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class PublicApi:
    """`Api` over a pool of connections; use as an async context manager.

    `addresses` is the gateway's, or those of its replicas with commas between them.
    """

    def __init__(
        self,
        addresses: str,
        *,
        most_seconds: float = READ_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """No read takes longer than `most_seconds`."""
        self._replicas = Replicas(addresses)
        self._most_seconds = most_seconds
        #: By the name of the API in its paths, and the kind of read: an API that is too
        #: slow for secondary reads may be quick enough for the others.
        self._breakers: defaultdict[tuple[str, bool], CircuitBreaker] = defaultdict(
            lambda: _read_breaker(clock)
        )
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=MOST_CONNECTIONS, keepalive_timeout=KEEPALIVE_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=CHANGE_SECONDS, sock_connect=CONNECT_SECONDS
            ),
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
            read_bufsize=256 * 1024,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        visitor: Visitor | None,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        is_secondary: bool = False,
    ) -> ApiAnswer:
        """What the API answers; see the port."""
        query = urlencode(params, doseq=True) if params else ""
        if query:
            path = f"{path}{'&' if '?' in path else '?'}{query}"
        method = method.upper()
        body = None if json is None else orjson.dumps(json)
        headers = _headers(visitor, has_body=body is not None)
        request = _Request(method, path, headers, body)
        order = [*self._replicas.order(visitor.subject if visitor else NOBODY)]
        if request.is_reading:
            return await self._read(order, request, is_secondary=is_secondary)
        return await self._change(order, request)

    async def _change(self, order: Sequence[str], request: "_Request") -> ApiAnswer:
        """Send it to one gateway, and to another only if it reached none."""
        for address in order:
            try:
                return await self._ask(address, request)
            except NOT_REACHED:
                self._replicas.mark_unavailable(address)
            except AWAY:
                break
        return _unanswered("gateway")

    async def _read(
        self, order: Sequence[str], request: "_Request", *, is_secondary: bool
    ) -> ApiAnswer:
        """Ask one gateway after the other, within the time of a read."""
        breaker = self._breakers[request.api, is_secondary]
        seconds = SECONDARY_SECONDS if is_secondary else READ_SECONDS
        if breaker.is_open:
            seconds = min(seconds, TRIAL_SECONDS)
        try:
            with breaker.call():
                async with asyncio.timeout(min(seconds, self._most_seconds)):
                    return await self._first_answer(order, request)
        except (TimeoutError, Unavailable):
            return _unanswered(request.api)

    async def _first_answer(
        self, order: Sequence[str], request: "_Request"
    ) -> ApiAnswer:
        # A connection of the pool may break off as it is used.
        for address in [*order, order[0]]:
            try:
                return await self._ask(address, request)
            except NOT_REACHED:
                self._replicas.mark_unavailable(address)
            except AWAY:
                continue
        return _unanswered("gateway")

    async def check(self) -> None:
        """Raise Unavailable unless the gateway answers."""
        try:
            address = self._replicas.order("portal")[0]
            await self._ask(address, _Request("GET", "/healthz", {}, None))
        except AWAY as error:
            raise Unavailable("The gateway does not answer") from error

    async def _ask(self, address: str, request: "_Request") -> ApiAnswer:
        if self._session is None:
            raise Unavailable("The portal is starting")
        async with self._session.request(
            request.method,
            upstream_url(address, request.path),
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
        ) as answer:
            return ApiAnswer(answer.status, answer.headers, await answer.read())


def _read_breaker(clock: Callable[[], float]) -> CircuitBreaker:
    return CircuitBreaker(
        failures=LATE_READS,
        rest_seconds=REST_SECONDS,
        trials=READS_AT_ONCE,
        on=(TimeoutError,),
        clock=clock,
    )


@dataclass(frozen=True, slots=True)
class _Request:
    """A request to the public API, path and query as they are sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def is_reading(self) -> bool:
        path = self.path.partition("?")[0]
        return self.method in SAFE_METHODS or path.endswith(READING)

    @property
    def api(self) -> str:
        """`search` of `/api/search/query`."""
        return self.path.split("/", 3)[2].partition("?")[0]


def _unanswered(api: str) -> ApiAnswer:
    # The gateway answers itself what is of no service, such as the status.
    name = f"service {api}" if api in ROUTES else "gateway"
    error = Unavailable(f"The {name} does not answer")
    body = {"error": {"name": error.name, "message": error.message}}
    return ApiAnswer(error.status, {}, orjson.dumps(body))


def _headers(visitor: Visitor | None, *, has_body: bool) -> dict[str, str]:
    headers = {"accept": "application/json"}
    if visitor is not None:
        headers["authorization"] = f"Bearer {visitor.token}"
    if has_body:
        headers["content-type"] = "application/json"
    if request_id := logs.correlation_id():
        headers[REQUEST_ID] = request_id
    return headers | tracing.fields()
