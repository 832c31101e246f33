"""Ends the work of a request when its client hangs up: nobody reads the result."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

Result = TypeVar("Result")


async def while_connected(
    request: Request, work: Coroutine[Any, Any, Result]
) -> Result:
    """The result of `work`; the body of the request must have been read.

    Raises:
        ClientDisconnect: if the client hangs up first; the work was cancelled, and has
            ended.
    """
    working = asyncio.ensure_future(work)
    working.add_done_callback(_take_error)
    watching = asyncio.ensure_future(_disconnection(request))
    tasks = {working, watching}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return working.result()


def _take_error(working: asyncio.Future[Any]) -> None:
    """Take the error of work that nobody waits for: asyncio would report it as lost."""
    if not working.cancelled():
        working.exception()


async def _disconnection(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
