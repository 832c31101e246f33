"""The breaker alone, with a clock of its own."""

import asyncio
import contextlib

import pytest

from services.gateway.policy.breaker import OPEN, Breaker
from shared.contracts.errors import Unavailable


class Clock:
    """A time that only tests move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, rest_seconds=1, clock=clock)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Unavailable), breaker.asking():
            raise Unavailable("away")


def succeed(breaker: Breaker) -> None:
    with breaker.asking():
        pass


def refused(breaker: Breaker) -> bool:
    """Whether a question is refused without being asked."""
    asked = False
    with contextlib.suppress(Unavailable, ValueError), breaker.asking():
        asked = True
        int("")  # the question ends in a way that says nothing about the server
    return not asked


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    """A success between them starts the count anew."""
    fail(breaker, 2)
    succeed(breaker)
    fail(breaker, 2)
    assert not breaker.is_open
    fail(breaker)
    assert breaker.is_open
    assert refused(breaker)


def test_the_fast_no_tells_the_reason_and_when_to_try_again(breaker: Breaker) -> None:
    """As the slow one did."""
    fail(breaker, 3)
    with pytest.raises(Unavailable, match="away") as told, breaker.asking():
        pass
    assert told.value.retry_after == 1


def test_after_the_rest_one_question_finds_out(breaker: Breaker, clock: Clock) -> None:
    """All others are refused until it knows."""
    fail(breaker, 3)
    clock.now += 1.1
    with breaker.asking():
        assert refused(breaker)
    assert not breaker.is_open
    assert not refused(breaker)


def test_a_failed_probe_rests_again(breaker: Breaker, clock: Clock) -> None:
    """And the next may try after that."""
    fail(breaker, 3)
    clock.now += 1.1
    fail(breaker)
    assert refused(breaker)
    clock.now += 1.1
    succeed(breaker)
    assert not breaker.is_open


def test_a_probe_whose_client_left_says_nothing(breaker: Breaker, clock: Clock) -> None:
    """The next question is the probe then."""
    fail(breaker, 3)
    clock.now += 1.1
    with pytest.raises(asyncio.CancelledError), breaker.asking():
        raise asyncio.CancelledError
    assert breaker.is_open
    succeed(breaker)
    assert not breaker.is_open


def test_an_answer_that_was_under_way_closes_it(breaker: Breaker) -> None:
    """It is newer than the failures."""
    with breaker.asking():
        fail(breaker, 3)
        assert breaker.is_open
    assert not breaker.is_open


def test_the_metric_says_whether_it_is_open(breaker: Breaker) -> None:
    """An alert is on it."""
    fail(breaker, 3)
    assert OPEN._value.get() == 1
    breaker._resting_until = 0
    succeed(breaker)
    assert OPEN._value.get() == 0
