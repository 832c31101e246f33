"""Forwards a request to a service: identity, permission, then the exchange."""

from collections.abc import Iterable
from contextlib import nullcontext
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from services.gateway.forward import headers as hdr
from services.gateway.forward.admission import RequestAdmission
from services.gateway.forward.bodies import ClientGone, RequestBody
from services.gateway.forward.exchange import ClientReply, exchange, trace_of
from services.gateway.forward.metrics import PluginMetrics
from services.gateway.forward.services import ServiceConnections
from services.gateway.forward.upstreams import ServiceRequest
from services.gateway.model import DOCS_COOKIE, SESSION_COOKIE, Identity
from services.gateway.open_requests import OpenRequests
from services.gateway.ports import Authenticator
from shared.contracts.errors import CallboardError, NotFound, Unauthenticated
from shared.contracts.headers import ON_BEHALF_OF, PRINCIPAL
from shared.contracts.paths import checked_path
from shared.contracts.permissions import SAFE_METHODS, route_of
from shared.kit.http.request_limits import BODY_LIMIT
from shared.kit.observability import logs, tracing

DOCS_PATH = "/static/docs/"
DOCS, SESSION = DOCS_COOKIE.encode(), SESSION_COOKIE.encode()
AUTHORIZATION, BEHALF = b"authorization", ON_BEHALF_OF.encode()


class Forwarder:
    """Forwards `/api/{plugin}/…` to the service of that name."""

    def __init__(
        self,
        services: ServiceConnections,
        plugins: Iterable[str],
        *,
        authenticator: Authenticator,
        admission: RequestAdmission,
        open_requests: OpenRequests,
        limit: int = BODY_LIMIT,
    ) -> None:
        self._services = services
        self._authenticator = authenticator
        self._admission = admission
        self._open_requests = open_requests
        self._limit = limit
        self._metrics = {name: PluginMetrics(name) for name in plugins}
        self._log = logs.get_logger("gateway")

    def serves(self, plugin: str) -> bool:
        """Whether requests to this plugin are forwarded."""
        return plugin in self._metrics

    async def handle(
        self, plugin: str, rest: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one request; `rest` is the decoded path below the plugin's root."""
        reply = ClientReply(send, self._metrics[plugin].begin())
        if tracing.is_recording():
            route = route_of(plugin, scope["method"], rest) or "/{path}"
            tracing.set_route(scope["method"], f"/api/{plugin}{route}")
        try:
            with tracing.request_trace(scope["headers"]):
                await self._answer(plugin, rest, scope, receive, reply)
        except CallboardError as error:
            if not reply.started:
                await reply.error(error, scope, _below(scope))
        except ClientGone:
            return

    async def _answer(
        self,
        plugin: str,
        rest: str,
        scope: Scope,
        receive: Receive,
        reply: ClientReply,
    ) -> None:
        body = RequestBody(scope["headers"], receive, self._limit)
        if checked_path(_below(scope).partition("?")[0]) != rest:
            # The policy and the service must read the same path: no hidden slashes.
            raise NotFound("There is nothing at this path")
        identity = await self._identity(scope, plugin, rest)
        request = await self._request(identity, plugin, rest, scope)
        # A request of the front end is part of the page's own request.
        is_part_of_page = identity.by_front_end
        with (
            nullcontext()
            if is_part_of_page
            else self._open_requests.hold(identity, scope)
        ):
            await exchange(self._services[plugin], request, body, receive, reply)

    async def _request(
        self, identity: Identity, plugin: str, rest: str, scope: Scope
    ) -> ServiceRequest:
        """The request to the service; raises if the caller may not send it."""
        client_headers: hdr.Headers = scope["headers"]
        method: str = scope["method"]
        admitted = await self._admission.admit(identity, plugin, method, rest)
        trace = trace_of(client_headers)
        reads = method in SAFE_METHODS or admitted.permission.endswith(".read")
        if not reads:
            # The audit trail of requested changes; their results are events.
            self._log.info(
                "change_requested",
                subject=identity.subject,
                permission=admitted.permission,
                method=method,
                path=f"/api/{plugin}{rest}",
                correlation=trace[-1][1],
            )
        headers = [
            *hdr.to_service(client_headers),
            (PRINCIPAL, admitted.principal),
            *trace,
        ]
        return ServiceRequest(
            method, _below(scope), headers, identity.subject, changes=not reads
        )

    async def _identity(self, scope: Scope, plugin: str, rest: str) -> Identity:
        client_headers: hdr.Headers = scope["headers"]
        docs = plugin == "techdocs" and rest.startswith(DOCS_PATH)
        identity = await self._authenticator.authenticate(
            hdr.text(client_headers, AUTHORIZATION),
            hdr.cookie(client_headers, SESSION),
            on_behalf_of=hdr.text(client_headers, BEHALF),
            docs_cookie=hdr.cookie(client_headers, DOCS) if docs else None,
        )
        if identity is None:
            raise Unauthenticated("Missing credentials")
        return identity


def _below(scope: Scope) -> str:
    """The path below the plugin's root with the query, undecoded."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    parts = raw.decode("latin-1").partition("?")[0].split("/", 3)
    path = f"/{parts[3]}" if len(parts) > 3 else "/"
    query = scope.get("query_string", b"")
    return f"{path}?{query.decode('latin-1')}" if query else path
