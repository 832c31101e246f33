"""Work is repeated while what it needs is away, in one way everywhere."""

import asyncio

import pytest

from shared.contracts.errors import Conflict, Unavailable
from shared.kit.resilience.retries import Backoff, retry


class Work:
    """Raises the failures that it was given, one an attempt, then returns a value."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures = list(failures)
        self.attempts = 0

    async def __call__(self) -> str:
        self.attempts += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


class Pauses:
    """Notes pauses instead of pausing."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def test_pauses_double_up_to_the_longest() -> None:
    """A server that is away for long is called seldom; the result is returned."""
    work, pauses = Work(*(Unavailable("away") for _ in range(5))), Pauses()
    backoff = Backoff(first=0.1, longest=0.5)
    assert await retry(work, backoff, sleep=pauses) == "done"
    assert pauses.seconds == pytest.approx([0.1, 0.2, 0.4, 0.5, 0.5])


async def test_the_last_error_is_raised_unchanged() -> None:
    """After the last attempt the caller gets the work's own error."""
    work, pauses = Work(*(Unavailable(f"away {n}") for n in range(5))), Pauses()
    with pytest.raises(Unavailable, match="away 2"):
        await retry(work, Backoff(0.1, 1.0, attempts=3), sleep=pauses)
    assert work.attempts == 3
    assert len(pauses.seconds) == 2


async def test_no_attempt_begins_after_the_deadline() -> None:
    """A pause that would end too late is not begun."""
    work, pauses = Work(Unavailable("away"), Unavailable("still away")), Pauses()
    with pytest.raises(Unavailable, match=r"^away$"):
        await retry(work, Backoff(60.0, 60.0, within=1.0), sleep=pauses)
    assert not pauses.seconds


async def test_permanent_errors_are_raised_at_once() -> None:
    """Programming errors and cancellations are not retried."""
    for failure in (Conflict("taken"), asyncio.CancelledError()):
        work = Work(failure)
        with pytest.raises(type(failure)):
            await retry(work, Backoff.every(60.0))
        assert work.attempts == 1


async def test_a_function_may_decide_whether_to_retry() -> None:
    """It decides where the class of an error is not enough."""
    work, pauses = Work(OSError("once"), OSError("twice")), Pauses()
    with pytest.raises(OSError, match="twice"):
        await retry(work, Backoff.every(1), on=lambda e: str(e) == "once", sleep=pauses)
    assert pauses.seconds == [1]


async def test_each_failure_is_reported_before_its_pause() -> None:
    """The caller gets the error and the time of the next attempt."""
    noted: list[tuple[str, float]] = []

    async def note(error: Exception, seconds: float) -> None:
        noted.append((str(error), seconds))

    work, pauses = Work(Unavailable("a"), Unavailable("b")), Pauses()
    await retry(work, Backoff(1, 8), note=note, sleep=pauses)
    assert noted == [("a", 1), ("b", 2)]


async def test_pauses_are_spread_between_processes() -> None:
    """With a spread the pauses of two processes differ, by no more than that."""
    pauses = Pauses()
    for _ in range(20):
        work = Work(Unavailable("away"))
        await retry(work, Backoff(1.0, 1.0, spread=0.5), sleep=pauses)
    assert len(set(pauses.seconds)) > 1
    assert all(1.0 <= seconds <= 1.5 for seconds in pauses.seconds)


async def test_a_cancellation_ends_a_pause() -> None:
    """Stopping a process does not wait for a pause of an hour."""
    work = Work(Unavailable("away"))
    task = asyncio.create_task(retry(work, Backoff.every(3600.0)))
    while not work.attempts:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
