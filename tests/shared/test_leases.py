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


def test_a_lease_is_valid_when_first_observed(watch: LeaseWatch, clock: Clock) -> None:
    """Its last renewal is unknown then."""
    assert not watch.is_over("run", 1)
    clock.now += 14.0
    assert not watch.is_over("run", 1)
    clock.now += 2.0
    assert watch.is_over("run", 1)


def test_a_renewed_lease_stays_valid(watch: LeaseWatch, clock: Clock) -> None:
    """Any change counts, whatever the holder's clock says."""
    for state in (5.0, 3.0, 4.0):
        assert not watch.is_over("run", state)
        clock.now += 14.0
    assert not watch.is_over("run", 4.0)
    clock.now += 2.0
    assert watch.is_over("run", 4.0)


def test_a_new_holder_gets_the_full_duration(watch: LeaseWatch, clock: Clock) -> None:
    """A lease that was taken over does not expire at once."""
    watch.is_over("run", ("one", 1))
    clock.now += 16.0
    assert watch.is_over("run", ("one", 1))
    assert not watch.is_over("run", ("two", 1))


def test_leases_expire_independently(watch: LeaseWatch, clock: Clock) -> None:
    """The expiry of one lease says nothing about another."""
    watch.is_over("old", 1)
    clock.now += 16.0
    assert not watch.is_over("young", 1)
    assert watch.is_over("old", 1)


def test_the_number_of_observed_leases_is_limited(
    watch: LeaseWatch, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases that are no longer checked are forgotten first."""
    monkeypatch.setattr(leases, "WATCHED_LEASES", 2)
    for name in ("a", "b", "a", "c"):
        watch.is_over(name, 1)
    assert set(watch._states) == {"a", "c"}
