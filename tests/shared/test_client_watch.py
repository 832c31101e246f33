"""Work of a request ends when its client hangs up."""

import asyncio
import gc

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from shared.kit.http.client_watch import while_connected

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": []}


class HungUpClient:
    """A client that hangs up when `leaves` is set."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()

    async def receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}


async def test_work_is_cancelled_when_the_client_hangs_up() -> None:
    """It has ended, with what it does at its end, when the error is raised."""
    client, steps = HungUpClient(), list[str]()

    async def work() -> None:
        try:
            client.leaves.set()
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0)
            steps.append("ended")

    with pytest.raises(ClientDisconnect):
        await while_connected(Request(SCOPE, client.receive), work())
    assert steps == ["ended"]


async def test_the_result_of_a_connected_client_is_returned() -> None:
    """Nothing watches the client afterwards."""
    request = Request(SCOPE, HungUpClient().receive)
    assert await while_connected(request, asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="wrong"):
        await while_connected(request, failing())
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_an_error_of_work_that_ends_is_not_reported_as_lost(
    *, hangs_up: bool
) -> None:
    """Nobody reads it: the client hung up, or the service stops."""
    client, reports = HungUpClient(), list[object]()
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reports.append(context)
    )

    async def work() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await failing()

    watched = while_connected(Request(SCOPE, client.receive), work())
    answer = asyncio.create_task(watched)
    await asyncio.sleep(0.01)
    if hangs_up:
        client.leaves.set()
    else:
        answer.cancel()
    with pytest.raises(ClientDisconnect if hangs_up else asyncio.CancelledError):
        await answer
    del answer, watched
    # The loop's own reference goes with its next step.
    await asyncio.sleep(0)
    gc.collect()
    assert reports == []


async def failing() -> None:
    raise ValueError("wrong")


async def test_work_ends_with_a_cancelled_request() -> None:
    """As when the service stops."""
    is_ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            is_ended.set()

    request = Request(SCOPE, HungUpClient().receive)
    answer = asyncio.create_task(while_connected(request, work()))
    await asyncio.sleep(0.01)
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    assert is_ended.is_set()
