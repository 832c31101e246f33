"""Computes with foreign files: with short ones in a thread, long ones in a process.

A thread that computes for long leaves the loop no time; a process does not delay the
loop, and is killed when it takes too long.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from shared.guards.workers import WorkOptions, run_beside, run_bounded

Result = TypeVar("Result")
#: Bytes that are read in about 50 ms.
SHORT = 64 * 1024
#: Bytes that are read in about a second: longer ones wait for each other.
MEDIUM = 1024 * 1024
QUICK_SECONDS = 10.0
SECONDS = 30.0
MEMORY = 1536 * 1024 * 1024


async def compute(
    function: Callable[..., Result],
    *arguments: Any,
    spend: Callable[[float], None] | None = None,
    is_long: bool = False,
    seconds_left: float = SECONDS,
) -> Result:
    """Call a function with a file, or with what was read from one.

    Args:
        function: A function of a module.
        arguments: What it is called with.
        spend: Called with the processor time that it took.
        is_long: Whether it waits for its turn among long work, whatever its size.
        seconds_left: Processor time that it may take, if that is less than usual.

    Raises:
        BudgetExceeded: if a long file takes too much time or memory.
        CallboardError: what the function raises.
    """
    size = sum(map(_size_of, arguments))
    if size <= SHORT:
        return await run_beside(_measured, function, arguments, spend)
    seconds = SECONDS if is_long or size > MEDIUM else QUICK_SECONDS
    return await run_bounded(
        function,
        *arguments,
        seconds=min(seconds, max(seconds_left, 1.0)),
        memory=MEMORY,
        label="the file",
        options=WorkOptions(is_long=seconds == SECONDS, spend=spend),
    )


def _measured(
    function: Callable[..., Result],
    arguments: Any,
    spend: Callable[[float], None] | None,
) -> Result:
    start_seconds = time.thread_time()
    try:
        return function(*arguments)
    finally:
        if spend is not None:
            spend(time.thread_time() - start_seconds)


def _size_of(argument: Any) -> int:
    """The bytes of a file, or of several."""
    if isinstance(argument, bytes):
        return len(argument)
    if isinstance(argument, Mapping):
        return sum(map(_size_of, argument.values()))
    return 0
