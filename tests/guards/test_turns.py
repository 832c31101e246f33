"""Long loops give others their turn by time."""

import asyncio
import time

import pytest

from shared.guards import turns
from shared.guards.turns import in_turns, sort_in_turns


@pytest.mark.parametrize("seconds_an_item", [0.004, 0.0])
async def test_the_loop_yields_by_elapsed_time(seconds_an_item: float) -> None:
    """After a few slow items, and not after each quick one."""
    rival_turns = 0
    is_done = False

    async def other() -> None:
        nonlocal rival_turns
        while not is_done:
            rival_turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    count = 20 if seconds_an_item else 200
    async for _ in in_turns(range(count)):
        ends_at = time.monotonic() + seconds_an_item
        while time.monotonic() < ends_at:
            pass
    is_done = True
    await task
    if seconds_an_item:
        assert rival_turns >= 20 * seconds_an_item / turns.SLICE_SECONDS / 2
    else:
        assert rival_turns < count


async def test_all_items_are_yielded_in_order() -> None:
    """Whatever happens between them."""
    assert [item async for item in in_turns("abc")] == ["a", "b", "c"]
    assert [item async for item in in_turns("")] == []


@pytest.mark.parametrize("count", [0, 1, turns.SORTED_AT_ONCE * 5 + 1])
async def test_a_long_sort_is_stable(count: int) -> None:
    """Equal items stay in their order across the pieces."""
    items = [(number * 7919 % 50, number) for number in range(count)]
    by_first = await sort_in_turns(items, lambda item: item[0])
    assert by_first == sorted(items)
