"""Work beside the loop: bounded in time and memory, ended when nobody waits."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from shared.contracts.errors import Invalid, NotFound
from shared.guards import workers
from shared.guards.budgets import BudgetExceeded
from shared.guards.schemas import NotASchema
from shared.guards.workers import WorkOptions, run_beside, run_bounded
from tests.waiting import until


def add(one: int, other: int) -> int:
    return one + other


def process_id(*_: object) -> int:
    return os.getpid()


def spin() -> None:
    while True:
        pass


def burn_until(started: str, end: str) -> bool:
    """Say that the work has begun, and work until a file says that it may end."""
    Path(started).touch()
    while not Path(end).exists():
        pass
    return True


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def hoard() -> int:
    return len([bytes(1_000_000) for _ in range(10_000)])


def refuse(message: str) -> None:
    raise NotFound(message)


def break_schema() -> None:
    raise NotASchema("5 is none")


def crash() -> None:
    os.abort()


def fail() -> None:
    raise KeyError("x")


def numbers(count: int) -> list[int]:
    print("not an answer")
    return list(range(count))


async def test_a_function_runs_in_another_process() -> None:
    """Values and lists are returned; one process serves one call after another."""
    assert await run_bounded(add, 2, 3) == 5
    assert await run_bounded(numbers, 5) == [0, 1, 2, 3, 4]
    first = await run_bounded(process_id)
    assert first != os.getpid()
    assert await run_bounded(process_id, b"x" * 5_000_000) == first


async def test_errors_are_raised_in_the_callers_process() -> None:
    """Domain errors as they are; unexpected errors with their name."""
    with pytest.raises(NotFound, match=r"^no such page$"):
        await run_bounded(refuse, "no such page")
    with pytest.raises(NotASchema, match=r"^schema: it is no JSON Schema: 5 is none$"):
        await run_bounded(break_schema)
    with pytest.raises(RuntimeError, match="page: KeyError"):
        await run_bounded(fail, label="page")


@pytest.mark.parametrize("function", [spin, hoard, crash])
async def test_a_worker_over_its_limits_is_killed(function: object) -> None:
    """Time, memory, a crash: the caller gets an error, the next one a new process."""
    limits = {"seconds": 1.0, "memory": 400 * 1024 * 1024}
    with pytest.raises(BudgetExceeded, match="page: takes too"):
        await run_bounded(function, **limits, label="page")  # type: ignore[arg-type]
    assert await run_bounded(add, 1, 1) == 2


async def test_a_cancelled_call_kills_its_worker() -> None:
    """Its process ends at once; calls that wait for their turn never begin."""
    process = await run_bounded(process_id)
    running = asyncio.ensure_future(run_bounded(spin, seconds=600))
    waiting = asyncio.ensure_future(run_bounded(spin, seconds=600))
    lane = workers._quick.thread._work_queue
    await until(lambda: lane.qsize() == 1, condition="one works and one waits")
    async with asyncio.timeout(100):
        for task in (waiting, running):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert await run_bounded(add, 1, 2) == 3


async def test_quick_calls_do_not_wait_for_long_ones() -> None:
    """Each has a process of its own, and reports its duration."""
    spent: list[float] = []
    options = WorkOptions(is_long=True, spend=spent.append)
    long = asyncio.ensure_future(run_bounded(spin, seconds=600, options=options))
    lane = workers._long
    await until(lambda: lane.process._process is not None, condition="it begins")
    assert await run_bounded(add, 1, 2, options=WorkOptions(spend=spent.append)) == 3
    assert not long.done()
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    spent.clear()
    with pytest.raises(BudgetExceeded):
        await run_bounded(spin, seconds=1.0, options=options)
    assert spent == [1.0]
    assert await run_bounded(burn, 0.2, options=options) is None
    assert 0.2 <= spent[1] < 10


async def test_an_idle_worker_ends_and_is_replaced() -> None:
    """An idle process keeps no memory, and callers notice nothing."""
    first = await run_bounded(process_id)
    # As if it had waited for its half minute.
    process = workers._quick.process._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
    assert process.returncode == 0
    assert await run_bounded(process_id) != first


def test_an_idle_worker_ends_by_its_own_timer() -> None:
    """No timer of the parent is needed."""
    code = (
        "from shared.guards import worker_process; "
        "worker_process.IDLE_SECONDS = 0.01; worker_process.main(); raise SystemExit(7)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert process.wait(60) == 7
    assert process.stdin is not None
    process.stdin.close()


async def test_the_event_loop_runs_beside_the_workers(tmp_path: Path) -> None:
    """While both workers are busy, the loop runs and can end their calls."""
    started, end = tmp_path / "begun", tmp_path / "end"
    work = asyncio.ensure_future(
        run_bounded(burn_until, str(started), str(end), seconds=60)
    )
    await until(started.exists, "the work begins")
    assert not work.done()
    end.touch()
    assert await work
    has_turn = threading.Event()
    work = asyncio.ensure_future(run_beside(has_turn.wait, 60))
    await asyncio.sleep(0)
    has_turn.set()
    assert await work
    assert await run_beside(add, 1, other=2) == 3
    with pytest.raises(Invalid):
        await run_beside(_raise)


def _raise() -> None:
    raise Invalid("no")
