"""Whole numbers in texts: any text is a number within the limit, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.guards.numbers import whole_number


@pytest.mark.parametrize(
    "text", ["", "²", "٣", "-1", "+1", "1_0", " 1", "1.0", "x", "1" * 5000, "1001"]
)
def test_texts_that_are_no_digits_are_no_number(text: str) -> None:
    """Nothing is raised, also where `str.isdigit` says yes and `int` refuses."""
    assert whole_number(text, limit=1000) is None


@given(st.integers(0, 1000))
def test_digits_are_a_number_up_to_the_limit(number: int) -> None:
    """The limit itself included."""
    assert whole_number(str(number), limit=1000) == number


@given(st.text())
def test_any_text_is_a_number_or_none(text: str) -> None:
    """A foreign text is a number, or None."""
    number = whole_number(text, limit=10**6)
    assert number is None or 0 <= number <= 10**6
