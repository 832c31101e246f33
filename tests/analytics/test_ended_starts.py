"""A stream that is ended while it starts leaves nothing behind."""

import asyncio
import contextlib
from typing import Any

import pytest

from services.analytics.stream import ActivityStream
from shared.kit.config.servers import Server
from tests.waiting import until


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8])
async def test_a_start_that_is_cancelled_leaves_no_task(
    kafka: str, delay: float
) -> None:
    """Faust stops what it started only if the start came to its end."""
    before = asyncio.all_tasks()

    async def start() -> None:
        stream = ActivityStream(Server.of(kafka), group=f"cancelled-{delay}")
        async with stream.running():
            await asyncio.sleep(0.2)

    task = asyncio.create_task(start())
    await asyncio.sleep(delay)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    def left() -> set[Any]:
        return asyncio.all_tasks() - before

    await until(lambda: not left(), "the end of all tasks")
