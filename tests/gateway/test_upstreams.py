"""Several replicas of one service: who is asked, and who is asked instead."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web

from services.gateway.forward import upstreams
from services.gateway.forward.bodies import RequestBody
from services.gateway.forward.upstreams import ServiceRequest, Upstream
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.headers import UNTOUCHED
from shared.kit.http.replicas import REST_SECONDS, Replicas, upstream_url

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Heard:
    """A client's side of an answer."""

    def __init__(self) -> None:
        self.started = False
        self.status = 0
        self.content = b""
        self.ended = False

    async def start(self, status: int, headers: object) -> None:
        self.started = True
        self.status = status
        assert headers

    async def body(self, chunk: bytes, *, more: bool) -> None:
        self.content += chunk
        self.ended = not more


@asynccontextmanager
async def replica(handler: Handler) -> AsyncIterator[str]:
    """A service in miniature; its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


class Replica:
    """Answers as told, and counts how often it was asked."""

    def __init__(self, status: int = 200, **headers: str) -> None:
        self.requests = 0
        self._status = status
        self._headers = headers

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.read()
        return web.Response(status=self._status, body=body, headers=self._headers)


def nobody() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def caller_of(addresses: str, first: str) -> str:
    """Somebody who asks `first` before the others."""
    replicas = Replicas(addresses)
    names = (f"user:default/{number}" for number in range(1000))
    return next(name for name in names if replicas.order(name)[0] == first)


async def ask(
    addresses: str, first: str, *, changes: bool = False, body: bytes = b"x"
) -> Heard:
    """Put one question to replicas, to `first` at first."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    length = [(b"content-length", str(len(body)).encode())]
    question = ServiceRequest(
        "POST", "/a", [], caller_of(addresses, first), changes=changes
    )
    upstream, heard = Upstream("catalog", addresses), Heard()
    await upstream.open()
    try:
        await upstream.ask(question, RequestBody(length, receive, 1000), heard)  # type: ignore[arg-type]
    finally:
        await upstream.close()
    return heard


@pytest.mark.parametrize("changes", [False, True])
async def test_another_replica_answers_for_a_missing_one(changes: bool) -> None:
    """Reads and changes alike: the missing one has begun nothing."""
    healthy = Replica()
    async with replica(healthy.answer) as address:
        missing = nobody()
        heard = await ask(f"{missing},{address}", missing, changes=changes)
    assert (heard.status, heard.content, healthy.requests) == (200, b"x", 1)
    assert heard.ended


async def test_a_broken_read_is_retried_and_a_change_is_not() -> None:
    """A replica that breaks off may have done the change already."""

    async def breaks(request: web.Request) -> web.StreamResponse:
        await request.read()
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    healthy = Replica()
    async with replica(breaks) as broken, replica(healthy.answer) as address:
        both = f"{broken},{address}"
        assert (await ask(both, broken)).status == 200
        with pytest.raises(Unavailable):
            await ask(both, broken, changes=True)
    assert healthy.requests == 1


async def test_a_replica_that_is_not_ready_is_skipped() -> None:
    """A 503 is the response only if no replica has a better one."""
    loading, healthy = Replica(503, **{UNTOUCHED: "1"}), Replica()
    async with replica(loading.answer) as first, replica(healthy.answer) as address:
        both = f"{first},{address}"
        assert (await ask(both, first)).status == 200
        assert (await ask(both, first, changes=True)).status == 200
        assert (await ask(first, first)).status == 503


async def test_a_change_that_was_begun_is_not_repeated_elsewhere() -> None:
    """A 503 in the middle of it is the client's response."""
    failing, healthy = Replica(503), Replica()
    async with replica(failing.answer) as first, replica(healthy.answer) as address:
        heard = await ask(f"{first},{address}", first, changes=True)
    assert (heard.status, healthy.requests) == (503, 0)


async def test_a_frozen_replica_is_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It accepts connections and never responds."""
    monkeypatch.setattr(upstreams, "PATIENCE_SECONDS", 0.2)
    healthy = Replica()
    with socket.socket() as frozen:
        frozen.bind(("127.0.0.1", 0))
        frozen.listen()
        first = f"http://127.0.0.1:{frozen.getsockname()[1]}"
        async with replica(healthy.answer) as address:
            heard = await ask(f"{first},{address}", first)
    assert (heard.status, healthy.requests) == (200, 1)


async def test_without_any_replica_the_service_is_unavailable() -> None:
    """The response says when to come again."""
    addresses = f"{nobody()},{nobody()}"
    with pytest.raises(Unavailable) as raised:
        await ask(addresses, addresses.partition(",")[0])
    assert raised.value.retry_after == 1


async def test_callers_are_distributed_over_replicas() -> None:
    """Each keeps to one replica, and both have work."""
    first, second = Replica(), Replica()
    async with AsyncExitStack() as stack:
        addresses = ",".join(
            [
                await stack.enter_async_context(replica(upstream_replica.answer))
                for upstream_replica in (first, second)
            ]
        )
        replicas = Replicas(addresses)
        names = [f"user:default/{number}" for number in range(100)]
        chosen = [replicas.order(name)[0] for name in names]
        assert chosen == [replicas.order(name)[0] for name in names]
        assert 20 < chosen.count(chosen[0]) < 80
        await asyncio.gather(*(ask(addresses, address) for address in chosen[:20]))
    assert first.requests
    assert second.requests


def test_a_failed_replica_is_tried_last_for_a_while() -> None:
    """Afterwards it is first again."""
    now = [0.0]
    replicas = Replicas("http://a/, http://b", clock=lambda: now[0])
    first, second = replicas.order("ann")
    replicas.mark_unavailable(first)
    assert list(replicas.order("ann")) == [second, first]
    now[0] = REST_SECONDS + 0.1
    assert list(replicas.order("ann")) == [first, second]


def test_an_empty_address_list_is_an_error() -> None:
    """The error says that an address is required."""
    with pytest.raises(Invalid, match="must be an address"):
        Replicas(" , ")


@pytest.mark.parametrize("address", ["http://portal", "http://portal:7007"])
@pytest.mark.parametrize(
    "path", ["", "*", "*@evil.example/", ".evil.example/", "@evil.example/", ":80/"]
)
def test_a_path_leads_to_no_other_host(address: str, path: str) -> None:
    """A path that does not begin with `/` would continue the service's address."""
    with pytest.raises(Invalid, match="must begin with /"):
        upstream_url(address, path)


@pytest.mark.parametrize("path", ["/", "//evil.example/", "/@evil.example/?a=/@b"])
def test_a_path_stays_as_it_is_written(path: str) -> None:
    """Only the address says which host is asked."""
    url = upstream_url("http://portal", path)
    assert (url.host, str(url)) == ("portal", f"http://portal{path}")


class Poisoned:
    """A replica that answers, but for one question: at that it stops or breaks off."""

    def __init__(self, how: str) -> None:
        self.requests: list[str] = []
        self._how = how
        self._stopped = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/healthz":
            return web.Response(text="ok")
        self.requests.append(request.path)
        if request.path == "/poison" and self._how == "stops":
            await self._stopped.wait()
        if request.path == "/poison" and self._how == "breaks off":
            # Not at once: a kept connection that breaks off at once was a stale one.
            await asyncio.sleep(2 * upstreams.STALE_SECONDS)
            assert request.transport is not None
            request.transport.close()
        return web.Response(text="fine")


class Front:
    """One upstream, to put several questions to."""

    def __init__(self, addresses: str, first: str) -> None:
        self.upstream = Upstream(
            "catalog", addresses, patience=upstreams.LAST_PATIENCE_SECONDS
        )
        self._caller = caller_of(addresses, first)

    async def ask(self, path: str) -> int:
        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        question = ServiceRequest("GET", path, [], self._caller, changes=False)
        heard = Heard()
        await self.upstream.ask(question, RequestBody([], receive, 1000), heard)  # type: ignore[arg-type]
        return heard.status


@asynccontextmanager
async def front(*replicas: Poisoned) -> AsyncIterator[Front]:
    """An upstream with these replicas; the first is asked first, and is well."""
    async with AsyncExitStack() as stack:
        addresses = [
            await stack.enter_async_context(replica(r.answer)) for r in replicas
        ]
        upstream_front = Front(",".join(addresses), addresses[0])
        await upstream_front.upstream.open()
        stack.push_async_callback(upstream_front.upstream.close)
        assert await upstream_front.ask("/good") == 200
        yield upstream_front


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway waits for a moment, and takes nothing for a stale connection."""
    monkeypatch.setattr(upstreams, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(upstreams, "LAST_PATIENCE_SECONDS", 0.4)
    monkeypatch.setattr(upstreams, "STALE_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", ["stops", "breaks off"])
@pytest.mark.parametrize("other_count", [0, 1])
async def test_a_request_that_killed_a_replica_is_not_forwarded(
    how: str, other_count: int
) -> None:
    """Nor to the same replica once it is back: it must not kill them all."""
    first = Poisoned(how)
    more = [Poisoned(how) for _ in range(other_count)]
    async with front(first, *more) as upstream_front:
        with pytest.raises(Unavailable):
            await upstream_front.ask("/poison")
        assert first.requests.count("/poison") == 1
        assert [other.requests for other in more] == [[]] * other_count
        # Others go on being asked, and this one's replica too.
        assert await upstream_front.ask("/good") == 200


@pytest.mark.usefixtures("impatient")
async def test_other_requests_of_a_killed_replica_are_retried() -> None:
    """Only the oldest open request is taken for the cause."""
    first, second = Poisoned("stops"), Poisoned("never")
    async with front(first, second) as upstream_front:
        poison = asyncio.create_task(upstream_front.ask("/poison"))
        while "/poison" not in first.requests:
            await asyncio.sleep(0)
        # It stands still for everybody from now on.
        waiting = asyncio.create_task(upstream_front.ask("/poison?other"))
        assert await waiting == 200
        with pytest.raises(Unavailable):
            await poison
    assert second.requests == ["/poison"]


@pytest.mark.usefixtures("impatient")
async def test_a_request_that_killed_several_replicas_is_refused() -> None:
    """For a while it reaches no replica; other requests do."""
    first = Poisoned("breaks off")
    async with front(first) as upstream_front:
        for _ in range(5):
            with pytest.raises(Unavailable) as raised:
                await upstream_front.ask("/poison")
            assert await upstream_front.ask("/good") == 200
        assert first.requests.count("/poison") == 2
        assert raised.value.retry_after > 1


async def test_a_closing_keepalive_connection_is_replaced() -> None:
    """The service closes idle ones while a request is on its way."""
    closing: set[object] = set()
    paths: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        paths.append(request.path)
        if request.transport in closing:
            request.transport.close()
        closing.add(request.transport)
        return web.Response(text="fine")

    async with replica(answer) as address:
        upstream = Front(address, address)
        await upstream.upstream.open()
        assert await upstream.ask("/one") == 200
        assert await upstream.ask("/two") == 200
        await upstream.upstream.close()
    assert paths == ["/one", "/two", "/two"]
