"""Limits the processor time of one reading of a root, so that no source delays others.

A reading that has used more than a little processor time takes its further steps one at
a time, in turn with other long readings, so that short readings never wait for them.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from services.catalog.handlers.parsing import compute
from shared.guards.budgets import BudgetExceeded

#: Processor time of one reading of a root.
READING_SECONDS = 60.0
#: What a reading may take before it waits for others that took as much.
QUICK_SECONDS = 2.0
#: How long the scan leaves out a root that was too expensive: at first, and at most.
FIRST_REST = 600.0
LONGEST_REST = 6 * 3600.0


class Effort:
    """The processor time that the steps of one reading take together.

    `label` names the source in errors. `turns` is shared by all readings.
    """

    def __init__(
        self, label: str, turns: asyncio.Lock, *, seconds: float = READING_SECONDS
    ) -> None:
        self._label = label
        self._turns = turns
        self._seconds = seconds
        # Threads that compute take the interpreter from the loop: one at a time.
        self._lock = asyncio.Lock()
        self.spent = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self.spent >= self._seconds

    def check(self) -> None:
        """Raise BudgetExceeded if nothing is left."""
        if self.is_over:
            raise BudgetExceeded(
                f"{self._label}: its reading takes over {self._seconds:g} s of work; "
                "name fewer or smaller files, or divide it among several locations"
            )

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function with a file, as `parsing.compute`, and count what it takes.

        Raises:
            BudgetExceeded: if nothing is left, or this takes too much.
            CallboardError: what the function raises.
        """
        async with self._lock:
            if self.spent < QUICK_SECONDS:
                return await self._step(function, arguments)
            async with self._turns:
                return await self._step(function, arguments)

    async def _step(self, function: Callable[..., Any], arguments: Any) -> Any:
        self.check()
        is_long = self.spent >= QUICK_SECONDS
        seconds_left = self._seconds - self.spent
        return await compute(
            function,
            *arguments,
            spend=self._spend,
            is_long=is_long,
            seconds_left=seconds_left,
        )

    def _spend(self, seconds: float) -> None:
        self.spent += seconds


class RestingRoots:
    """Roots whose last reading was too expensive: the scan leaves them out for a while.

    A push or a refresh reads them all the same.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._resting: dict[str, tuple[float, float]] = {}

    def note(self, root: str, effort: Effort) -> None:
        """Note the end of a reading; an expensive root rests longer each time."""
        if not effort.is_over:
            self._resting.pop(root, None)
            return
        last, _ = self._resting.get(root, (FIRST_REST / 2, 0.0))
        rest = min(last * 2, LONGEST_REST)
        self._resting[root] = rest, self._clock() + rest

    def is_resting(self, root: str) -> bool:
        """Whether the scan leaves a root out now."""
        _, until = self._resting.get(root, (0.0, 0.0))
        return self._clock() < until
