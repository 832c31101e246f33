"""The app that all services share: errors, limits, health, metrics, callers."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.sse import format_sse_event
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.contracts.errors import (
    CallboardError,
    Forbidden,
    Invalid,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from shared.contracts.headers import PRINCIPAL
from shared.contracts.paths import checked_path
from shared.contracts.permissions import OPEN_PATHS, ROUTES, need_of, route_of
from shared.kit.http.error_responses import error_response
from shared.kit.http.head_requests import HeadAsGet
from shared.kit.http.headers import SafeAnswers
from shared.kit.http.openapi import BackstageJson, ServiceApp
from shared.kit.http.request_limits import BODY_LIMIT, RequestLimits
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from shared.kit.http.validation import validation_text
from shared.kit.observability import logs, tracing

Check = Callable[[], Awaitable[None]]
HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 3.0
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
#: Limit of an error's text: the database driver's errors describe all servers.
LONGEST_CAUSE = 300
#: The key of the caller in the scope of a permitted request.
CALLER = "callboard.caller"


def make_app(
    name: str, *, lifespan: Any = None, body_limit: int = BODY_LIMIT
) -> ServiceApp:
    """A FastAPI app with Callboard's errors, limits and health routes.

    `app.state.checks` maps a dependency's name to a coroutine function that raises
    when it is not usable; `app.state.tokens` must hold a `PrincipalTokens`.
    """
    root = f"/api/{name}" if name in ROUTES else ""
    app = ServiceApp(name, root=root, lifespan=lifespan, telemetry=_telemetry())
    app.state.checks = {}
    app.state.name = name
    log = logs.get_logger(name)

    async def failed(request: Request, error: Exception) -> Response:
        if not isinstance(error, CallboardError | HTTPException):
            log.error("request_failed", path=request.url.path, exc_info=error)
        elif isinstance(error, Unavailable) and error.__cause__ is not None:
            # The client is told what is unavailable; the operator needs the cause.
            log.warning("unavailable", path=request.url.path, cause=_cause_of(error))
        return error_response(request, error)

    async def left(request: Request, _: Exception) -> Response:
        # Nobody reads the response, and a disconnection is no error to log.
        return error_response(request, Invalid("body: the client left in the middle"))

    async def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows
        message = validation_text(error.errors(), error.body)
        return error_response(request, Invalid(message))

    app.add_exception_handler(ClientDisconnect, left)
    app.add_exception_handler(CallboardError, failed)
    app.add_exception_handler(HTTPException, failed)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(Exception, failed)
    app.add_middleware(HeadAsGet)
    if name in ROUTES:
        app.add_middleware(_PermittedOnly, state=app.state)
    app.add_middleware(RequestLimits, limit=body_limit)
    app.add_middleware(SafeAnswers)
    _health(app)
    return app


def _telemetry() -> TelemetryConfig:
    """FastAPI records only the server's spans, and only if an exporter is configured.

    Requests of probes and scrapers belong to no trace.
    """
    return TelemetryConfig(
        auto_configure=False,
        exclude=lambda scope: scope.get("path") in OPEN_PATHS,
        logs=False,
        metrics=False,
        operation_spans=False,
        tracing=tracing.is_recording(),
    )


def _cause_of(error: Exception) -> str:
    """The cause of an error; only its type if its text may repeat a document."""
    cause, name = error.__cause__, type(error.__cause__).__name__
    cause_text = name if isinstance(cause, ValueError) else f"{name}: {cause}"
    return cause_text[:LONGEST_CAUSE]


def _health(app: FastAPI) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        states = await run_checks(app.state.checks)
        ready = all(state == "ok" for state in states.values())
        body = {
            "service": app.state.name,
            "status": "ok" if ready else "not ready",
            "checks": states,
            "figures": figures(app.state.name),
        }
        return json_response(body, status=200 if ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def figures(service: str) -> dict[str, float]:
    """The current values of this service's gauges without labels."""
    prefix = f"callboard_{service}_"
    return {
        metric.name.removeprefix(prefix): metric.samples[0].value
        for metric in REGISTRY.collect()
        if metric.type == "gauge" and metric.name.startswith(prefix)
    }


async def run_checks(checks: Mapping[str, Check]) -> dict[str, str]:
    """The state of each dependency: "ok", or its error."""

    async def one(check: Check) -> str:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await check()
        except TimeoutError:
            return f"no answer within {CHECK_SECONDS:.0f} s"
        except Exception as error:  # noqa: BLE001 - a check may fail in any way
            return str(error) or type(error).__name__
        return "ok"

    states = await asyncio.gather(*(one(check) for check in checks.values()))
    return dict(zip(checks, states, strict=True))


def json_response(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON as Backstage sends it; bytes are JSON already."""
    return BackstageJson(value, status, headers=headers)


def caller_of(request: Request) -> Principal:
    """The caller of a request.

    Raises:
        Unauthenticated: if the request has no valid principal.
    """
    permitted = request.scope.get(CALLER)
    if isinstance(permitted, Principal):
        return permitted
    token = request.headers.get(PRINCIPAL)
    if not token:
        raise Unauthenticated("Missing credentials")
    tokens: PrincipalTokens = request.app.state.tokens
    return tokens.verify(token)


async def caller(request: Request) -> Principal:
    """`caller_of` as a FastAPI dependency."""
    return caller_of(request)


Caller = Annotated[Principal, Depends(caller)]


async def service_caller(caller: Caller) -> Principal:
    """The calling service; raises Forbidden if the caller is a person."""
    if not caller.is_service:
        raise Forbidden("Only services may ask for this")
    return caller


ServiceCaller = Annotated[Principal, Depends(service_caller)]


def sse_frame(
    *,
    data: str | bytes,
    event: str | None = None,
    id: str | None = None,  # noqa: A002
) -> bytes:
    """One server-sent event (WHATWG HTML, section 9.2); newlines split `data`.

    Raises:
        ValueError: if `event` or `id` would begin a line of their own.
    """
    text = data.decode() if isinstance(data, bytes) else data
    if _LINE_ENDS.search(f"{id or ''}{event or ''}"):
        raise ValueError("event, id: must not have several lines")
    return format_sse_event(data_str=text, event=event, id=id)


def sse(
    frames: AsyncIterator[bytes], *, heartbeat: float = HEARTBEAT_SECONDS
) -> Response:
    """A stream of server-sent events, with comments while there are no events."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(
        _with_heartbeat(frames, heartbeat), 200, headers, "text/event-stream"
    )


async def _with_heartbeat(
    frames: AsyncIterator[bytes], seconds: float
) -> AsyncIterator[bytes]:
    pending: asyncio.Task[bytes] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(_next(frames))
            done, _ = await asyncio.wait({pending}, timeout=seconds)
            if not done:
                yield b": \n\n"
                continue
            frame, pending = pending, None
            try:
                yield frame.result()
            except StopAsyncIteration:
                return
    finally:
        if pending is not None:
            pending.cancel()
        closing = getattr(frames, "aclose", None)
        if closing is not None and (pending is None or pending.done()):
            await closing()


async def _next(frames: AsyncIterator[bytes]) -> bytes:
    return await frames.__anext__()


class _PermittedOnly:
    """Admits a request whose principal has a decision about the route's permission.

    The path is checked by the gateway's rules again, so that no request reaches the
    router that the gateway could have read as another one.
    """

    def __init__(self, app: ASGIApp, state: Any) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            try:
                scope[CALLER] = self._permitted(scope)
            except CallboardError as error:
                await error_response(Request(scope), error)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _permitted(self, scope: Scope) -> Principal:
        raw = scope.get("raw_path") or quote(scope["path"]).encode()
        path = checked_path(raw.decode("latin-1").partition("?")[0])
        if path != scope["path"]:
            raise NotFound("path: must be UTF-8")
        if tracing.is_recording():
            route = route_of(self.state.name, scope["method"], path)
            tracing.set_route(scope["method"], route)
        principal = caller_of(Request(scope))
        if principal.is_service and principal.permission is None:
            # A service calls for itself, without the policy.
            return principal
        need = need_of(self.state.name, scope["method"], path)
        if principal.permission != need.permission:
            raise Forbidden(
                f"This needs {need.permission}; the policy was asked about "
                f"{principal.permission or 'nothing'}"
            )
        if principal.decision == "conditional" and need.resource is None:
            raise Forbidden(f"{need.permission} knows no conditions")
        return principal
