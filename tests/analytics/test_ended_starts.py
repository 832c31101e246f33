"""A stream that ends in the middle of its work leaves nothing behind."""

import asyncio
import contextlib
import itertools
from typing import Any

import pytest

from services.analytics.counting import occurrence_on
from services.analytics.stream import ActivityStream
from shared.contracts.topics import GIT_PUSH
from shared.kit.config.servers import Server
from tests.analytics.events import push
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


async def test_a_crash_with_rows_that_are_not_sent_leaves_no_task(kafka: str) -> None:
    """Faust refuses to flush then, and its consumer would keep the partitions."""
    before = asyncio.all_tasks()
    stream = ActivityStream(Server.of(kafka), group="unsent")
    async with stream.running():
        pushed = occurrence_on(GIT_PUSH, push("unsent/web"))
        assert pushed is not None
        await stream._know_partitions()
        for partition, table in itertools.product(range(4), stream.tables.values()):
            table.count(GIT_PUSH, partition, {1_000_000: pushed})
        await stream.app.crash(RuntimeError("a part of Faust failed"))
        with pytest.raises(RuntimeError, match="a part of Faust failed"):
            await stream.until_ended()

    await until(lambda: not asyncio.all_tasks() - before, "the end of all tasks")
