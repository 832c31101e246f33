"""Everything outside `/api`: passed to the front end, with who reads.

The front end is a client of the public API like any other: it gets a token with which
it asks the API for its reader, and never the reader's session.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from services.gateway.forward import headers as hdr
from services.gateway.forward.bodies import ClientGone, RequestBody
from services.gateway.forward.exchange import ClientReply, exchange, trace_of
from services.gateway.forward.metrics import PluginMeasures
from services.gateway.forward.upstreams import ServiceRequest, Upstream
from services.gateway.model import DOCS_COOKIE, SESSION_COOKIE, Identity
from services.gateway.open_requests import OpenRequests
from services.gateway.ports import Authenticator, Readers
from shared.contracts.errors import CallboardError, Unauthenticated, Unavailable
from shared.contracts.headers import ON_BEHALF_OF, POSITION
from shared.contracts.permissions import SAFE_METHODS
from shared.kit.http.request_limits import BODY_LIMIT
from shared.kit.observability import tracing

FRONT_END = "portal"
SESSION = SESSION_COOKIE.encode()
OUR_COOKIES = (SESSION, DOCS_COOKIE.encode())
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
    """Forwards requests for pages to the front end, whatever that is.

    `position` is where the event stream stands, so that an open page misses nothing.
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
        self._open = open_requests
        self._measures = PluginMeasures(FRONT_END)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        reply = ClientReply(send, self._measures.begin())
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
        with self._open.hold(reader) if reader else nullcontext():
            await exchange(self._front_end, request, body, receive, reply)

    async def _reader(self, given: hdr.Headers) -> Identity | None:
        """Who reads; a bad token is nobody's, and the front end offers to sign in."""
        try:
            return await self._authenticator.authenticate(
                hdr.text(given, b"authorization"),
                hdr.cookie(given, SESSION),
                on_behalf_of=hdr.text(given, ON_BEHALF_OF.encode()),
            )
        except Unauthenticated:
            return None

    def _request(self, scope: Scope, reader: Identity | None) -> ServiceRequest:
        method: str = scope["method"]
        given: hdr.Headers = scope["headers"]
        headers = [
            *(pair for pair in hdr.to_service(given) if pair[0] != "x-forwarded-for"),
            ("host", hdr.text(given, b"host") or ""),
            ("x-forwarded-for", _forwarded_for(scope)),
            (POSITION, self._position()),
            *trace_of(given),
        ]
        if cookies := other_cookies(given):
            headers.append(("cookie", cookies))
        if reader is not None:
            headers.append(("authorization", f"Bearer {self._readers.token(reader)}"))
        return ServiceRequest(
            method,
            _target(scope),
            headers,
            reader.subject if reader else NOBODY,
            changes=method not in SAFE_METHODS,
        )


def other_cookies(headers: hdr.Headers) -> str:
    """The cookies that are not the gateway's own.

    Readers of cookies differ in what they take for one: where one of ours could still
    be found, no cookie is passed on.
    """
    pairs = [
        pair.strip()
        for name, value in headers
        if name == b"cookie"
        for pair in value.split(b";")
        if pair.partition(b"=")[0].strip() not in OUR_COOKIES
    ]
    found = b"; ".join(pairs)
    return "" if any(name in found for name in OUR_COOKIES) else found.decode("latin-1")


def _forwarded_for(scope: Scope) -> str:
    """The addresses that a request came through, the last one as it reached us."""
    given: Sequence[bytes] = [
        value for name, value in scope["headers"] if name == FORWARDED_FOR
    ]
    peer = scope.get("client")
    own = str(peer[0]) if peer else "unknown"
    return ", ".join([*(value.decode("latin-1") for value in given), own])


def _target(scope: Scope) -> str:
    """Path and query as the client wrote them."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    path = raw.decode("latin-1").partition("?")[0]
    query = scope.get("query_string", b"")
    return f"{path}?{query.decode('latin-1')}" if query else path
