"""The breaker alone, with a clock of its own."""

import asyncio
import contextlib

import pytest

from shared.contracts.errors import NotFound, Unavailable
from shared.kit.resilience.breaker import CircuitBreaker
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(failures=3, rest_seconds=1, clock=clock)


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Unavailable), breaker.call():
            raise Unavailable("away")


def succeed(breaker: CircuitBreaker) -> None:
    with breaker.call():
        pass


def refused(breaker: CircuitBreaker) -> bool:
    """Whether a question is refused without being asked."""
    is_called = False
    with contextlib.suppress(Unavailable), breaker.call():
        is_called = True
    return not is_called


def test_failures_in_a_row_open_it(breaker: CircuitBreaker) -> None:
    """A success between them starts the count anew."""
    fail(breaker, 2)
    succeed(breaker)
    fail(breaker, 2)
    assert not breaker.is_open
    fail(breaker)
    assert breaker.is_open
    assert refused(breaker)


def test_the_fast_no_tells_the_reason_and_when_to_try_again(
    breaker: CircuitBreaker,
) -> None:
    """As the slow one did."""
    fail(breaker, 3)
    with pytest.raises(Unavailable, match="away") as error_info, breaker.call():
        pass
    assert error_info.value.retry_after == 1


def test_after_the_rest_one_question_finds_out(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """All others are refused until it knows."""
    fail(breaker, 3)
    clock.now += 1.1
    with breaker.call():
        assert refused(breaker)
    assert not breaker.is_open
    assert not refused(breaker)


def test_a_failed_probe_rests_again(breaker: CircuitBreaker, clock: Clock) -> None:
    """And the next may try after that."""
    fail(breaker, 3)
    clock.now += 1.1
    fail(breaker)
    assert refused(breaker)
    clock.now += 1.1
    succeed(breaker)
    assert not breaker.is_open


def test_a_probe_whose_client_left_says_nothing(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """The next question is the probe then."""
    fail(breaker, 3)
    clock.now += 1.1
    with pytest.raises(asyncio.CancelledError), breaker.call():
        raise asyncio.CancelledError
    assert breaker.is_open
    succeed(breaker)
    assert not breaker.is_open


def test_an_answer_that_was_under_way_closes_it(breaker: CircuitBreaker) -> None:
    """It is newer than the failures."""
    with breaker.call():
        fail(breaker, 3)
        assert breaker.is_open
    assert not breaker.is_open


def test_an_error_that_is_an_answer_closes_it(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """A server that answers "not found" is there."""
    fail(breaker, 3)
    clock.now += 1.1
    with pytest.raises(NotFound), breaker.call():
        raise NotFound("no such index")
    assert not breaker.is_open


def test_a_call_that_hangs_lets_another_find_out(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """One call in each rest: a long one does not keep the circuit open."""
    fail(breaker, 3)
    clock.now += 1.1
    with breaker.call():
        clock.now += 1.1
        succeed(breaker)
        assert not breaker.is_open


def test_opening_and_closing_are_told_once() -> None:
    """The owner hears of a change and its reason, not of every failure."""
    changes: list[tuple[bool, str]] = []
    breaker = CircuitBreaker(
        failures=2,
        rest_seconds=0,
        changed=lambda is_open, reason: changes.append((is_open, reason)),
    )
    fail(breaker, 4)
    succeed(breaker)
    succeed(breaker)
    assert changes == [(True, "away"), (False, "away")]
