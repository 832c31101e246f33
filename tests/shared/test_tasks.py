"""Ending tasks: also those that do not hear it the first time."""

import asyncio

from shared.kit.processes import tasks


async def test_a_task_that_lost_a_cancellation_is_cancelled_again() -> None:
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await tasks.end(task, retry_seconds=0.01)
    assert task.cancelled()
    assert lost == 3


async def test_a_cancelled_task_has_time_to_clean_up() -> None:
    """It is not cancelled again while it closes its resources."""
    is_closing, may_close = asyncio.Event(), asyncio.Event()
    closed = False

    async def careful() -> None:
        nonlocal closed
        try:
            await asyncio.Event().wait()
        finally:
            is_closing.set()
            await may_close.wait()
            closed = True

    task = asyncio.create_task(careful())
    await asyncio.sleep(0)
    ending = asyncio.create_task(tasks.end(task, retry_seconds=60))
    await is_closing.wait()
    # Turns in which a second cancellation would come if it did not wait.
    for _ in range(10):
        await asyncio.sleep(0)
    may_close.set()
    await ending
    assert closed


async def test_errors_of_a_cancelled_task_are_not_raised() -> None:
    async def failing() -> None:
        raise ValueError("of no interest any more")

    ended = asyncio.create_task(failing())
    await asyncio.wait({ended})
    await tasks.end(ended, asyncio.create_task(failing()))
