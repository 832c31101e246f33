"""Long loops on an event loop, in slices that do not hold others up."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")


async def in_turns(items: Iterable[Item], size: int) -> AsyncIterator[Item]:
    """The same items; after every `size` of them others get their turn."""
    for count, item in enumerate(items, 1):
        yield item
        if count % size == 0:
            await asyncio.sleep(0)
