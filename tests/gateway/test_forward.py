"""Requests through the gateway to the services."""

import asyncio

import httpx
import pytest

from services.gateway.forward import headers as hdr
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from tests.collector import CALLER
from tests.gateway.running import SECRET, StandIn
from tests.waiting import until


async def test_a_request_reaches_its_service_unchanged(ask, robot) -> None:
    """Method, path, query and body arrive as sent, below the plugin's root."""
    answer = await ask.post(
        "/api/catalog/refresh?a=1&b=%20x", content=b"x" * 70_000, headers=robot
    )
    echo = answer.json()
    assert (echo["method"], echo["path"], echo["query"]) == (
        "POST",
        "/refresh",
        "a=1&b=%20x",
    )
    assert echo["bytes"] == 70_000


async def test_a_streamed_body_reaches_its_service(ask, robot) -> None:
    """A body without a length is passed on in chunks."""

    async def chunks():
        for _ in range(50):
            yield b"y" * 10_000

    answer = await ask.post("/api/catalog/locations", content=chunks(), headers=robot)
    assert answer.json()["bytes"] == 500_000


async def test_the_service_gets_the_gateways_principal_only(ask, sign_in) -> None:
    """Credentials and forged principals of the client are removed."""
    forged = PrincipalTokens(SECRET).sign(Principal("service:evil", "service"))
    headers = {
        **await sign_in("ann"),
        "callboard-principal": forged,
        "callboard-on-behalf-of": "user:default/kim",
        "cookie": "a=b",
    }
    echo = (await ask.get("/api/catalog/entities", headers=headers)).json()
    assert echo["subject"] == "user:default/ann"
    assert echo["ownership"] == ["user:default/ann", "group:default/box-office"]
    assert echo["permission"] == "catalog.entity.read"
    assert echo["decision"] == "conditional"
    assert not {"authorization", "cookie", "callboard-on-behalf-of"} & set(
        echo["headers"]
    )


async def test_a_forwarded_request_keeps_its_trace_and_id(ask, robot) -> None:
    """Without spans of its own, the gateway forwards the headers unchanged."""
    parent = CALLER
    trace = {"traceparent": parent, "tracestate": "a=1,b=2"}
    headers = {**robot, **trace, "x-request-id": "abc-1"}
    sent_headers = (await ask.get("/api/search/query", headers=headers)).json()[
        "headers"
    ]
    assert {name: sent_headers[name] for name in trace} == trace
    assert sent_headers["x-request-id"] == "abc-1"


async def test_requests_without_credentials_answer_401(ask) -> None:
    """401 in Backstage's words, with the address below the plugin."""
    answer = await ask.get("/api/catalog/entities?filter=kind=x")
    assert answer.status_code == 401
    assert answer.json() == {
        "error": {"name": "AuthenticationError", "message": "Missing credentials"},
        "request": {"method": "GET", "url": "/entities?filter=kind=x"},
        "response": {"statusCode": 401},
    }


async def test_an_unknown_plugin_is_not_found(ask, robot) -> None:
    """Nothing answers under a plugin that is not there, signed in or not."""
    for headers in ({}, robot):
        answer = await ask.get("/api/proxy/test", headers=headers)
        assert (answer.status_code, answer.text) == (404, "")


async def test_errors_of_services_pass_unchanged(ask, robot) -> None:
    """Status and body are the service's."""
    answer = await ask.get("/api/catalog/refused", headers=robot)
    assert answer.status_code == 404
    assert answer.json() == {"error": {"name": "NotFoundError", "message": "no"}}


async def test_redirects_keep_the_public_path(ask, robot) -> None:
    """A service knows nothing of `/api/{plugin}`; its redirects get it."""
    answer = await ask.get("/api/techdocs/moved", headers=robot)
    assert answer.status_code == 301
    assert answer.headers["location"] == (
        "/api/techdocs/static/docs/default/component/web"
    )


async def test_large_answers_stream_through(ask, robot) -> None:
    """Four megabytes without a length arrive whole."""
    answer = await ask.get("/api/catalog/large", headers=robot)
    assert len(answer.content) == 64 * 65536


async def test_a_broken_response_breaks_the_clients_connection(ask, robot) -> None:
    """The client sees the same as it would without the gateway."""
    with pytest.raises(httpx.RemoteProtocolError):
        await ask.get("/api/catalog/broken", headers=robot)


@pytest.mark.parametrize("path", ["/api/scaffolder/endless", "/api/search/hanging"])
async def test_a_client_disconnect_cancels_the_forwarded_request(
    ask: httpx.AsyncClient, robot, stand_in: StandIn, path: str
) -> None:
    """The service notices at once, whether it was responding or working."""
    stand_in.arrived.clear()
    stand_in.left.clear()
    request = ask.build_request("GET", path, headers=robot)
    sending = asyncio.create_task(ask.send(request, stream=True))
    if path.endswith("endless"):
        answer = await sending
        lines = answer.aiter_lines()
        assert await anext(lines) == "event: log"
        await answer.aclose()
    else:
        await until(stand_in.arrived.is_set, condition="the service thinks")
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    await until(stand_in.left.is_set, "the service to be told")


async def test_a_body_over_the_limit_is_refused(ask, robot) -> None:
    """413, by the announced length or by what was counted."""

    async def chunks():
        for _ in range(12):
            yield b"z" * 1024 * 1024

    for content in (b"z" * (11 * 1024 * 1024), chunks()):
        answer = await ask.post(
            "/api/catalog/locations", content=content, headers=robot
        )
        assert answer.status_code == 413
        assert answer.json()["error"]["name"] == "PayloadTooLargeError"


@pytest.mark.parametrize(
    "path",
    [
        "/api%2Fcatalog%2Fentities/x/y/snapshot",
        "/api/catalog%2Fsnapshot",
        "/api/%63atalog/snapshot",
        "/api/catalog/%73napshot",
        "/api/catalog/snapshot/",
    ],
)
async def test_no_spelling_of_a_path_bypasses_the_policy(ask, sign_in, path) -> None:
    """The policy judges the path that the service gets: snapshots are for services."""
    answer = await ask.get(path, headers=await sign_in("kim"))
    assert answer.status_code in (403, 404)


def test_internal_headers_of_clients_are_removed() -> None:
    """Only the one internal header that clients may send is passed on."""
    client_headers = [
        (b"accept", b"*/*"),
        (b"callboard-principal", b"x"),
        (b"callboard-at-least", b"7"),
        (b"connection", b"close"),
    ]
    assert hdr.to_service(client_headers) == [
        ("accept", "*/*"),
        ("callboard-at-least", "7"),
    ]
