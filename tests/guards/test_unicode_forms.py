"""Normal forms of foreign text: the same as Unicode's, in time that grows in step."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.errors import Invalid
from shared.guards.foreign_trees import ForeignEntry, TreeLimits, check_entries
from shared.guards.unicode_forms import composed, decomposed, is_composed
from tests.costs import limit_processor_time

#: Letters with marks of many classes, marks that stand for several, a row's length of
#: both, and starters that are no letters between them.
ODD = (
    "aé≠ก가か\u0301\u0323\u0344\u0f73\u0f71\u0345\u3099\u0e38\u0e48\u093c\u20d2\u200d!"
)
#: Two marks that go before one another, in each order that makes `normalize` exchange.
MARKS = 150_000
ROWS = [
    "ก" + "\u0e48" * MARKS + "\u0e38" * MARKS,
    "ก" + "\u0e48\u0e38" * MARKS,
    "ก" + "\u0e48\u0e39\u0e38\u0e4b" * MARKS,
    "\u0345\u0344" * MARKS,
    "\u0e48" * MARKS + "\u2026" + "\u0e48" * MARKS + "\u0e38" * MARKS,
    "\u0f74\u0f73" * MARKS,
    "\N{MUSICAL SYMBOL COMBINING STEM}\u0591\u3099" * MARKS,
]


@settings(deadline=None)
@given(st.text(max_size=60) | st.text(ODD, max_size=200))
def test_normalization_equals_unicodes(text: str) -> None:
    """Sorting long rows of marks beforehand does not change the result."""
    assert composed(text) == unicodedata.normalize("NFC", text)
    assert is_composed(composed(text))


@settings(deadline=None)
@given(st.text(ODD[-13:-2], min_size=31, max_size=200))
def test_normalization_of_long_rows_of_marks_equals_unicodes(marks: str) -> None:
    """Texts of marks alone, so that the rows are long enough to be sorted."""
    assert composed(f"a{marks}") == unicodedata.normalize("NFC", f"a{marks}")


@pytest.mark.parametrize("text", ROWS)
def test_rows_of_marks_are_sorted_fast(text: str) -> None:
    """Exchanging so many neighbours one by one would take minutes."""
    with limit_processor_time(10):
        assert is_composed(composed(text))


def test_decomposition_takes_one_character_only() -> None:
    """Decomposing a whole text would sort its marks by exchanging them."""
    assert decomposed("ﬁ") == "fi"
    with pytest.raises(ValueError, match="one character"):
        decomposed(ROWS[0])


def test_paths_are_compared_in_normalized_form() -> None:
    """Two spellings of one name are one file where the disk normalizes names."""
    spellings = [ForeignEntry("a\u0323\u0301.md"), ForeignEntry("a\u0301\u0323.md")]
    with pytest.raises(Invalid, match="one name"):
        check_entries(spellings, TreeLimits(), folds_case=True)
