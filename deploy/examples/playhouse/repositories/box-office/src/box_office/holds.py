"""Holds: who may keep which seats, and for how long."""

from datetime import datetime, timedelta

HOLD = timedelta(minutes=8)
MOST_SEATS = 9


def until(now: datetime) -> datetime:
    """When a hold made now runs out."""
    return now + HOLD


def allowed(seats: list[str], holds_of_visitor: int) -> bool:
    """Rules 2 and 3; the database answers for rule 1, the seat map for rule 4."""
    return 0 < len(seats) <= MOST_SEATS and holds_of_visitor < 2
