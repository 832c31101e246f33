"""Reading ahead of who writes: so far, in order, and never longer than is asked for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.catalog.handlers.reading_ahead import read_ahead

COUNT = 3
SIZE = 20


class Walked:
    """A walk of so many, which remembers how far it was read and that it was closed."""

    def __init__(self, size: int, *, fails: bool = False) -> None:
        self.size = size
        self.fails = fails
        self.read = 0

    async def __call__(self) -> AsyncIterator[Any]:
        for number in range(self.size):
            await asyncio.sleep(0)
            self.read += 1
            yield number
        if self.fails:
            raise ValueError("the host is away")


async def let_read() -> None:
    """As many turns as reading all of a walk takes, and more."""
    for _ in range(3 * SIZE):
        await asyncio.sleep(0)


async def test_reading_ahead_yields_every_item_in_order() -> None:
    items = [item async for item in read_ahead(Walked(SIZE)(), COUNT)]
    assert items == list(range(SIZE))


async def test_reading_ahead_is_limited_to_the_given_number() -> None:
    """Items that are read ahead stay in memory until they are taken."""
    walk = Walked(SIZE)
    reading = read_ahead(walk(), COUNT)
    assert await anext(reading) == 0
    await let_read()
    # Those that wait, the one that was taken, and the one that waits for room.
    assert walk.read <= COUNT + 2


async def test_an_error_is_raised_after_the_items_before_it() -> None:
    items = []

    async def take() -> None:
        async for item in read_ahead(Walked(SIZE, fails=True)(), COUNT):
            items.append(item)  # noqa: PERF401 - what came before the failure stays

    with pytest.raises(ValueError, match="the host is away"):
        await take()
    assert items == list(range(SIZE))


async def test_reading_ahead_can_be_cancelled_while_it_is_full() -> None:
    """A full reader once waited for ever to report its end."""
    walk = Walked(SIZE)
    reading = read_ahead(walk(), COUNT)
    await anext(reading)
    await let_read()
    async with asyncio.timeout(5):
        await reading.aclose()  # type: ignore[attr-defined]
    before = walk.read
    await let_read()
    assert walk.read == before < SIZE
