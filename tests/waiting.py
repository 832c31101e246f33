"""Waits for something to become true, instead of sleeping and hoping."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

STEP_SECONDS = 0.02


async def until(probe: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
    """The first truthy value of `probe` (a function or coroutine function)."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or probe}")
        await asyncio.sleep(STEP_SECONDS)


def until_now(probe: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
    """The same for tests that are not coroutines."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or probe}")
        time.sleep(STEP_SECONDS)
    return found
