"""Refunds: what may be given back, and under which key."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Payment:
    id: str
    captured: int
    refunded: int = 0


def refundable(payment: Payment) -> int:
    """What is left of the payment, in the smallest unit of its currency."""
    return payment.captured - payment.refunded


def cancellation_key(performance: str, payment: str) -> str:
    """The same for every attempt, so that a house is refunded once."""
    return f"cancelled:{performance}:{payment}"
