"""What a stream brings is gathered into batches."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.kit.events.batching import batches


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def test_what_comes_together_is_one_batch() -> None:
    """Items that arrive within the window are handed over at once."""
    assert [b async for b in batches(numbers(3), size=10, seconds=0.05)] == [[0, 1, 2]]


async def test_a_batch_is_never_larger_than_its_size() -> None:
    """More items than the size make several batches, in order."""
    found = [b async for b in batches(numbers(25), size=10, seconds=0.001)]
    assert max(map(len, found)) <= 10
    assert [item for batch in found for item in batch] == list(range(25))


async def test_an_item_is_handed_over_while_the_source_stays_open() -> None:
    """A batch does not wait for the end of the source."""
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def source() -> AsyncIterator[int]:
        while True:
            yield await queue.get()

    gathered = batches(source(), size=10, seconds=0.001)
    queue.put_nowait(1)
    assert await anext(gathered) == [1]
    queue.put_nowait(2)
    assert await anext(gathered) == [2]
    await gathered.aclose()  # type: ignore[attr-defined]


async def test_a_failing_source_fails_the_reader_after_its_items() -> None:
    """What arrived before the failure is handed over first."""

    async def source() -> AsyncIterator[int]:
        yield 1
        raise ValueError("broken")

    gathered = batches(source(), size=10, seconds=0.001)
    assert await anext(gathered) == [1]
    with pytest.raises(ValueError, match="broken"):
        await anext(gathered)


async def test_closing_ends_the_source() -> None:
    """A reader that gives up leaves nobody reading ahead."""
    closed = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            closed.set()

    gathered = batches(source(), size=10, seconds=0.001)
    assert await anext(gathered) == [1]
    await gathered.aclose()  # type: ignore[attr-defined]
    assert closed.is_set()
