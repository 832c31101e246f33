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


def test_failures_in_a_row_open_the_breaker(breaker: CircuitBreaker) -> None:
    """A success between them resets the count."""
    fail(breaker, 2)
    succeed(breaker)
    fail(breaker, 2)
    assert not breaker.is_open
    fail(breaker)
    assert breaker.is_open
    assert refused(breaker)


def test_an_open_breaker_repeats_the_reason_and_retry_time(
    breaker: CircuitBreaker,
) -> None:
    """Its error is the same as that of the slow failure."""
    fail(breaker, 3)
    with pytest.raises(Unavailable, match="away") as error_info, breaker.call():
        pass
    assert error_info.value.retry_after == 1


def test_one_probe_runs_after_the_pause(breaker: CircuitBreaker, clock: Clock) -> None:
    """All other calls are refused until the probe has a result."""
    fail(breaker, 3)
    clock.now += 1.1
    with breaker.call():
        assert refused(breaker)
    assert not breaker.is_open
    assert not refused(breaker)


def test_several_calls_may_be_probes(clock: Clock) -> None:
    """Calls that belong together are let through together, until one fails."""
    breaker = CircuitBreaker(failures=1, rest_seconds=1, trials=2, clock=clock)
    fail(breaker)
    clock.now += 1.1
    with breaker.call(), breaker.call():
        assert refused(breaker)
    assert not breaker.is_open
    fail(breaker)
    clock.now += 1.1
    fail(breaker)
    assert refused(breaker)


def test_a_failed_probe_starts_another_pause(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """The next call may try after that."""
    fail(breaker, 3)
    clock.now += 1.1
    fail(breaker)
    assert refused(breaker)
    clock.now += 1.1
    succeed(breaker)
    assert not breaker.is_open


def test_a_cancelled_probe_has_no_result(breaker: CircuitBreaker, clock: Clock) -> None:
    """The next call is the probe then."""
    fail(breaker, 3)
    clock.now += 1.1
    with pytest.raises(asyncio.CancelledError), breaker.call():
        raise asyncio.CancelledError
    assert breaker.is_open
    succeed(breaker)
    assert not breaker.is_open


def test_a_late_success_closes_the_breaker(breaker: CircuitBreaker) -> None:
    """A response to an earlier call is newer than the failures."""
    with breaker.call():
        fail(breaker, 3)
        assert breaker.is_open
    assert not breaker.is_open


def test_an_error_response_closes_the_breaker(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """A server that answers "not found" is available."""
    fail(breaker, 3)
    clock.now += 1.1
    with pytest.raises(NotFound), breaker.call():
        raise NotFound("no such index")
    assert not breaker.is_open


def test_a_hanging_probe_allows_another_one(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """One call in each pause: a long one does not keep the breaker open."""
    fail(breaker, 3)
    clock.now += 1.1
    with breaker.call():
        clock.now += 1.1
        succeed(breaker)
        assert not breaker.is_open


def test_opening_and_closing_are_reported_once() -> None:
    """The owner is told of a change and its reason, not of every failure."""
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
