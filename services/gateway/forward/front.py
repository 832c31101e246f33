"""The first thing a request meets: a service's, a page, answered here, or nobody's.

ASGI middleware around the gateway's own app; a request must be to a host that is this
portal, and a browser's request that changes something from a page of this site.
"""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.forward import headers as hdr
from services.gateway.forward.api import SESSION, Forwarder
from services.gateway.forward.attempts import Attempts
from services.gateway.forward.hosts import OwnHosts
from services.gateway.forward.pages import PageForwarder
from shared.contracts.errors import CallboardError, Forbidden
from shared.contracts.permissions import SAFE_METHODS
from shared.kit.http.error_responses import error_body
from shared.kit.http.request_limits import BODY_LIMIT

API = "/api/"
#: Below any plugin: answered by the gateway, which alone knows keys and cookies.
AUTH_BELOW = "/.backstage/auth/"
CROSS_SITE = "A page of another site sent this request"
#: Headers by which a browser tells whose page sends a request.
BROWSERS_WORD = frozenset({b"origin", b"sec-fetch-site"})


class RequestRouter:
    """Sends each request where it belongs.

    `owned` are the names after `/api/` that the gateway answers itself, `paths` those
    outside; `hosts` are the names and origins of this site, `attempts` counts who fails
    to prove themselves.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        owned: Collection[str],
        paths: Collection[str],
        forwarder: Forwarder,
        pages: PageForwarder,
        hosts: OwnHosts,
        attempts: Attempts,
    ) -> None:
        self._app = app
        self._owned = frozenset(owned)
        self._paths = frozenset(paths)
        self._forwarder = forwarder
        self._pages = pages
        self._hosts = hosts
        self._attempts = attempts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        try:
            self._check(scope, path)
        except CallboardError as error:
            body = error_body(
                error.name, error.message, scope["method"], path, error.status
            )
            if await _is_read(receive):
                await _answer(send, error.status, body)
            return
        await self._route(path, scope, receive, self._attempts.watched(scope, send))

    async def _route(
        self, path: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if path in self._paths:
            await self._app(scope, receive, send)
            return
        if not path.startswith(API):
            await self._pages.handle(scope, receive, send)
            return
        plugin, slash, below = path[len(API) :].partition("/")
        rest = slash + below or "/"
        if rest.startswith(AUTH_BELOW) or plugin in self._owned:
            await self._app(scope, receive, send)
        elif self._forwarder.serves(plugin):
            await self._forwarder.handle(plugin, rest, scope, receive, send)
        else:
            await _answer(send, 404, b"")

    def _check(self, scope: Scope, path: str) -> None:
        """Refuse what is not for this portal, or is another site's doing."""
        headers: hdr.Headers = scope["headers"]
        self._hosts.check(headers, path)
        if scope["method"] not in SAFE_METHODS and self._is_foreign(headers, path):
            raise Forbidden(CROSS_SITE)

    def _is_foreign(self, headers: hdr.Headers, path: str) -> bool:
        """Whether a change may be the doing of a page of another site.

        Below `/api/` a token is proof enough: no browser adds one by itself. Outside it
        a browser's word about where a form comes from counts in any case: signing in
        has no cookie yet, and must not be done by another site either.
        """
        given = hdr.find(headers, b"authorization") or b""
        is_page = not path.startswith(API)
        if given[:7].lower() == b"bearer " and not is_page:
            return False
        if is_page and any(name in BROWSERS_WORD for name, _ in headers):
            return not self._hosts.sent(headers)
        # Anywhere in the header: readers of cookies differ in what they take for one.
        has_session = any(
            name == b"cookie" and SESSION in value for name, value in headers
        )
        return has_session and not self._hosts.sent(headers)


async def _is_read(receive: Receive) -> bool:
    """Drop the body: who is still writing would not read why they were refused."""
    size = 0
    while size <= BODY_LIMIT:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return True


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    if body:
        headers.append((b"content-type", b"application/json; charset=utf-8"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
