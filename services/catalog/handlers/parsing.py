"""Reads files that strangers wrote: short ones in a thread, long ones in a process.

A thread computes a long time without a pause that the loop could use; a process does
not hold anybody up, and is ended when it takes too long.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from shared.guards.workers import run_beside, run_bounded

Result = TypeVar("Result")
#: Bytes that are read in about 50 ms.
SHORT = 64 * 1024
SECONDS = 30.0
MEMORY = 1536 * 1024 * 1024


async def compute(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function with a file, or with what was read from one.

    Raises:
        BudgetExceeded: if a long file takes too much time or memory.
        CallboardError: what the function raises.
    """
    if sum(map(_size_of, arguments)) <= SHORT:
        return await run_beside(function, *arguments)
    return await run_bounded(
        function, *arguments, seconds=SECONDS, memory=MEMORY, label="the file"
    )


def _size_of(argument: Any) -> int:
    """The bytes of a file, or of several."""
    if isinstance(argument, bytes):
        return len(argument)
    if isinstance(argument, Mapping):
        return sum(map(_size_of, argument.values()))
    return 0
