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
from shared.kit.http.replicas import REST_SECONDS, Replicas

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
async def test_another_answers_for_one_that_is_gone(changes: bool) -> None:
    """Questions and changes alike: nothing of them has begun anywhere."""
    healthy = Replica()
    async with replica(healthy.answer) as address:
        missing = nobody()
        heard = await ask(f"{missing},{address}", missing, changes=changes)
    assert (heard.status, heard.content, healthy.requests) == (200, b"x", 1)
    assert heard.ended


async def test_a_question_is_asked_again_a_change_is_not() -> None:
    """Who breaks off may have done it: a change must not be done twice."""

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


async def test_one_that_is_not_ready_is_passed_over() -> None:
    """A 503 is an answer only if nobody has a better one."""
    loading, healthy = Replica(503, **{UNTOUCHED: "1"}), Replica()
    async with replica(loading.answer) as first, replica(healthy.answer) as address:
        both = f"{first},{address}"
        assert (await ask(both, first)).status == 200
        assert (await ask(both, first, changes=True)).status == 200
        assert (await ask(first, first)).status == 503


async def test_a_change_that_was_begun_is_not_begun_elsewhere() -> None:
    """503 in the middle of it is what the client is told."""
    failing, healthy = Replica(503), Replica()
    async with replica(failing.answer) as first, replica(healthy.answer) as address:
        heard = await ask(f"{first},{address}", first, changes=True)
    assert (heard.status, healthy.requests) == (503, 0)


async def test_one_that_stands_still_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A frozen process takes connections and says nothing."""
    monkeypatch.setattr(upstreams, "PATIENCE_SECONDS", 0.2)
    healthy = Replica()
    with socket.socket() as frozen:
        frozen.bind(("127.0.0.1", 0))
        frozen.listen()
        first = f"http://127.0.0.1:{frozen.getsockname()[1]}"
        async with replica(healthy.answer) as address:
            heard = await ask(f"{first},{address}", first)
    assert (heard.status, healthy.requests) == (200, 1)


async def test_nobody_is_left() -> None:
    """The client is told that the service is away, and when to come again."""
    addresses = f"{nobody()},{nobody()}"
    with pytest.raises(Unavailable) as raised:
        await ask(addresses, addresses.partition(",")[0])
    assert raised.value.retry_after == 1


async def test_callers_are_shared_out() -> None:
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


def test_who_was_away_is_asked_last_for_a_moment() -> None:
    """And first again when the moment is over."""
    now = [0.0]
    replicas = Replicas("http://a/, http://b", clock=lambda: now[0])
    first, second = replicas.order("ann")
    replicas.mark_unavailable(first)
    assert list(replicas.order("ann")) == [second, first]
    now[0] = REST_SECONDS + 0.1
    assert list(replicas.order("ann")) == [first, second]


def test_no_address_is_an_error() -> None:
    """It says what must be given."""
    with pytest.raises(Invalid, match="must be an address"):
        Replicas(" , ")


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
        self.upstream = Upstream("catalog", addresses)
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
async def test_what_ended_one_is_not_asked_of_the_next(
    how: str, other_count: int
) -> None:
    """Nor of the same one, once it is back: one question must not end them all."""
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
async def test_who_waited_behind_it_is_answered_elsewhere() -> None:
    """Only the oldest question is taken for the reason."""
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
async def test_a_question_that_ended_several_is_refused() -> None:
    """For a while; nobody is asked meanwhile, and others are."""
    first = Poisoned("breaks off")
    async with front(first) as upstream_front:
        for _ in range(5):
            with pytest.raises(Unavailable) as raised:
                await upstream_front.ask("/poison")
            assert await upstream_front.ask("/good") == 200
        assert first.requests.count("/poison") == 2
        assert raised.value.retry_after > 1


async def test_a_kept_connection_that_was_being_closed_is_made_anew() -> None:
    """The service closes idle ones, and the question meets that on its way."""
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
