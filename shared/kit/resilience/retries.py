"""Repeats work until what it needs is there: the one form of retry in the product."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    stop_any,
    stop_before_delay,
    stop_never,
    wait_exponential,
)
from tenacity.stop import stop_base
from tenacity.wait import wait_base, wait_combine, wait_random

from shared.contracts.errors import Unavailable

T = TypeVar("T")
#: Hears of each failure, and how many seconds pass before the next attempt.
Note = Callable[[Exception, float], Awaitable[None] | None]
#: The failures that pass: their classes, or whether one passes.
Passing = tuple[type[Exception], ...] | Callable[[BaseException], bool]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses in seconds between attempts: `first`, doubled each time up to `longest`.

    Without `attempts` and `within` (seconds for all attempts) the work is repeated for
    ever. `spread` adds up to so many seconds at random, so that several processes do
    not repeat in step.
    """

    first: float
    longest: float
    attempts: int | None = None
    within: float | None = None
    spread: float = 0.0

    @classmethod
    def every(cls, seconds: float) -> "Backoff":
        """The same pause each time, for ever."""
        return cls(seconds, seconds)

    def stop(self) -> stop_base:
        """When no further attempt is made."""
        attempts = stop_after_attempt(self.attempts) if self.attempts else stop_never
        within = stop_before_delay(self.within) if self.within else stop_never
        return stop_any(attempts, within)

    def wait(self) -> wait_base:
        """How long to pause before the next attempt."""
        pause = wait_exponential(multiplier=self.first, max=self.longest)
        return wait_combine(pause, wait_random(0, self.spread))


async def retry(
    work: Callable[[], Awaitable[T]],
    backoff: Backoff,
    *,
    on: Passing = (Unavailable,),
    note: Note | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """What `work` returns, repeated while it raises what passes (`on`).

    `sleep` may end early, or raise to give up.

    Raises:
        Exception: what the last attempt raised, and at once what does not pass.
    """

    async def attempt() -> T:
        return await work()

    async def before_sleep(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if note is None or not isinstance(error, Exception):
            return
        noted = note(error, state.upcoming_sleep)
        if noted is not None:
            await noted

    retrying = AsyncRetrying(
        sleep=sleep,
        stop=backoff.stop(),
        wait=backoff.wait(),
        retry=retry_if_exception(on) if callable(on) else retry_if_exception_type(on),
        before_sleep=before_sleep,
        reraise=True,
    )
    return await retrying(attempt)
