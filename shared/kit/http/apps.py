"""The HTTP face that all services share: errors, limits, health, metrics, callers."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote

import orjson
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.sse import format_sse_event
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.contracts import disk_space
from shared.contracts.errors import (
    CallboardError,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from shared.contracts.headers import NOSNIFF, PRINCIPAL, REQUEST_ID
from shared.contracts.paths import checked_path
from shared.contracts.permissions import OPEN_PATHS, ROUTES, need_of, route_of
from shared.guards.cookies import are_plain, plain_cookies
from shared.guards.numbers import whole_number
from shared.kit.http.headers import SafeAnswers
from shared.kit.http.openapi import BackstageJson, ServiceApp
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from shared.kit.http.validation import validation_text
from shared.kit.observability import logs, tracing

Check = Callable[[], Awaitable[None]]
BODY_LIMIT = 10 * 1024 * 1024
#: Of an address; each is read into a list more than once on its way.
MOST_PARAMETERS = 2_000
HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 3.0
CORRELATION = re.compile(r"[\w.:-]{1,80}")
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
#: The driver's words on a lost server repeat all that it knows of it.
LONGEST_CAUSE = 300
#: Where a request that was let in carries who is asking.
CALLER = "callboard.caller"
STATUS_NAMES = {405: "MethodNotAllowedError", 413: "PayloadTooLargeError"}


def make_app(
    name: str, *, lifespan: Any = None, body_limit: int = BODY_LIMIT
) -> ServiceApp:
    """A FastAPI app with the house's errors, limits and health routes.

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
            # Whoever asked is told what is away; who runs it needs to know why.
            log.warning("unavailable", path=request.url.path, cause=_why(error))
        return error_response(request, error)

    async def left(request: Request, _: Exception) -> Response:
        # Nobody reads it, and no fault of ours is worth a line of the log.
        return error_response(request, Invalid("body: the client left in the middle"))

    async def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows
        return error_response(request, Invalid(validation_text(error.errors())))

    app.add_exception_handler(ClientDisconnect, left)
    app.add_exception_handler(CallboardError, failed)
    app.add_exception_handler(HTTPException, failed)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(Exception, failed)
    if name in ROUTES:
        app.add_middleware(_PermittedOnly, state=app.state)
    app.add_middleware(_Edge, limit=body_limit)
    app.add_middleware(SafeAnswers)
    _health(app)
    return app


def _telemetry() -> TelemetryConfig:
    """FastAPI records the server's spans where an exporter is configured, only those.

    What probes and scrapers ask belongs to no trace.
    """
    return TelemetryConfig(
        auto_configure=False,
        exclude=lambda scope: scope.get("path") in OPEN_PATHS,
        logs=False,
        metrics=False,
        operation_spans=False,
        tracing=tracing.is_recording(),
    )


def _why(error: Exception) -> str:
    """What lies behind an error; not in its words where they may repeat a document."""
    cause, name = error.__cause__, type(error.__cause__).__name__
    known = name if isinstance(cause, ValueError) else f"{name}: {cause}"
    return known[:LONGEST_CAUSE]


def _health(app: FastAPI) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        found = await run_checks(app.state.checks)
        ready = all(state == "ok" for state in found.values())
        body = {
            "service": app.state.name,
            "status": "ok" if ready else "not ready",
            "checks": found,
            "figures": figures(app.state.name),
        }
        return json_response(body, status=200 if ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def figures(service: str) -> dict[str, float]:
    """What this service measures at the moment: its gauges without a label."""
    prefix = f"callboard_{service}_"
    return {
        metric.name.removeprefix(prefix): metric.samples[0].value
        for metric in REGISTRY.collect()
        if metric.type == "gauge" and metric.name.startswith(prefix)
    }


async def run_checks(checks: Mapping[str, Check]) -> dict[str, str]:
    """Each dependency's state: "ok", or what is wrong with it."""

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


def error_body(name: str, message: str, method: str, url: str, status: int) -> bytes:
    """The error body that Backstage's clients read (facts: every REST error)."""
    return orjson.dumps(
        {
            "error": {"name": name, "message": message},
            "request": {"method": method, "url": url},
            "response": {"statusCode": status},
        }
    )


def error_response(request: Request, error: Exception) -> Response:
    """The answer to a failed request; what nobody foresaw tells no details."""
    # A fault that nobody foresaw is answered outside of what adds these.
    headers = {**NOSNIFF, "cache-control": "no-store"}
    if disk_space.is_disk_full(error):
        error = disk_space.DiskFull()
    if isinstance(error, CallboardError):
        name, message, status = error.name, error.message, error.status
    elif isinstance(error, HTTPException):
        status, message = error.status_code, str(error.detail)
        name = NotFound.name if status == 404 else STATUS_NAMES.get(status, "Error")
        headers.update(error.headers or {})
    else:
        name, message, status = "Error", "Internal error; the log tells more", 500
    if isinstance(error, TooMany | Unavailable):
        headers["retry-after"] = str(error.retry_after)
    url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    body = error_body(name, message, request.method, url, status)
    return Response(body, status, headers, "application/json; charset=utf-8")


def json_response(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON as Backstage sends it; bytes are JSON already."""
    return BackstageJson(value, status, headers=headers)


def caller_of(request: Request) -> Principal:
    """Who is asking.

    Raises:
        Unauthenticated: if the gateway did not say.
    """
    known = request.scope.get(CALLER)
    if isinstance(known, Principal):
        return known
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
    """The service that asks; raises Forbidden if a person does."""
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
    """A stream of server-sent events with a comment whenever it is quiet."""
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
    """Lets in who was asked about the permission that this very route needs.

    The path is read by the gateway's rules once more: a request that the gateway could
    have judged as another never reaches the router.
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
            # One of our services, for itself: no policy was asked.
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


class PackedBody(CallboardError):
    """A body that would have to be unpacked first."""

    name = "InputError"
    status = 415

    def __init__(self) -> None:
        super().__init__("content-encoding: bodies are taken as they are, not packed")


def _id(headers: Mapping[bytes, bytes]) -> str | None:
    """The id that the client gave the request, if it is one."""
    text = headers.get(REQUEST_ID.encode(), b"").decode("latin-1")
    return text if CORRELATION.fullmatch(text) else None


class _Edge:
    """Binds the request's trace, refuses bodies and addresses that are too large."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not are_plain(scope["headers"]):
            # FastAPI reads the cookies of every request, whether a route asks or not.
            scope = {**scope, "headers": plain_cookies(scope["headers"])}
        headers = dict(scope["headers"])
        if scope.get("query_string", b"").count(b"&") >= MOST_PARAMETERS:
            too_many = Invalid(f"query: at most {MOST_PARAMETERS} parameters")
            await error_response(Request(scope), too_many)(scope, receive, send)
            return
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and whole_number(length.decode(), limit=self.limit) is None:
            await self._too_large(scope, receive, send)
            return
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            # What it unpacks to has no bound, and no client of ours packs.
            refused = error_response(Request(scope), PackedBody())
            await refused(scope, receive, send)
            return
        with tracing.request_trace(scope["headers"]), logs.correlated(_id(headers)):
            await self.app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limit:
                raise TooLarge(f"body: over the limit of {self.limit} bytes")
            return message

        return counted

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = TooLarge(f"body: over the limit of {self.limit} bytes")
        await error_response(Request(scope), error)(scope, receive, send)
