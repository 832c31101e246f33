"""The public API over HTTP, with the visitor's token."""

from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import orjson
from yarl import URL

from services.portal.model import ApiAnswer, Visitor
from services.portal.ports import Params
from shared.contracts.errors import Unavailable
from shared.contracts.headers import REQUEST_ID
from shared.contracts.permissions import SAFE_METHODS
from shared.kit.http.replicas import Replicas, upstream_url
from shared.kit.observability import logs, tracing

CONNECT_SECONDS = 3.0
#: Longer than the gateway itself waits for a service that changes something.
ANSWER_SECONDS = 630.0
#: The gateway keeps an idle connection for 75 s: ours must end first.
KEEPALIVE_SECONDS = 60.0
MOST_CONNECTIONS = 256
#: What is asked by POST and changes nothing: the ends of paths.
READING = ("/by-refs", "/authorize", "/multiget")
NOBODY = "nobody"
AWAY = (aiohttp.ClientError, TimeoutError, OSError)
NOT_REACHED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
NO_ANSWER = orjson.dumps(
    {"error": {"name": Unavailable.name, "message": "The gateway does not answer"}}
)


class PublicApi:
    """`Api` over a pool of connections; use as an async context manager.

    `addresses` is the gateway's, or those of its replicas with commas between them.
    """

    def __init__(self, addresses: str) -> None:
        self._replicas = Replicas(addresses)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=MOST_CONNECTIONS, keepalive_timeout=KEEPALIVE_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS
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
    ) -> ApiAnswer:
        """What the API answers; see the port."""
        query = urlencode(params, doseq=True) if params else ""
        if query:
            path = f"{path}{'&' if '?' in path else '?'}{query}"
        method = method.upper()
        body = None if json is None else orjson.dumps(json)
        headers = _headers(visitor, has_body=body is not None)
        order = [*self._replicas.order(visitor.subject if visitor else NOBODY)]
        is_reading = method in SAFE_METHODS or path.endswith(READING)
        # A connection of the pool may break off as it is used: a read is sent again.
        for address in [*order, order[0]] if is_reading else order:
            try:
                return await self._ask(
                    method, upstream_url(address, path), headers, body
                )
            except NOT_REACHED:
                self._replicas.mark_unavailable(address)
            except AWAY:
                if not is_reading:
                    break
        return ApiAnswer(Unavailable.status, {}, NO_ANSWER)

    async def check(self) -> None:
        """Raise Unavailable unless the gateway answers."""
        url = upstream_url(self._replicas.order("portal")[0], "/healthz")
        try:
            await self._ask("GET", url, {}, None)
        except AWAY as error:
            raise Unavailable("The gateway does not answer") from error

    async def _ask(
        self, method: str, url: URL, headers: dict[str, str], body: bytes | None
    ) -> ApiAnswer:
        if self._session is None:
            raise Unavailable("The portal is starting")
        async with self._session.request(
            method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
        ) as answer:
            return ApiAnswer(answer.status, answer.headers, await answer.read())


def _headers(visitor: Visitor | None, *, has_body: bool) -> dict[str, str]:
    headers = {"accept": "application/json"}
    if visitor is not None:
        headers["authorization"] = f"Bearer {visitor.token}"
    if has_body:
        headers["content-type"] = "application/json"
    if request_id := logs.correlation_id():
        headers[REQUEST_ID] = request_id
    return headers | tracing.fields()
