"""One text is looked for in another: as Python does it, but never at length."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.guards import text_search
from tests.costs import limit_processor_time

#: The bound is some fifty times what a search takes.
SECONDS = 0.25
LONG = 1_000_000
#: Few letters, so that much of one text is in the other; the filling is among them.
LETTERS = st.text("ab\0", max_size=40)
PADDINGS = [0, 1, 1_500, LONG // 3, LONG // 2, LONG - 2_000, LONG - 1_001, LONG - 10]


@pytest.fixture(scope="module")
def _everything_is_long() -> Iterator[None]:
    """Also short texts are looked for as long ones are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_search, "_SHORT", 1)
        yield


@pytest.mark.usefixtures("_everything_is_long")
@given(LETTERS, LETTERS, st.integers(0, 45))
def test_search_positions_equal_pythons(text: str, searched: str, at: int) -> None:
    """From either end and from any position."""
    assert text_search.find_first(text, searched, at) == text.find(searched, at)
    assert text_search.find_last(text, searched, at) == text.rfind(searched, 0, at)
    assert text_search.count(text, searched) == text.count(searched)


@pytest.mark.usefixtures("_everything_is_long")
@given(LETTERS, st.text("ab\0", min_size=1, max_size=4), st.integers(-1, 5))
def test_split_and_replace_equal_pythons(text: str, searched: str, most: int) -> None:
    """Also with a maximum count."""
    assert text_search.split(text, searched) == text.split(searched)
    assert text_search.replace(text, searched, "-", most) == text.replace(
        searched, "-", most
    )


@pytest.mark.parametrize("letter", ["a", "ø", "漢", "\U0001f600"])
@pytest.mark.parametrize("padding", PADDINGS)
def test_searches_take_linear_time(letter: str, padding: int) -> None:
    """For a text of one letter, and a term that differs in one letter."""
    text = letter * LONG
    half = letter * (padding // 2)
    for searched in (f"b{half}{half}", f"{half}b{half}", f"{half}{half}b", half):
        for other in (searched, f"{letter}{searched}", f"{searched}{letter}"):
            with limit_processor_time(SECONDS):
                text_search.find_first(text, other)
            with limit_processor_time(SECONDS):
                text_search.find_last(text, other, LONG)
