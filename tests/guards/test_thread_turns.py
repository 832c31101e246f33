"""Work of several lines beside the event loop: one of them holds up no other."""

import asyncio
import contextlib
import threading

import pytest

from shared.contracts.errors import Invalid
from shared.guards.thread_turns import ThreadTurns
from tests.waiting import until


class Gate:
    """Work that goes on until the gate is opened."""

    def __init__(self) -> None:
        self.started = 0
        self._opened = threading.Event()

    def work(self) -> None:
        self.started += 1
        assert self._opened.wait(30)

    def open(self) -> None:
        self._opened.set()


async def test_a_line_has_one_turn_at_a_time() -> None:
    """What waits keeps its order, and another line has a thread meanwhile."""
    turns, gate, order = ThreadTurns[str](), Gate(), list[int]()
    first = asyncio.create_task(turns.run(["ann"], gate.work))
    rest = [
        asyncio.create_task(turns.run(["ann"], order.append, number))
        for number in range(10)
    ]
    await until(lambda: gate.started, condition="the first piece is under way")
    assert await turns.run(["ben"], sum, [1, 2]) == 3
    assert (order, turns.lengths) == ([], {"ann": 11})
    gate.open()
    await asyncio.gather(first, *rest)
    assert (order, turns.lengths) == (list(range(10)), {})


async def test_the_turn_of_a_cancelled_caller_lasts_as_long_as_its_work() -> None:
    """The caller goes on at once; the line waits until the thread is free."""
    turns, gate, order = ThreadTurns[str](), Gate(), list[str]()
    first = asyncio.create_task(turns.run(["ann"], gate.work))
    await until(lambda: gate.started, condition="the first piece is under way")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(turns.run(["ann"], order.append, "second"))
    await turns.run(["ben"], order.append, "of another")
    assert order == ["of another"]
    gate.open()
    await second
    assert order == ["of another", "second"]


async def test_a_caller_that_leaves_the_line_has_no_turn() -> None:
    """Its work is not done, and who waits behind it moves up."""
    turns, gate, order = ThreadTurns[str](), Gate(), list[str]()
    first = asyncio.create_task(turns.run(["ann"], gate.work))
    second = asyncio.create_task(turns.run(["ann", "all"], order.append, "second"))
    third = asyncio.create_task(turns.run(["ann"], order.append, "third"))
    await until(lambda: gate.started, condition="the first piece is under way")
    second.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await second
    assert (turns.length("ann"), turns.length("all")) == (2, 0)
    gate.open()
    await asyncio.gather(first, third)
    assert order == ["third"]


async def test_an_error_of_work_is_its_callers() -> None:
    """The next piece has its turn."""
    turns = ThreadTurns[str]()

    def fail() -> None:
        raise Invalid("wrong")

    with pytest.raises(Invalid):
        await turns.run(["ann"], fail)
    assert await turns.run(["ann"], len, "four") == 4
