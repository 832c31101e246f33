"""Routes each request: to a service, to the front end, or to the gateway's own app.

It is ASGI middleware around the gateway's app. The host of a request must be this
portal, and a changing request of a browser must come from a page of this site.
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
#: Paths below every plugin that the gateway answers, because it has keys and cookies.
AUTH_BELOW = "/.backstage/auth/"
CROSS_SITE = "A page of another site sent this request"
#: Headers in which a browser names the site whose page sends a request.
SITE_HEADERS = frozenset({b"origin", b"sec-fetch-site"})


class RequestRouter:
    """Sends each request to the app that answers it.

    `owned` are the names after `/api/` that the gateway answers itself, `paths` its
    other paths; `hosts` are the names and origins of this site, `attempts` counts
    failed authentications.
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
        """Refuse requests to other hosts, and changes by pages of other sites."""
        headers: hdr.Headers = scope["headers"]
        self._hosts.check(headers, path)
        if scope["method"] not in SAFE_METHODS and self._is_foreign(headers, path):
            raise Forbidden(CROSS_SITE)

    def _is_foreign(self, headers: hdr.Headers, path: str) -> bool:
        """Whether a page of another site may have sent a change.

        Below `/api/` a token is enough proof, because no browser adds one by itself.
        Outside, the browser's headers always count: a sign-in has no cookie yet, and
        another site must not send it either.
        """
        authorization = hdr.find(headers, b"authorization") or b""
        is_page = not path.startswith(API)
        if authorization[:7].lower() == b"bearer " and not is_page:
            return False
        if is_page and any(name in SITE_HEADERS for name, _ in headers):
            return not self._hosts.sent(headers)
        # Anywhere in the header, because parsers of cookies differ.
        has_session = any(
            name == b"cookie" and SESSION in value for name, value in headers
        )
        return has_session and not self._hosts.sent(headers)


async def _is_read(receive: Receive) -> bool:
    """Read and drop the body, so that a client that still writes gets the error."""
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
