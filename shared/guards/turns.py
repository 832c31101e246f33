"""Long loops on an event loop, in slices that do not hold others up."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import chain
from typing import Any, TypeVar

Item = TypeVar("Item")
#: So long a loop may go on before others get their turn, one item aside.
SLICE_SECONDS = 0.005
#: Items that are sorted at a time; more are sorted in pieces, which are merged.
SORTED_AT_ONCE = 2_000


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


async def sort_in_turns(
    items: Sequence[Item], key: Callable[[Item], Any]
) -> list[Item]:
    """The items sorted by `key`, as `sorted` does."""
    starts = range(0, len(items), SORTED_AT_ONCE)
    pieces = (items[start : start + SORTED_AT_ONCE] for start in starts)
    runs = [sorted(piece, key=key) async for piece in in_turns(pieces)]
    while len(runs) > 1:
        pairs = (runs[at : at + 2] for at in range(0, len(runs), 2))
        # Sorting two sorted runs behind each other only merges them.
        runs = [sorted(chain(*pair), key=key) async for pair in in_turns(pairs)]
    return runs[0] if runs else []
