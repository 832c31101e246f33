"""Forwards requests outside `/api` to the front end, with a token for the reader.

The front end is a client of the public API: it sends the token with its requests for
the reader, and never gets the reader's session.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from services.gateway.forward import headers as hdr
from services.gateway.forward.bodies import ClientGone, RequestBody
from services.gateway.forward.exchange import ClientReply, exchange, trace_of
from services.gateway.forward.metrics import PluginMetrics
from services.gateway.forward.upstreams import ServiceRequest, Upstream
from services.gateway.model import DOCS_COOKIE, SESSION_COOKIE, Identity
from services.gateway.open_requests import OpenRequests
from services.gateway.ports import Authenticator, Readers
from shared.contracts.errors import CallboardError, Unauthenticated, Unavailable
from shared.contracts.headers import CLIENT, ON_BEHALF_OF, POSITION
from shared.contracts.permissions import SAFE_METHODS
from shared.kit.http.request_limits import BODY_LIMIT
from shared.kit.observability import tracing

FRONT_END = "portal"
SESSION = SESSION_COOKIE.encode()
OWN_COOKIES = (SESSION, DOCS_COOKIE.encode())
FORWARDED_FOR = b"x-forwarded-for"
NOBODY = "nobody"
AWAY = """\
503: the pages of this portal are away.

Nothing was lost: what shows them is being restarted, or cannot be reached.

- Try again in a few seconds.
- The API goes on; /api/status tells whoever is signed in how each service is.
- Who runs this installation finds the reason in the log of the service "portal".
"""


class PageForwarder:
    """Forwards requests for pages to the front end.

    `position` is that of the event stream, so that an open page misses no event.
    """

    def __init__(
        self,
        front_end: Upstream,
        *,
        authenticator: Authenticator,
        readers: Readers,
        position: Callable[[], str],
        open_requests: OpenRequests,
    ) -> None:
        self._front_end = front_end
        self._authenticator = authenticator
        self._readers = readers
        self._position = position
        self._open_requests = open_requests
        self._metrics = PluginMetrics(FRONT_END)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        reply = ClientReply(send, self._metrics.begin())
        tracing.set_route(scope["method"], "/{path}")
        try:
            with tracing.request_trace(scope["headers"]):
                await self._answer(scope, receive, reply)
        except Unavailable:
            if not reply.started:
                await reply.text(503, AWAY, retry_after=2)
        except CallboardError as error:
            if not reply.started:
                await reply.error(error, scope, scope["path"])
        except ClientGone:
            return

    async def _answer(self, scope: Scope, receive: Receive, reply: ClientReply) -> None:
        body = RequestBody(scope["headers"], receive, BODY_LIMIT)
        reader = await self._reader(scope["headers"])
        request = self._request(scope, reader)
        open_requests = self._open_requests
        with open_requests.hold(reader, scope) if reader else nullcontext():
            await exchange(self._front_end, request, body, receive, reply)

    async def _reader(self, headers: hdr.Headers) -> Identity | None:
        """The reader; None also for a bad token, so that the page offers to sign in."""
        try:
            return await self._authenticator.authenticate(
                hdr.text(headers, b"authorization"),
                hdr.cookie(headers, SESSION),
                on_behalf_of=hdr.text(headers, ON_BEHALF_OF.encode()),
            )
        except Unauthenticated:
            return None

    def _request(self, scope: Scope, reader: Identity | None) -> ServiceRequest:
        method: str = scope["method"]
        client_headers: hdr.Headers = scope["headers"]
        headers = [
            *(
                pair
                for pair in hdr.to_service(client_headers)
                if pair[0] != "x-forwarded-for"
            ),
            ("host", hdr.text(client_headers, b"host") or ""),
            ("x-forwarded-for", _forwarded_for(scope)),
            (POSITION, self._position()),
            *trace_of(client_headers),
        ]
        if cookies := other_cookies(client_headers):
            headers.append(("cookie", cookies))
        if reader is not None:
            headers.append(("authorization", f"Bearer {self._readers.token(reader)}"))
            sign_in = hashlib.sha256(reader.session.encode()).hexdigest()
            headers.append((CLIENT, f"{self._open_requests.client(scope)} {sign_in}"))
        return ServiceRequest(
            method,
            _target(scope),
            headers,
            reader.subject if reader else NOBODY,
            changes=method not in SAFE_METHODS,
        )


def other_cookies(headers: hdr.Headers) -> str:
    """The cookies that are not the gateway's own.

    Parsers of cookies differ: if one could still find a cookie of the gateway, none is
    passed on.
    """
    pairs = [
        pair.strip()
        for name, value in headers
        if name == b"cookie"
        for pair in value.split(b";")
        if pair.partition(b"=")[0].strip() not in OWN_COOKIES
    ]
    cookies = b"; ".join(pairs)
    return (
        ""
        if any(name in cookies for name in OWN_COOKIES)
        else cookies.decode("latin-1")
    )


def _forwarded_for(scope: Scope) -> str:
    """The addresses of the request's path; the last one is the gateway's peer."""
    values: Sequence[bytes] = [
        value for name, value in scope["headers"] if name == FORWARDED_FOR
    ]
    peer = scope.get("client")
    own = str(peer[0]) if peer else "unknown"
    return ", ".join([*(value.decode("latin-1") for value in values), own])


def _target(scope: Scope) -> str:
    """The undecoded path and query."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    path = raw.decode("latin-1").partition("?")[0]
    query = scope.get("query_string", b"")
    return f"{path}?{query.decode('latin-1')}" if query else path
