"""One clock rule for every lease: whoever watches believes no clock but its own."""

import pytest

from shared.kit.documents import leases
from shared.kit.documents.leases import LeaseWatch
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> LeaseWatch:
    return LeaseWatch(15.0, clock)


def test_a_lease_seen_for_the_first_time_runs(watch: LeaseWatch, clock: Clock) -> None:
    """Since when it has been as it is, nobody knows."""
    assert not watch.is_over("run", 1)
    clock.now += 14.0
    assert not watch.is_over("run", 1)
    clock.now += 2.0
    assert watch.is_over("run", 1)


def test_a_renewed_lease_runs_on(watch: LeaseWatch, clock: Clock) -> None:
    """Any change counts, whatever its holder's clock made of it."""
    for state in (5.0, 3.0, 4.0):
        assert not watch.is_over("run", state)
        clock.now += 14.0
    assert not watch.is_over("run", 4.0)
    clock.now += 2.0
    assert watch.is_over("run", 4.0)


def test_a_new_holder_has_the_whole_time(watch: LeaseWatch, clock: Clock) -> None:
    """A lease that was taken over is not over at once."""
    watch.is_over("run", ("one", 1))
    clock.now += 16.0
    assert watch.is_over("run", ("one", 1))
    assert not watch.is_over("run", ("two", 1))


def test_leases_are_watched_one_by_one(watch: LeaseWatch, clock: Clock) -> None:
    """That one is over says nothing about another."""
    watch.is_over("old", 1)
    clock.now += 16.0
    assert not watch.is_over("young", 1)
    assert watch.is_over("old", 1)


def test_a_watch_does_not_grow_for_ever(
    watch: LeaseWatch, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that nobody asks about any more are forgotten first."""
    monkeypatch.setattr(leases, "WATCHED_LEASES", 2)
    for name in ("a", "b", "a", "c"):
        watch.is_over(name, 1)
    assert set(watch._states) == {"a", "c"}
