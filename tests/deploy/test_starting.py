"""How long a start is waited for."""

from deploy.cli.starting import ProgressTimeout


def test_a_start_that_moves_is_waited_for() -> None:
    """Every new state begins the time anew, however long it takes in all."""
    now = [0.0]
    patience = ProgressTimeout(60, lambda: now[0])
    for count in range(10):
        now[0] += 50
        assert not patience.is_over(("catalog loaded", f"{count},000 entities so far"))


def test_a_start_that_stands_still_is_given_up() -> None:
    """The same state for too long is the end, and so is going back and forth."""
    now = [0.0]
    patience = ProgressTimeout(60, lambda: now[0])
    assert not patience.is_over("away")
    assert not patience.is_over("reading")
    now[0] += 40
    assert not patience.is_over("away")
    now[0] += 40
    assert patience.is_over("reading")
