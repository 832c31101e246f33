"""Waits until a condition is true, instead of sleeping for a fixed time."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

STEP_SECONDS = 0.02
#: A machine that is busy with other tests may be many times slower than a quiet one. A
#: wait ends as soon as its condition is true: none asks for less time than this.
LONGEST_SECONDS = 90.0


async def until(
    probe: Callable[[], Any], condition: str = "", *, seconds: float = LONGEST_SECONDS
) -> Any:
    """The first truthy value of `probe` (a function or coroutine function)."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {condition or probe}")
        await asyncio.sleep(STEP_SECONDS)


def until_now(
    probe: Callable[[], Any], condition: str = "", *, seconds: float = LONGEST_SECONDS
) -> Any:
    """The first truthy value of `probe`, for tests that are not coroutines."""
    deadline = time.monotonic() + seconds
    while not (value := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {condition or probe}")
        time.sleep(STEP_SECONDS)
    return value
