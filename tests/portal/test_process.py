"""The portal as a process: what it is told, whom it asks, and as whom."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web

from services.portal import public_api
from services.portal.api_paths import entity_path
from services.portal.configuration import PagesConfig
from services.portal.main import create_app
from services.portal.model import visitor_of
from services.portal.people import People
from services.portal.public_api import PublicApi
from services.portal.settings import Settings
from shared.kit.config.sections import load_config
from shared.kit.observability import logs, tracing
from tests.clock import Clock
from tests.portal.company import ANN, GUEST
from tests.portal.fakes import FakeApi, bearer, visitor
from tests.waiting import until

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOWHERE = "http://127.0.0.1:9"
CONFIGURATION = """
organization: {name: Playhouse}
auth:
  developmentSignIn: true
  staticTokens: [{subject: robot, token: "${A_TOKEN_THAT_PAGES_NEED_NOT}"}]
permission: {enabled: true, platformTeam: ["${A_TEAM}"]}
catalog: {fileLocations: true, providers: {github: {token: "${ANOTHER}"}}}
integrations:
  github: [{token: "${A_GIT_TOKEN}"}]
  local: [{host: git.local}]
  bitbucketServer: [{host: bb.example, token: "${ANOTHER_GIT_TOKEN}"}]
"""
HEAD_PATHS = (
    *("/", "/catalog", "/docs", "/docs/default/component/web/", "/sign-in"),
    *("/create/templates/default/x", "/search?query=x", "/assets/x/css/portal.css"),
    *("/healthz", "/readyz", "/metrics", "/nowhere"),
)
Handler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]
Serve = Callable[[Handler], Coroutine[Any, Any, str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves a gateway in miniature; its address."""
    async with AsyncExitStack() as stack:

        async def served(handler: Handler) -> str:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", handler)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return f"http://127.0.0.1:{runner.addresses[0][1]}"

        yield served


async def echo(request: web.Request) -> web.Response:
    body = (await request.read()).decode()
    request_facts = {
        "method": request.method,
        "target": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": body,
    }
    return web.json_response(request_facts, headers={"Callboard-Stale": "3"})


async def test_a_call_is_sent_with_the_readers_token(serve: Serve) -> None:
    """Path, parameters, body, token and trace arrive as any client would send them."""
    async with PublicApi(await serve(echo)) as api:
        with tracing.continued({"traceparent": TRACE}), logs.correlated("abc-1"):
            answer = await api.call(
                visitor(ANN),
                "post",
                "/api/catalog/entities/by-name/component/default/a%20b?x=1",
                params=[("filter", "kind=user,a=ü"), ("filter", "b")],
                json={"n": 1},
            )
    request_facts = answer.json()
    assert answer.headers["callboard-stale"] == "3"
    assert (request_facts["method"], request_facts["body"]) == ("POST", '{"n":1}')
    path = "/api/catalog/entities/by-name/component/default/a%20b"
    assert (
        request_facts["target"]
        == f"{path}?x=1&filter=kind%3Duser%2Ca%3D%C3%BC&filter=b"
    )
    assert request_facts["headers"]["authorization"] == bearer(ANN)
    assert request_facts["headers"]["x-request-id"] == "abc-1"
    assert request_facts["headers"]["traceparent"].split("-")[1] == TRACE.split("-")[1]
    assert "cookie" not in request_facts["headers"]


async def test_a_call_for_no_reader_has_no_token(serve: Serve) -> None:
    """The sign-in page requests the sign-in options so."""
    async with PublicApi(await serve(echo)) as api:
        request_facts = (await api.call(None, "GET", "/api/auth/ways")).json()
    assert "authorization" not in request_facts["headers"]


async def test_an_unavailable_gateway_is_a_503_response(serve: Serve) -> None:
    """No exception: pages check the status. Another replica is tried first."""
    async with PublicApi(NOWHERE) as api:
        answer = await api.call(visitor(ANN), "GET", "/api/status")
        assert (answer.status, answer.error) == (
            503,
            "The gateway does not answer",
        )
    async with PublicApi(f"{NOWHERE},{await serve(echo)}") as api:
        for reader in (ANN, GUEST, "user:default/bao"):
            assert (await api.call(visitor(reader), "GET", "/api/status")).ok


@pytest.mark.parametrize(
    ("path", "times"),
    [("/api/catalog/refresh", 1), ("/api/catalog/entities/by-refs", 2)],
)
async def test_a_change_is_not_retried(serve: Serve, path: str, times: int) -> None:
    """The gateway may have done it before it broke off; a read is retried."""
    taken: list[str] = []

    async def breaks_off(request: web.Request) -> web.Response:
        taken.append(request.method)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with PublicApi(await serve(breaks_off)) as api:
        answer = await api.call(visitor(ANN), "POST", path, json={})
    assert (answer.status, taken) == (503, ["POST"] * times)


async def test_no_page_waits_long_for_a_service_that_hangs(serve: Serve) -> None:
    """Reads end in time; after two of them only one in a while is sent at all."""
    gate = asyncio.Event()
    taken: list[str] = []

    async def hanging(request: web.Request) -> web.Response:
        taken.append(request.path)
        if request.path.startswith("/api/search/"):
            await gate.wait()
        return web.json_response({})

    async with PublicApi(await serve(hanging), most_seconds=0.2) as api:
        search = partial(api.call, visitor(ANN), "GET", "/api/search/query")
        answers = [await search() for _ in range(4)]
        assert {answer.error for answer in answers} == {
            "The service search does not answer"
        }
        assert taken == ["/api/search/query"] * 2
        assert (await api.call(visitor(ANN), "GET", "/api/catalog/entities")).ok
        gate.set()

        async def is_answered() -> bool:
            return (await search()).ok

        await until(is_answered, condition="the search is tried again")
        assert (await search()).ok


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/catalog/entities", "service catalog"),
        ("/api/analytics/changes", "service analytics"),
        ("/api/status", "gateway"),
        ("/api/user-settings/buckets", "gateway"),
        ("/api/auth/ways?x=1", "gateway"),
    ],
)
async def test_what_does_not_answer_is_named_as_operators_name_it(
    serve: Serve, path: str, name: str
) -> None:
    """A service, or the gateway where no service is asked; no part of a path."""
    gate = asyncio.Event()

    async def hanging(_: web.Request) -> web.Response:
        await gate.wait()
        return web.json_response({})

    async with PublicApi(await serve(hanging), most_seconds=0.1) as api:
        answer = await api.call(visitor(ANN), "GET", path)
        gate.set()
    assert answer.error == f"The {name} does not answer"


async def test_the_first_page_after_a_service_hung_is_whole(serve: Serve) -> None:
    """All reads of a page find out together that the service answers again."""
    clock, gate = Clock(), asyncio.Event()

    async def hanging(_: web.Request) -> web.Response:
        await gate.wait()
        return web.json_response({})

    async with PublicApi(await serve(hanging), most_seconds=0.2, clock=clock) as api:
        read = partial(api.call, visitor(ANN), "GET", "/api/techdocs/sites")
        for _ in range(2):
            assert not (await read()).ok
        clock.now += public_api.REST_SECONDS
        gate.set()
        answers = await asyncio.gather(*(read() for _ in range(4)))
        assert all(answer.ok for answer in answers)


async def test_a_secondary_read_ends_sooner(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It decides nothing for reads of the same service that are a page's subject."""
    monkeypatch.setattr(public_api, "SECONDARY_SECONDS", 0.1)
    gate = asyncio.Event()

    async def hanging(_: web.Request) -> web.Response:
        await gate.wait()
        return web.json_response({})

    async with PublicApi(await serve(hanging)) as api:
        read = partial(api.call, visitor(ANN), "GET", "/api/techdocs/sites")
        subject = asyncio.create_task(read())
        answers = [await read(is_secondary=True) for _ in range(4)]
        assert {answer.error for answer in answers} == {
            "The service techdocs does not answer"
        }
        assert not subject.done()
        gate.set()
        assert (await subject).ok
        assert (await read()).ok


async def test_a_change_may_take_long(serve: Serve) -> None:
    """A registration reads thousands of files."""
    gate = asyncio.Event()
    taken: list[str] = []

    async def slow(request: web.Request) -> web.Response:
        taken.append(request.method)
        await gate.wait()
        return web.json_response({})

    async with PublicApi(await serve(slow), most_seconds=0.1) as api:
        path = "/api/catalog/locations"
        change = asyncio.create_task(api.call(visitor(ANN), "POST", path, json={}))
        await until(lambda: taken == ["POST"], condition="the change is under way")
        # A read that began after the change is given up.
        assert not (await api.call(visitor(ANN), "GET", path)).ok
        assert not change.done()
        gate.set()
        assert (await change).ok


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Basic YTpi", "Bearer", "Bearer a", "Bearer a.b.c", "Bearer a.bnVsbA.c"],
)
def test_an_invalid_token_is_no_reader(authorization: str | None) -> None:
    """Such readers are sent to the sign-in."""
    assert visitor_of(authorization) is None


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"sub": ""},
        {"sub": "ann"},
        {"sub": ["user:default/x"]},
        {"sub": "user:default/x", "ent": 5},
        {"sub": "user:default/x", "ent": [5]},
        {"sub": "user:default/x", "kind": ["user"]},
        ["user:default/x"],
    ],
)
def test_odd_claims_are_no_reader(claims: Any) -> None:
    """A token that the gateway cannot have made names nobody."""
    payload = base64.urlsafe_b64encode(orjson.dumps(claims)).decode()
    assert visitor_of(f"Bearer h.{payload}.s") is None


async def test_a_forged_token_decides_no_name_but_its_own() -> None:
    """The API refuses it, and the person's own page asks again."""
    api = FakeApi()
    genuine = visitor(ANN)
    people = People(api)
    api.forbidden.add(entity_path(ANN))
    forged = await people.person(replace(genuine, token="forged"))
    api.forbidden.clear()
    person = await people.person(genuine)
    assert (forged.name, person.name) == ("ann", "Ann Becker")
    assert await people.person(genuine) is person


def test_a_token_identifies_the_reader() -> None:
    """The API verifies it; the page only needs to know whom it is for."""
    claims = {"sub": "user:default/x", "kind": "odd", "ent": ["group:default/y"]}
    payload = base64.urlsafe_b64encode(orjson.dumps(claims))
    visitor = visitor_of(f"bearer h.{payload.decode()}.s")
    assert visitor is not None
    assert (visitor.subject, visitor.kind, visitor.ownership) == (
        "user:default/x",
        "user",
        ("group:default/y",),
    )
    assert payload.decode() not in repr(visitor)


def test_the_portal_starts_without_secrets_of_the_configuration(tmp_path: Path) -> None:
    """Variables of unread sections may be missing."""
    path = tmp_path / "app-config.yaml"
    path.write_text(CONFIGURATION)
    config = load_config(path, {}, PagesConfig)
    settings = Settings(config=path, data=tmp_path, gateway_url=NOWHERE, port=0)
    pages: Any = create_app(settings, config=config).routes[-1]
    state = pages.app.state.portal
    assert state.frame.organization == "Playhouse"
    assert state.frame.development
    assert state.file_locations
    assert state.is_policy_enabled
    assert state.host_types == {
        "github.com": "github",
        "bb.example": "bitbucketServer",
        "git.local": "local",
    }


@pytest.mark.parametrize("subject", [ANN, None])
async def test_every_page_answers_head(
    serve: Serve, tmp_path: Path, subject: str | None
) -> None:
    """As it answers GET: pages, assets, health and what is not there."""

    async def missing(_: web.Request) -> web.Response:
        error = {"name": "NotFoundError", "message": "It is not there"}
        return web.json_response({"error": error}, status=404)

    address = await serve(missing)
    settings = Settings(config=tmp_path, data=tmp_path, gateway_url=address, port=0)
    app = create_app(settings, config=PagesConfig())
    headers = {"authorization": bearer(subject)} if subject else {}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://portal",
            headers=headers,
        ) as client,
    ):
        for path in HEAD_PATHS:
            head, get = await client.head(path), await client.get(path)
            assert head.status_code == get.status_code != 405, path
            assert head.headers.get("location") == get.headers.get("location")
            assert head.content == b""


async def test_the_portal_is_ready_once_the_gateway_answers(
    serve: Serve, tmp_path: Path
) -> None:
    """Its own process is alive before."""
    address = await serve(echo)
    for gateway, status in ((NOWHERE, 503), (address, 200)):
        settings = Settings(config=tmp_path, data=tmp_path, gateway_url=gateway, port=0)
        app = create_app(settings, config=PagesConfig())
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://portal") as ask,
        ):
            assert (await ask.get("/healthz")).status_code == 200
            ready = await ask.get("/readyz")
            assert ready.status_code == status
            assert ready.json()["service"] == "portal"
