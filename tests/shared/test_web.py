"""The face that all services share: errors, limits, health, callers, streams."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from prometheus_client import REGISTRY, Gauge
from starlette.requests import Request
from starlette.responses import Response

from shared.contracts.errors import Conflict, Unavailable
from shared.kit.http import apps
from shared.kit.http.request_limits import MOST_PARAMETERS
from shared.kit.http.service_tokens import PrincipalTokens
from shared.kit.observability import logs, tracing


@pytest.fixture
def app(tokens: PrincipalTokens) -> FastAPI:
    app = apps.make_app("test", body_limit=1000)
    app.state.tokens = tokens

    @app.get("/fails/{how}")
    async def fails(how: str) -> None:
        errors: dict[str, Exception] = {
            "conflict": Conflict("taken"),
            "away": Unavailable("the store is away", retry_after=7),
            "bug": KeyError("a secret detail"),
        }
        causes = {"lost": ConnectionError("reset by 7"), "odd": ValueError("a secret")}
        if how in causes:
            raise Unavailable("the store is away") from causes[how]
        raise errors[how]

    @app.get("/tagged")
    async def tagged() -> Response:
        return Response("x", headers={"etag": '"1"'})

    @app.post("/echo")
    async def echo(request: Request, who: apps.Caller) -> dict[str, Any]:
        return {"size": len(await request.body()), "who": who.subject}

    @app.get("/trace")
    async def trace() -> dict[str, str]:
        return {"id": logs.correlation_id(), **tracing.fields()}

    @app.get("/stream")
    async def stream() -> Response:
        async def frames() -> AsyncIterator[bytes]:
            yield apps.sse_frame(data="one\ntwo", event="log", id="1")
            await asyncio.Event().wait()

        return apps.sse(frames(), heartbeat=0.01)

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


@pytest.mark.parametrize(
    ("how", "cause"), [("lost", "ConnectionError: reset by 7"), ("odd", "ValueError")]
)
async def test_the_reason_of_unavailability_is_logged(
    client: httpx.AsyncClient, how: str, cause: str
) -> None:
    """The response names the service; the log has the reason, and no data."""
    with structlog.testing.capture_logs() as log:
        answer = await client.get(f"/fails/{how}")
    assert cause not in answer.text
    (line,) = log
    assert (line["event"], line["path"]) == ("unavailable", f"/fails/{how}")
    assert line["cause"] == cause


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/fails/conflict", 409, "ConflictError"),
        ("/fails/away", 503, "ServiceUnavailableError"),
        ("/fails/bug", 500, "Error"),
        ("/nowhere?x=1", 404, "NotFoundError"),
    ],
)
async def test_every_error_has_backstages_shape(
    client: httpx.AsyncClient, path: str, status: int, name: str
) -> None:
    """Clients find the name, the request and the status where Backstage has them."""
    answer = await client.get(path)
    body = answer.json()
    assert answer.status_code == status == body["response"]["statusCode"]
    assert body["error"]["name"] == name
    assert body["request"] == {"method": "GET", "url": path}


async def test_an_unexpected_error_reveals_no_details(
    client: httpx.AsyncClient,
) -> None:
    """A bug's message stays in the log."""
    assert "secret" not in (await client.get("/fails/bug")).text


async def test_a_client_disconnect_is_not_logged_as_an_error(
    app: FastAPI, principal_headers: Any
) -> None:
    """In the middle of a body: thousands of them must not fill the log."""
    raw_headers = [(k.encode(), v.encode()) for k, v in principal_headers().items()]
    scope = {"type": "http", "method": "POST", "path": "/echo", "headers": raw_headers}
    scope |= {"raw_path": b"/echo", "query_string": b"", "app": app}
    coming = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Any:
        return coming.pop() if coming else {"type": "http.disconnect"}

    statuses = []

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    with structlog.testing.capture_logs() as log:
        await app(scope, receive, send)
    assert statuses[0] == 400
    assert not log


async def test_query_strings_are_not_logged(client: httpx.AsyncClient) -> None:
    """Some clients put a token there; an error's log line has the path alone."""
    with structlog.testing.capture_logs() as log:
        for how in ("bug", "lost", "away"):
            await client.get(f"/fails/{how}?access_token=very-secret")
    assert [line["path"] for line in log] == ["/fails/bug", "/fails/lost"]
    assert "very-secret" not in repr(log)


async def test_a_503_has_a_retry_after_header(
    client: httpx.AsyncClient,
) -> None:
    """Clients learn when to come again."""
    assert (await client.get("/fails/away")).headers["retry-after"] == "7"


async def test_the_number_of_query_parameters_is_limited(
    client: httpx.AsyncClient,
) -> None:
    """More are refused before any is read; thousands of empty ones count too."""
    query = "&".join(["a=1"] * MOST_PARAMETERS)
    assert (await client.get(f"/trace?{query}")).status_code == 200
    answer = await client.get(f"/trace?{query}&")
    assert answer.status_code == 400
    assert "at most 2000 parameters" in answer.json()["error"]["message"]


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "zstd", "x"])
async def test_a_compressed_body_is_refused(
    client: httpx.AsyncClient,
    principal_headers: Callable[..., dict[str, str]],
    coding: str,
) -> None:
    """Its unpacked size has no limit."""
    headers = {**principal_headers(), "content-encoding": coding}
    answer = await client.post("/echo", headers=headers, content=b"abc")
    assert answer.status_code == 415
    headers["content-encoding"] = "Identity"
    answer = await client.post("/echo", headers=headers, content=b"abc")
    assert answer.json()["size"] == 3


async def test_responses_forbid_caching_and_type_sniffing(
    client: httpx.AsyncClient,
) -> None:
    """Refusals too; a response with its own cache header is left unchanged."""
    for path in ("/trace", "/fails/bug", "/nowhere", "/fails/conflict"):
        answer = await client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
    assert "cache-control" not in (await client.get("/tagged")).headers


@pytest.mark.parametrize(
    "path", ["/healthz", "/tagged", "/fails/conflict", "/openapi.json", "/nowhere"]
)
async def test_head_has_the_status_and_the_headers_of_get(
    client: httpx.AsyncClient, path: str
) -> None:
    """Checkers of links and of health ask so; errors are the same, too."""
    head, get = await client.head(path), await client.get(path)
    assert head.status_code == get.status_code != 405
    assert head.headers == get.headers


async def test_head_never_runs_what_only_post_does(client: httpx.AsyncClient) -> None:
    """It is GET without the body, and nothing else."""
    assert (await client.head("/echo")).status_code == 405


async def test_head_of_a_stream_ends_with_its_headers(app: FastAPI) -> None:
    """The stream is closed, and none of it is sent."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "HEAD", "path": "/stream", "headers": []}
    scope |= {"query_string": b"", "raw_path": b"/stream", "root_path": ""}
    async with asyncio.timeout(5):
        await app(scope, receive, send)
    assert [message["type"].rpartition(".")[2] for message in sent] == ["start", "body"]
    assert sent[1] == {"type": "http.response.body", "body": b""}


async def test_only_requests_through_the_gateway_are_accepted(
    client: httpx.AsyncClient, principal_headers: Callable[..., dict[str, str]]
) -> None:
    """A missing or forged principal is refused; a signed one is the caller."""
    assert (await client.post("/echo")).status_code == 401
    forged = {"callboard-principal": "x.y.z"}
    assert (await client.post("/echo", headers=forged)).status_code == 401
    answer = await client.post("/echo", headers=principal_headers(), content=b"abc")
    assert answer.json() == {"size": 3, "who": "user:default/ann"}


async def test_a_body_over_the_limit_is_refused(
    client: httpx.AsyncClient, principal_headers: Callable[..., dict[str, str]]
) -> None:
    """With a length and without."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 500

    for content in (b"x" * 1001, chunks()):
        answer = await client.post(
            "/echo", headers=principal_headers(), content=content
        )
        assert answer.status_code == 413
        assert "1000 bytes" in answer.json()["error"]["message"]


async def test_readiness_reports_each_dependency(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    """With one dependency unavailable: not ready, which one, and alive."""

    async def fine() -> None:
        return

    async def away() -> None:
        raise Unavailable("the log is away")

    app.state.checks.update(store=fine, log=away)
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"store": "ok", "log": "the log is away"}
    assert (await client.get("/healthz")).status_code == 200


async def test_readiness_shows_the_gauges_of_the_service(
    client: httpx.AsyncClient,
) -> None:
    """By their names without the service's; no gauges of other services."""
    name = (await client.get("/readyz")).json()["service"]
    own = Gauge(f"callboard_{name}_waiting", "Waiting")
    other = Gauge("callboard_another_waiting", "Waiting")
    try:
        own.set(3)
        figures = (await client.get("/readyz")).json()["figures"]
        assert figures == {"waiting": 3.0}
    finally:
        for gauge in (own, other):
            REGISTRY.unregister(gauge)


async def test_a_trace_runs_through_the_request(client: httpx.AsyncClient) -> None:
    """The caller's trace and correlation id go on; nonsense is replaced."""
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    headers = {"traceparent": parent, "x-request-id": "r-1"}
    trace = (await client.get("/trace", headers=headers)).json()
    assert trace["id"] == "r-1"
    assert trace["traceparent"] == parent
    other = await client.get("/trace", headers={"x-request-id": "a b\tc"})
    assert " " not in other.json()["id"]


async def test_a_quiet_stream_has_a_heartbeat() -> None:
    """A frame's lines are each marked, and a comment follows when it is quiet."""

    async def frames() -> AsyncIterator[bytes]:
        yield apps.sse_frame(data="one\ntwo", event="log", id="1")
        await asyncio.Event().wait()

    body = apps.sse(frames(), heartbeat=0.01).body_iterator
    assert await anext(body) == b"event: log\ndata: one\ndata: two\nid: 1\n\n"
    assert await anext(body) == b": \n\n"
    await body.aclose()  # type: ignore[union-attr]


@pytest.fixture
def as_it_was() -> Iterator[None]:
    """Logging is the process' own: what a test configures is taken back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("as_it_was")
def test_secrets_do_not_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Values under secret-looking names are starred."""
    logs.configure("test")
    logs.get_logger("test").warning("signed", api_token="hunter2", ok="yes")
    output = capsys.readouterr().err
    assert "hunter2" not in output
    assert '"ok":"yes"' in output
