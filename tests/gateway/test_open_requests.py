"""Open requests and streams are limited, and one guest leaves room for the others."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import httpx
import pytest

from services.gateway.model import Identity
from services.gateway.open_requests import OpenRequests
from services.gateway.stream import openings
from services.gateway.stream.openings import STREAM, StreamOpenings
from shared.contracts.errors import TooMany
from tests.gateway.running import configuration, gateway_app, served, settings_for

ANN, BOB = (Identity(f"user:default/{name}", "user") for name in ("ann", "bob"))


@pytest.fixture(scope="module")
def gateway(
    services: str, mongodb: str, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A gateway with the smallest limits, behind a proxy."""
    data = tmp_path_factory.mktemp("limits")
    settings = settings_for(
        services,
        mongodb=mongodb,
        kafka=kafka,
        data=data,
        CALLBOARD_GATEWAY_REQUESTS_PER_USER=1,
        CALLBOARD_GATEWAY_TRUSTED_PROXIES="127.0.0.1",
    )
    with served(gateway_app(settings, configuration())) as address:
        yield address


def guest(session: str) -> Identity:
    return Identity("user:default/guest", "guest", session=session)


def scope(address: str = "10.0.0.1") -> dict[str, Any]:
    return {"client": address}


def limited(per_user: int) -> OpenRequests:
    return OpenRequests(per_user, lambda scope: str(scope["client"]))


def opened(stack: ExitStack, counted: OpenRequests, address: str) -> int:
    """How many requests guests at an address can open, each with a new sign-in."""
    for number in range(1000):
        try:
            stack.enter_context(counted.hold(guest(f"{number}"), scope(address)))
        except TooMany:
            return number
    raise AssertionError("there is no limit")


def test_open_requests_are_limited_per_user() -> None:
    """Other users are not affected; closing one makes room."""
    counted = limited(2)
    with counted.hold(ANN, scope()), counted.hold(ANN, scope()):
        with pytest.raises(TooMany, match=r"requests open \(2\)"):
            counted.check(ANN, scope())
        counted.check(BOB, scope())
        counted.check(guest("a"), scope())
    counted.check(ANN, scope())
    assert not counted._open


def test_streams_have_a_share_of_their_own() -> None:
    """Streams never lock ordinary requests out."""
    counted = limited(1)
    with counted.hold(ANN, scope(), "streams"):
        with pytest.raises(TooMany, match="streams open"):
            counted.check(ANN, scope(), "streams")
        counted.check(ANN, scope())


def test_one_sign_in_of_a_guest_has_the_limit_of_a_user() -> None:
    """Another guest at the same address has their own."""
    counted = limited(2)
    with counted.hold(guest("a"), scope()), counted.hold(guest("a"), scope("b")):
        with pytest.raises(TooMany, match="You have too many"):
            counted.check(guest("a"), scope("c"))
        counted.check(guest("b"), scope())


def test_each_address_leaves_as_many_as_it_takes() -> None:
    """However many sign-ins somebody makes at few addresses, others have room."""
    counted = limited(16)
    with ExitStack() as stack:
        numbers = [opened(stack, counted, f"10.0.0.{at}") for at in range(4)]
        assert numbers == [64, 32, 16, 8]
        assert opened(stack, counted, "10.0.1.1") == 4
        with pytest.raises(TooMany, match="Guests have too many"):
            counted.check(guest("x"), scope("10.0.1.1"))


def test_a_service_on_behalf_of_guests_has_no_share_of_an_address() -> None:
    """Its address is no guest's; the limit of all guests counts."""
    counted = limited(1)
    behalf = Identity("user:default/guest", "guest", by_service=True)
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(counted.hold(behalf, scope()))
        with pytest.raises(TooMany):
            counted.check(behalf, scope())


async def test_a_guest_with_many_streams_leaves_room(
    ask: httpx.AsyncClient, sign_in
) -> None:
    """By session and by address behind a trusted proxy; pages are read meanwhile."""
    guests = [await sign_in("guest") for _ in range(6)]
    lines: list[Any] = []
    async with AsyncExitStack() as stack:

        async def status(number: int, address: str) -> int:
            headers = {**guests[number], "x-forwarded-for": address}
            stream = ask.stream("GET", STREAM, headers=headers)
            answer = await stack.enter_async_context(stream)
            if answer.status_code == 200:
                lines.append(answer.aiter_lines())
                await anext(lines[-1])
            return answer.status_code

        assert await status(0, "9.9.9.1") == 200
        assert await status(0, "9.9.9.2") == 429
        statuses = [await status(number, "9.9.9.1") for number in range(1, 5)]
        assert statuses == [200, 200, 200, 429]
        assert await status(5, "9.9.9.2") == 200
        for headers in guests:
            answer = await ask.get("/api/catalog/entities", headers=headers)
            assert answer.status_code == 200


SCOPE = {"type": "http", "method": "GET", "path": STREAM, "headers": []}


async def ignore(_message: Any) -> None:
    return


def client(*messages: str) -> Any:
    """What an application receives of a client, which then stays silent."""
    types = iter(["http.request", *messages])

    async def receive() -> dict[str, Any]:
        if kind := next(types, None):
            return {"type": kind, "body": b"", "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError

    return receive


class Opened:
    """An application that sends a stream's first bytes; `paths` are requested."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        self.paths.append(scope["path"])
        await send({"type": "http.response.body", "body": b""})


async def test_streams_are_opened_a_few_at_a_time(monkeypatch) -> None:
    """A turn ends with the first bytes, and the stream goes on."""
    monkeypatch.setattr(openings, "PAUSE_SECONDS", 0)
    under_way, most, end = 0, 0, asyncio.Event()
    started = asyncio.Semaphore(0)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        started.release()
        await end.wait()

    opening = StreamOpenings(app)
    tasks = [
        asyncio.create_task(opening(SCOPE, client(), ignore))
        for _ in range(5 * openings.OPENINGS)
    ]
    async with asyncio.timeout(20):
        for _ in tasks:
            await started.acquire()
        end.set()
        await asyncio.gather(*tasks)
    assert most == openings.OPENINGS


async def test_a_pause_follows_each_opening(monkeypatch) -> None:
    """The turn is not free at once; other requests have no turns."""
    monkeypatch.setattr(openings, "PAUSE_SECONDS", 3600)
    app = Opened()
    opening = StreamOpenings(app)
    for _ in range(openings.OPENINGS):
        await opening(SCOPE, client(), ignore)
    late = asyncio.create_task(opening(SCOPE, client(), ignore))
    for _ in range(10):
        # Each round of the loop, the late one could go on.
        await asyncio.sleep(0)
        await opening({**SCOPE, "path": "/healthz"}, client(), ignore)
    assert not late.done()
    assert app.paths == [STREAM] * openings.OPENINGS + ["/healthz"] * 10
    late.cancel()


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "POST"},
        {"headers": [(b"content-length", b"900000")]},
        {"headers": [(b"transfer-encoding", b"chunked")]},
    ],
    ids=["post", "body", "chunked"],
)
async def test_a_request_whose_body_may_be_late_has_no_turn(
    monkeypatch, changes
) -> None:
    """It would keep the turn of a stream for as long as its client likes."""
    monkeypatch.setattr(openings, "LONGEST_SECONDS", 3600)
    late = asyncio.Event()

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope != SCOPE:
            await late.wait()
        await send({"type": "http.response.body", "body": b""})

    opening = StreamOpenings(app)
    slow = [
        asyncio.create_task(opening({**SCOPE, **changes}, client(), ignore))
        for _ in range(2 * openings.OPENINGS)
    ]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await opening(SCOPE, client(), ignore)
        late.set()
        await asyncio.gather(*slow)


async def test_who_hung_up_costs_the_next_stream_no_pause(monkeypatch) -> None:
    """However many closed their connections while they waited."""
    monkeypatch.setattr(openings, "PAUSE_SECONDS", 3600)
    app = Opened()
    opening = StreamOpenings(app)
    for _ in range(100):
        await opening(SCOPE, client("http.disconnect"), ignore)
    assert app.paths == []
    await opening(SCOPE, client(), ignore)
    assert app.paths == [STREAM]


async def test_a_turn_ends_in_time(monkeypatch) -> None:
    """An opening that waits for another service holds up no others."""
    monkeypatch.setattr(openings, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(openings, "LONGEST_SECONDS", 0.01)
    end, app = asyncio.Event(), Opened()

    async def hang(scope: Any, receive: Any, send: Any) -> None:
        if len(tasks) < openings.OPENINGS:
            await end.wait()
        await app(scope, receive, send)

    tasks: list[Any] = []
    opening = StreamOpenings(hang)
    for _ in range(openings.OPENINGS):
        task = asyncio.create_task(opening(SCOPE, client(), ignore))
        await asyncio.sleep(0)
        tasks.append(task)
    async with asyncio.timeout(20):
        await opening(SCOPE, client(), ignore)
    end.set()
    await asyncio.gather(*tasks)
