"""Everything outside `/api` is the front end's: it is told who reads, and no more."""

import asyncio
import base64
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.gateway.forward.pages import OWN_COOKIES, other_cookies
from services.gateway.identity.keys import KeyRing
from services.gateway.identity.readers import REMAINING_SECONDS, ReaderTokens
from services.gateway.identity.tokens import API, READER, UserTokens
from services.gateway.model import DOCS_COOKIE, SESSION_COOKIE, Identity
from shared.contracts.errors import Unauthenticated
from shared.contracts.headers import CLIENT, POSITION
from shared.kit.http.request_limits import BODY_LIMIT
from tests.gateway.running import (
    STATIC,
    configuration,
    gateway_app,
    served,
    settings_for,
)
from tests.waiting import until

LIMIT = BODY_LIMIT


class FrontEnd:
    """A front end of somebody else: it tells what reached it."""

    def __init__(self) -> None:
        self.arrived, self.left = threading.Event(), threading.Event()
        every = ["GET", "POST", "PUT", "DELETE"]
        self.app = Starlette(
            routes=[
                Route("/endless", self.endless),
                Route("/large", self.large),
                Route("/away", self.away),
                Route("/{path:path}", self.echo, methods=every),
            ]
        )

    async def echo(self, request: Request) -> Response:
        body = await request.body()
        return JSONResponse(
            {
                "method": request.method,
                "target": request.scope["raw_path"].decode(),
                "query": request.url.query,
                "headers": dict(request.headers),
                "bytes": len(body),
            },
            headers={"set-cookie": "theme=dark; Path=/", "x-frame-options": "DENY"},
        )

    async def endless(self, _: Request) -> Response:
        async def frames() -> AsyncIterator[bytes]:
            try:
                yield b"event: log\ndata: one\n\n"
                await asyncio.Event().wait()
            finally:
                self.left.set()

        return StreamingResponse(frames(), media_type="text/event-stream")

    async def large(self, _: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(64):
                yield b"x" * 65536

        return StreamingResponse(chunks(), media_type="text/csv")

    async def away(self, _: Request) -> Response:
        return Response("our own words", 503)


@pytest.fixture(scope="module")
def front_end() -> FrontEnd:
    return FrontEnd()


@pytest.fixture(scope="module")
def front(
    front_end: FrontEnd,
    services: str,
    mongodb: str,
    kafka: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A gateway in front of another front end than the portal."""
    data: Path = tmp_path_factory.mktemp("front")
    with served(lambda: front_end.app) as portal:
        settings = settings_for(
            services, mongodb=mongodb, kafka=kafka, data=data, portal_url=portal
        )
        with served(gateway_app(settings, configuration())) as address:
            yield address


@pytest.fixture
async def reader(front: str) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that signed in as Ann."""
    async with httpx.AsyncClient(base_url=front, timeout=20) as client:
        form = {"user": "user:default/ann"}
        await client.post("/sign-in/as", data=form, headers={"origin": front})
        assert SESSION_COOKIE in client.cookies
        yield client


def claims_of(headers: Any) -> Any:
    """What the token says that the front end got."""
    payload = headers["authorization"].split(".")[1]
    return orjson.loads(base64.urlsafe_b64decode(f"{payload}=="))


async def test_the_front_end_gets_the_request_and_a_reader_token(reader, front) -> None:
    """Path, query and host as the browser sent them; a token replaces the cookie."""
    answer = await reader.get(
        "/catalog/a%2Fb?x=1&y=%20",
        headers={"x-request-id": "abc-1", "cookie": "theme=dark; other=1"},
    )
    echo = answer.json()
    assert (echo["target"], echo["query"]) == ("/catalog/a%2Fb", "x=1&y=%20")
    sent_headers = echo["headers"]
    assert sent_headers["host"] == front.removeprefix("http://")
    assert sent_headers["x-forwarded-for"] == "127.0.0.1"
    assert sent_headers["x-request-id"] == "abc-1"
    assert len(sent_headers[POSITION].split("-")) == 2
    assert "callboard-principal" not in sent_headers
    assert answer.headers["set-cookie"] == "theme=dark; Path=/"
    assert answer.headers["x-frame-options"] == "DENY"


def test_a_request_target_leads_to_no_other_server(front) -> None:
    """Behind a server that lets any target through, the front end's host stays."""
    gateway = httpx.URL(front)
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        foreign.settimeout(0.5)
        target = f"*@127.0.0.1:{foreign.getsockname()[1]}/x"
        with socket.create_connection((gateway.host, gateway.port)) as client:
            host = gateway.netloc.decode()
            client.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            with pytest.raises(TimeoutError):
                foreign.accept()
            assert client.recv(65536).startswith(b"HTTP/1.1 400 ")


async def test_the_session_stays_at_the_gateway(reader) -> None:
    """Other cookies are the front end's own."""
    reader.cookies.set("theme", "dark")
    sent_headers = (await reader.get("/")).json()["headers"]
    assert sent_headers["cookie"] == "theme=dark"
    address, sign_in = sent_headers[CLIENT].split(" ")
    assert address == "127.0.0.1"
    assert len(sign_in) == 64
    claims = claims_of(sent_headers)
    assert (claims["sub"], claims["kind"]) == ("user:default/ann", "user")
    assert claims["ent"] == ["user:default/ann", "group:default/box-office"]


async def test_the_reader_token_has_the_readers_rights_only(reader, ask, front) -> None:
    """It reads the API with the reader's rights, and is no session."""
    token = (await reader.get("/")).json()["headers"]["authorization"]
    async with httpx.AsyncClient(base_url=front) as other:
        response = await other.get("/api/catalog/x", headers={"authorization": token})
        assert response.json()["subject"] == "user:default/ann"
        assert response.json()["decision"] == "conditional"
        cookie = {"cookie": f"{SESSION_COOKIE}={token.removeprefix('Bearer ')}"}
        assert (await other.get("/api/catalog/x", headers=cookie)).status_code == 401
    # Another installation signs with other keys.
    refused = await ask.get("/api/catalog/x", headers={"authorization": token})
    assert refused.status_code == 401


async def test_a_service_reads_pages_with_its_own_rights(front) -> None:
    """The front end gets a token for the service, and never the service's own."""
    async with httpx.AsyncClient(base_url=front) as client:
        credentials = {"authorization": f"Bearer {STATIC}"}
        sent_headers = (await client.get("/", headers=credentials)).json()["headers"]
        assert STATIC not in sent_headers["authorization"]
        assert claims_of(sent_headers)["sub"] == "service:robot"
        reader_token = {"authorization": sent_headers["authorization"]}
        echo = (await client.get("/api/catalog/x", headers=reader_token)).json()
        assert (echo["subject"], echo["kind"]) == ("service:robot", "service")


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer a.b.c"}, {"cookie": f"{SESSION_COOKIE}=a.b.c"}],
)
async def test_a_page_request_without_a_session_has_no_token(front, headers) -> None:
    """The front end decides what it shows such readers: the way to sign in."""
    forged = {"callboard-position": "forged", "callboard-principal": "forged"}
    async with httpx.AsyncClient(base_url=front) as client:
        sent_headers = (await client.get("/", headers={**headers, **forged})).json()[
            "headers"
        ]
    assert not {"authorization", "cookie", "callboard-principal"} & set(sent_headers)
    assert sent_headers[POSITION] != "forged"


async def test_forwarded_addresses_are_passed_on_in_order(front) -> None:
    """The last one is the address that sent the request to the gateway."""
    async with httpx.AsyncClient(base_url=front) as client:
        client_headers = {"x-forwarded-for": "192.0.2.7"}
        sent_headers = (await client.get("/", headers=client_headers)).json()["headers"]
    assert sent_headers["x-forwarded-for"] == "192.0.2.7, 127.0.0.1"


async def test_streamed_responses_pass_through_as_streams(reader, front_end) -> None:
    """Events arrive as they happen; a reader's disconnect ends the front end's work."""
    front_end.left.clear()
    request = reader.build_request("GET", "/endless")
    answer = await reader.send(request, stream=True)
    assert await anext(answer.aiter_lines()) == "event: log"
    await answer.aclose()
    await until(front_end.left.is_set, "the front end to be told")
    assert len((await reader.get("/large")).content) == 64 * 65536


async def test_request_bodies_are_limited(reader, front) -> None:
    """With a length and without."""
    origin = {"origin": front}
    small = await reader.post("/form", content=b"x" * 70_000, headers=origin)
    assert small.json()["bytes"] == 70_000

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 65536 + 1):
            yield b"x" * 65536

    for content in (b"x" * (LIMIT + 1), chunks()):
        answer = await reader.post("/form", content=content, headers=origin)
        assert answer.status_code == 413


async def test_a_503_of_the_front_end_is_passed_on(reader) -> None:
    """Its page may explain the problem better."""
    answer = await reader.get("/away")
    assert (answer.status_code, answer.text) == (503, "our own words")


async def test_the_api_answers_while_the_front_end_is_away(
    services, mongodb, kafka, data
) -> None:
    """Pages show an error in plain words, with what to do next."""
    settings = settings_for(
        services,
        mongodb=mongodb,
        kafka=kafka,
        data=data,
        portal_url="http://127.0.0.1:9",
    )
    with served(gateway_app(settings, configuration())) as address:
        async with httpx.AsyncClient(base_url=address) as client:
            page = await client.get("/catalog")
            assert page.status_code == 503
            assert page.headers["content-type"] == "text/plain; charset=utf-8"
            assert int(page.headers["retry-after"]) > 0
            assert "Try again in a few seconds" in page.text
            await client.post("/sign-in/guest", headers={"origin": address})
            assert (await client.get("/api/catalog/entities")).status_code == 200
            status = (await client.get("/api/status")).json()
            states = {
                service["name"]: service["ready"] for service in status["services"]
            }
            assert (states["portal"], states["catalog"]) == (False, True)


async def test_a_static_site_can_replace_the_portal(
    services, mongodb, kafka, data, tmp_path
) -> None:
    """By one setting: its files are the pages, and `/api` stays the gateway's."""
    site = tmp_path / "site"
    (site / "assets").mkdir(parents=True)
    (site / "index.html").write_text("<title>Another</title>")
    (site / "assets" / "main.js").write_text("fetch('/api/catalog/entities')")
    static = Starlette(routes=[Mount("/", StaticFiles(directory=site, html=True))])
    with served(lambda: static) as portal:
        settings = settings_for(
            services, mongodb=mongodb, kafka=kafka, data=data, portal_url=portal
        )
        with served(gateway_app(settings, configuration())) as address:
            async with httpx.AsyncClient(base_url=address) as client:
                assert "<title>Another</title>" in (await client.get("/")).text
                script = await client.get("/assets/main.js")
                assert script.headers["etag"]
                validators = {"if-none-match": script.headers["etag"]}
                again = await client.get("/assets/main.js", headers=validators)
                assert again.status_code == 304
                # As Backstage's web app signs in, without any form of ours.
                guest = (await client.post("/api/auth/guest/refresh")).json()
                token = guest["backstageIdentity"]["token"]
                headers = {"authorization": f"Bearer {token}"}
                listed = await client.get("/api/catalog/entities", headers=headers)
                assert listed.json()["kind"] == "guest"

                async def is_well() -> bool:
                    answer = await client.get("/api/status", headers=headers)
                    return bool(answer.json()["status"] == "ok")

                await until(is_well, condition="all services to be ready")


@pytest.mark.parametrize(
    ("cookie", "passed"),
    [
        (b"a=1; b=2", "a=1; b=2"),
        (b"callboard_session=x", ""),
        (b"a=1;callboard_session=x; backstage-auth=y;b=2", "a=1; b=2"),
        (b"a=1; callboard_session =x", "a=1"),
        (b'a="1; callboard_session=x"', 'a="1'),
        (b"a=callboard_session", ""),
    ],
)
def test_session_cookies_are_never_passed_on(cookie: bytes, passed: str) -> None:
    """However the cookie header hides them."""
    assert other_cookies([(b"cookie", cookie)]) == passed
    assert {SESSION_COOKIE.encode(), DOCS_COOKIE.encode()} == set(OWN_COOKIES)


def test_reader_tokens_are_reused_and_renewed(tmp_path: Path) -> None:
    """A token outlives a slow form; a change of groups makes another one."""
    now = [1_000_000.0]
    clock = lambda: now[0]  # noqa: E731
    keys = KeyRing(tmp_path, keep_seconds=60, clock=clock)
    tokens = UserTokens(keys, "http://p/api/auth", clock=clock)
    readers = ReaderTokens(tokens, clock=clock)
    ann = Identity("user:default/ann", "user", ("user:default/ann",))
    token = readers.token(ann)
    now[0] += 200
    assert readers.token(ann) == token
    assert tokens.read(token, READER).expires >= now[0] + REMAINING_SECONDS
    moved = Identity("user:default/ann", "user", ("user:default/ann", "group:a/b"))
    assert readers.token(moved) != token
    now[0] += 200
    assert readers.token(ann) != token
    with pytest.raises(Unauthenticated):
        tokens.read(token, API)
