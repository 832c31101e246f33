"""Ending tasks: also those that do not hear it the first time."""

import asyncio

from shared.kit import tasks


async def test_a_task_that_lost_a_cancellation_is_cancelled_anew() -> None:
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await tasks.end(task, again=0.01)
    assert task.cancelled()
    assert lost == 3


async def test_a_task_has_time_for_its_own_endings() -> None:
    """It is not cancelled anew while it closes what it holds."""
    closed = False

    async def careful() -> None:
        nonlocal closed
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            closed = True

    task = asyncio.create_task(careful())
    await asyncio.sleep(0)
    await tasks.end(task, again=5)
    assert closed


async def test_what_a_task_raised_goes_no_further() -> None:
    async def failing() -> None:
        raise ValueError("of no interest any more")

    ended = asyncio.create_task(failing())
    await asyncio.wait({ended})
    await tasks.end(ended, asyncio.create_task(failing()))
