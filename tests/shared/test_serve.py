"""A process that is told to stop, and the requests that it does not get to."""

import asyncio
from typing import Any

import orjson
import pytest

from shared.kit.serve import Ending

SCOPE = {"type": "http", "method": "GET", "path": "/entities"}


async def receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def cut_off(begins: bool) -> list[Any]:
    """What a client hears whose request is cut off; `begins`: after the headers."""
    heard: list[Any] = []
    waiting = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begins:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        waiting.set()
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        heard.append(message)

    asking = asyncio.create_task(Ending(app)(SCOPE, receive, send))
    await waiting.wait()
    asking.cancel()
    if begins:
        with pytest.raises(asyncio.CancelledError):
            await asking
    else:
        await asking
    return heard


async def test_a_request_that_is_cut_off_may_be_asked_again() -> None:
    """503 with Retry-After, not 500: nothing is broken."""
    start, body = await cut_off(begins=False)
    assert start["status"] == 503
    assert dict(start["headers"])[b"retry-after"] == b"1"
    error = orjson.loads(body["body"])["error"]
    assert error["name"] == "ServiceUnavailableError"


async def test_an_answer_that_has_begun_breaks_off() -> None:
    """It must not be taken for whole."""
    (start,) = await cut_off(begins=True)
    assert start["status"] == 200
