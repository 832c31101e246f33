"""How long a start is waited for."""

from deploy.cli.starting import ProgressTimeout


def test_a_start_with_progress_is_waited_for() -> None:
    """Every new state restarts the time limit."""
    now = [0.0]
    patience = ProgressTimeout(60, lambda: now[0])
    for count in range(10):
        now[0] += 50
        assert not patience.is_over(("catalog loaded", f"{count},000 entities so far"))


def test_a_start_without_progress_times_out() -> None:
    """The same state for too long ends it, and so does going back and forth."""
    now = [0.0]
    patience = ProgressTimeout(60, lambda: now[0])
    assert not patience.is_over("away")
    assert not patience.is_over("reading")
    now[0] += 40
    assert not patience.is_over("away")
    now[0] += 40
    assert patience.is_over("reading")
