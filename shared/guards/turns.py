"""Long loops on an event loop, in slices that do not hold others up."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")
#: So long a loop may go on before others get their turn, one item aside.
SLICE_SECONDS = 0.005


async def in_turns(items: Iterable[Item]) -> AsyncIterator[Item]:
    """The same items; others get their turn whenever a slice of time is over.

    Time and not a number of items, because one item may be the work of a thousand.
    """
    ends_at = time.monotonic() + SLICE_SECONDS
    for item in items:
        yield item
        if time.monotonic() >= ends_at:
            await asyncio.sleep(0)
            ends_at = time.monotonic() + SLICE_SECONDS
