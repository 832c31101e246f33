"""The first thing a request meets: forwarded, answered here, or nobody's.

ASGI middleware around the gateway's own app; a request must be to a host that is this
portal, and a browser's request that changes something from a page of this site.
"""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.callers import IN_PROCESS
from services.gateway.forward import headers as hdr
from services.gateway.forward.api import SESSION, Forwarder
from services.gateway.forward.attempts import Attempts
from services.gateway.forward.hosts import OwnHosts
from shared.contracts.errors import CallboardError, Forbidden
from shared.contracts.permissions import SAFE_METHODS
from shared.kit.http.apps import BODY_LIMIT, error_body

API = "/api/"
#: Below any plugin: answered by the gateway, which alone knows keys and cookies.
AUTH_BELOW = "/.backstage/auth/"
CROSS_SITE = "A page of another site sent this request"


class RequestRouter:
    """Sends each request where it belongs.

    `owned` are the names after `/api/` that the gateway answers itself, `hosts` the
    names and origins of this site; `attempts` counts who fails to prove themselves.
    The forwarder is looked up per request in `app.state`: it lives as long as the app.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        owned: Collection[str],
        hosts: OwnHosts,
        attempts: Attempts,
    ) -> None:
        self._app = app
        self._attempts = attempts
        self._owned = frozenset(owned)
        self._hosts = hosts

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
        if IN_PROCESS not in scope:
            send = self._attempts.watched(scope, send)
        if not path.startswith(API):
            await self._app(scope, receive, send)
            return
        plugin, slash, below = path[len(API) :].partition("/")
        rest = slash + below or "/"
        forwarder: Forwarder = scope["app"].state.forwarder
        if rest.startswith(AUTH_BELOW) or plugin in self._owned:
            await self._app(scope, receive, send)
        elif forwarder.serves(plugin):
            await forwarder.handle(plugin, rest, scope, receive, send)
        else:
            await _answer(send, 404, b"")

    def _check(self, scope: Scope, path: str) -> None:
        """Refuse what is not for this portal, or is another site's doing."""
        if IN_PROCESS in scope:
            return
        headers: hdr.Headers = scope["headers"]
        self._hosts.check(headers, path)
        if scope["method"] not in SAFE_METHODS and self._is_foreign(headers, path):
            raise Forbidden(CROSS_SITE)

    def _is_foreign(self, headers: hdr.Headers, path: str) -> bool:
        given = hdr.find(headers, b"authorization") or b""
        if given[:7].lower() == b"bearer ":
            return False
        # Anywhere in the header: readers of cookies differ in what they take for one.
        cookie = any(name == b"cookie" and SESSION in value for name, value in headers)
        told = any(name in (b"origin", b"sec-fetch-site") for name, _ in headers)
        # Signing in has no cookie yet, and must not be done by another site either.
        if not cookie and (path.startswith(API) or not told):
            return False
        return not self._hosts.sent(headers)


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
