"""Calls among services, where a service has more than one process."""

import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from shared.contracts.errors import Unavailable
from shared.contracts.headers import PRINCIPAL
from shared.kit.http.clients import ServiceCalls
from shared.kit.http.service_tokens import Principal, PrincipalTokens

SECRET = "a-secret-for-tests-only-0123456789abcdef"


def nobody() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
async def reachable() -> AsyncIterator[str]:
    """A catalog in miniature."""

    async def answer(request: web.Request) -> web.StreamResponse:
        principal = PrincipalTokens(SECRET).verify(request.headers[PRINCIPAL])
        if request.path == "/lines":
            return web.Response(text='{"n": 1}\n{"n": 2}\n')
        return web.json_response({"asked_by": principal.subject})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_missing_replica_is_skipped(reachable: str) -> None:
    """Whichever of the addresses it is; for single responses and streams."""
    for urls in (f"{nobody()},{reachable}", f"{reachable},{nobody()}"):
        async with ServiceCalls(SECRET, "search", {"catalog": urls}) as calls:
            answer = await calls.get_json("catalog", "/one")
            assert answer == {"asked_by": "service:search"}
            lines = [line async for line in calls.lines("catalog", "/lines")]
            assert lines == [{"n": 1}, {"n": 2}]


async def test_calls_on_behalf_of_a_reader_use_their_rights(
    reachable: str,
) -> None:
    """The other service decides as if the reader had sent the request."""
    reader = Principal("user:default/ann", "user", permission="catalog.entity.read")
    async with ServiceCalls(SECRET, "search", {"catalog": reachable}) as calls:
        answer = await calls.get_json("catalog", "/one", reader=reader)
        assert answer == {"asked_by": "user:default/ann"}


async def test_without_any_replica_the_service_is_unavailable() -> None:
    """The service is away."""
    urls = f"{nobody()},{nobody()}"
    async with ServiceCalls(SECRET, "search", {"catalog": urls}) as calls:
        with pytest.raises(Unavailable, match="catalog"):
            await calls.get_json("catalog", "/one")
