"""The path of a request through the gateway: who, may they, then to the service.

Plain ASGI on purpose: no framework objects on the way of most requests. Bodies stream
both ways; what a service answers is passed on as it is.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, Self
from urllib.parse import quote

from starlette.types import Message, Receive, Scope, Send

from services.gateway.callers import IN_PROCESS
from services.gateway.forward import headers as hdr
from services.gateway.forward.bodies import ClientGone, RequestBody
from services.gateway.forward.measures import PluginMeasures
from services.gateway.forward.upstreams import Reply, ServiceRequest, Upstream
from services.gateway.model import DOCS_COOKIE, SESSION_COOKIE, Decision, Identity
from services.gateway.open_requests import OpenRequests
from services.gateway.ports import Authenticator, PermissionChecker, Routes
from shared.contracts.errors import (
    CallboardError,
    Forbidden,
    NotFound,
    Unauthenticated,
)
from shared.contracts.paths import checked_path
from shared.contracts.permissions import SAFE_METHODS
from shared.kit.http.apps import BODY_LIMIT, CORRELATION, error_body
from shared.kit.http.service_tokens import (
    HEADER,
    ON_BEHALF_OF,
    Grant,
    Principal,
    PrincipalTokens,
)
from shared.kit.observability import logs

#: After this long the gateway looks whether the client is still there.
WATCH_AFTER_SECONDS = 0.25
DOCS_PATH = "/static/docs/"
DOCS, SESSION = DOCS_COOKIE.encode(), SESSION_COOKIE.encode()
AUTHORIZATION, BEHALF = b"authorization", ON_BEHALF_OF.encode()


class Forwarder:
    """Forwards `/api/{plugin}/…` to the service of that name.

    `upstreams` maps a plugin to its service's address, or to those of its replicas with
    commas between them. Use as an async context manager: it holds the connections.
    """

    def __init__(
        self,
        upstreams: Mapping[str, str],
        *,
        authenticator: Authenticator,
        guard: PermissionChecker,
        routes: Routes,
        tokens: PrincipalTokens,
        open_requests: OpenRequests,
        limit: int = BODY_LIMIT,
    ) -> None:
        self._upstreams = {
            name: Upstream(name, addresses) for name, addresses in upstreams.items()
        }
        self._authenticator = authenticator
        self._guard = guard
        self._routes = routes
        self._tokens = tokens
        self._open = open_requests
        self._limit = limit
        self._measured = {name: PluginMeasures(name) for name in upstreams}
        self._log = logs.get_logger("gateway")

    async def __aenter__(self) -> Self:
        for upstream in self._upstreams.values():
            await upstream.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        for upstream in self._upstreams.values():
            await upstream.close()

    def serves(self, plugin: str) -> bool:
        """Whether requests to this plugin are forwarded."""
        return plugin in self._upstreams

    async def handle(
        self, plugin: str, rest: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one request; `rest` is the decoded path below the plugin's root."""
        reply = _Reply(send, self._measured[plugin].begin())
        try:
            await self._answer(plugin, rest, scope, receive, reply)
        except CallboardError as error:
            if not reply.started:
                await reply.error(error, scope, _below(scope))
        except ClientGone:
            return

    async def _answer(
        self, plugin: str, rest: str, scope: Scope, receive: Receive, reply: "_Reply"
    ) -> None:
        body = RequestBody(scope["headers"], receive, self._limit)
        if checked_path(_below(scope).partition("?")[0]) != rest:
            # What is judged must be what the service gets: no hidden slashes.
            raise NotFound("There is nothing at this path")
        identity, question = await self._admitted(plugin, rest, scope)
        # What the portal asks for a page is part of the page's own request.
        inside = IN_PROCESS in scope
        held = nullcontext() if inside else self._open.hold(identity)
        task = asyncio.current_task()
        watch = _ClientWatch(receive, body, task)
        try:
            with held:
                await self._upstreams[plugin].ask(question, body, reply)
        except asyncio.CancelledError:
            if not watch.gone or task is None:
                raise
            # Our own doing: the client left, and with it the reason to go on.
            task.uncancel()
        finally:
            watch.stop()

    async def _admitted(
        self, plugin: str, rest: str, scope: Scope
    ) -> tuple[Identity, ServiceRequest]:
        """Who asks, and what the service gets to see; raises if they may not ask it."""
        given: hdr.Headers = scope["headers"]
        method: str = scope["method"]
        identity = await self._identity(scope, given, plugin, rest)
        need = self._routes.need(plugin, method, rest)
        permission = need.permission
        if need.only_services and not (identity.is_service or identity.by_service):
            raise Forbidden("Only services of this installation may do this.")
        decision = await self._guard.decision(identity, permission)
        if decision.result == "deny":
            raise Forbidden(decision.reason or f"Not allowed: {permission}")
        also = {name: await self._guard.decision(identity, name) for name in need.also}
        trace = _trace(given)
        changes = method not in SAFE_METHODS and not permission.endswith(".read")
        if changes:
            # The trail of who asked for what change; what came of it are events.
            self._log.info(
                "change_requested",
                subject=identity.subject,
                permission=permission,
                method=method,
                path=f"/api/{plugin}{rest}",
                correlation=trace[-1][1],
            )
        principal = self._principal(identity, permission, decision, also)
        sent = [*hdr.to_service(given), (HEADER, principal), *trace]
        question = ServiceRequest(
            method, _below(scope), sent, identity.subject, changes=changes
        )
        return identity, question

    async def _identity(
        self, scope: Scope, given: hdr.Headers, plugin: str, rest: str
    ) -> Identity:
        inside = scope.get(IN_PROCESS)
        if isinstance(inside, Identity):
            return inside
        docs = plugin == "techdocs" and rest.startswith(DOCS_PATH)
        found = await self._authenticator.authenticate(
            hdr.text(given, AUTHORIZATION),
            hdr.cookie(given, SESSION),
            on_behalf_of=hdr.text(given, BEHALF),
            docs_cookie=hdr.cookie(given, DOCS) if docs else None,
        )
        if found is None:
            raise Unauthenticated("Missing credentials")
        return found

    def _principal(
        self,
        identity: Identity,
        permission: str,
        decision: Decision,
        also: Mapping[str, Decision],
    ) -> str:
        return self._tokens.sign(
            Principal(
                subject=identity.subject,
                kind=identity.kind,
                ownership=identity.ownership,
                permission=permission,
                decision="allow" if decision.result == "allow" else "conditional",
                conditions=decision.conditions,
                also={
                    name: Grant(each.result, each.conditions, each.reason)
                    for name, each in also.items()
                },
            )
        )


class _Reply(Reply):
    """The answer to the client, begun at most once."""

    def __init__(self, send: Send, began: Callable[[int], None]) -> None:
        self._send = send
        self._answered = began
        self.started = False

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        self._answered(status)
        await self._send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )

    async def body(self, chunk: bytes, *, more: bool) -> None:
        await self._send(
            {"type": "http.response.body", "body": chunk, "more_body": more}
        )

    async def error(self, error: CallboardError, scope: Scope, url: str) -> None:
        body = error_body(error.name, error.message, scope["method"], url, error.status)
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
        ]
        retry = getattr(error, "retry_after", None)
        if retry is not None:
            headers.append((b"retry-after", str(retry).encode()))
        await self.start(error.status, headers)
        await self.body(body, more=False)


class _ClientWatch:
    """Cancels a request that takes long once its client has left."""

    def __init__(
        self, receive: Receive, body: RequestBody, task: asyncio.Task[Any] | None
    ) -> None:
        self._receive = receive
        self._body = body
        self._task = task
        self._watching: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(WATCH_AFTER_SECONDS, self._begin)
        self.gone = False

    def _begin(self) -> None:
        # While the body is being read, its reader is told of a client that leaves.
        if self._body.complete:
            self._watching = self._loop.create_task(self._watch())
        else:
            self._timer = self._loop.call_later(WATCH_AFTER_SECONDS, self._begin)

    async def _watch(self) -> None:
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await self._receive()
        self.gone = True
        if self._task is not None:
            self._task.cancel()

    def stop(self) -> None:
        """The request is answered."""
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()


def _below(scope: Scope) -> str:
    """The path below the plugin's root, with the query, as the client wrote them."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    parts = raw.decode("latin-1").partition("?")[0].split("/", 3)
    path = f"/{parts[3]}" if len(parts) > 3 else "/"
    query = scope.get("query_string", b"")
    return f"{path}?{query.decode('latin-1')}" if query else path


def _trace(given: hdr.Headers) -> list[tuple[str, str]]:
    parent = logs.new_traceparent(hdr.text(given, b"traceparent"))
    asked = hdr.text(given, b"x-request-id") or ""
    correlation = asked if CORRELATION.fullmatch(asked) else parent.split("-")[1]
    return [("traceparent", parent), ("x-request-id", correlation)]
