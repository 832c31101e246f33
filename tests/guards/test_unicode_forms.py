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
def test_the_form_is_unicodes(text: str) -> None:
    """Sorting long rows of marks beforehand changes nothing about what comes out."""
    assert composed(text) == unicodedata.normalize("NFC", text)
    assert is_composed(composed(text))


@settings(deadline=None)
@given(st.text(ODD[-13:-2], min_size=31, max_size=200))
def test_the_form_of_long_rows_is_unicodes(marks: str) -> None:
    """Nothing but marks, so that the rows are as long as those that are sorted."""
    assert composed(f"a{marks}") == unicodedata.normalize("NFC", f"a{marks}")


@pytest.mark.parametrize("text", ROWS)
def test_marks_out_of_order_cost_no_more_than_their_number(text: str) -> None:
    """Exchanging so many neighbours one by one would take minutes."""
    with limit_processor_time(10):
        assert is_composed(composed(text))


def test_only_one_character_is_taken_apart() -> None:
    """A whole text would be put in order by exchanging."""
    assert decomposed("ﬁ") == "fi"
    with pytest.raises(ValueError, match="one character"):
        decomposed(ROWS[0])


def test_paths_are_compared_in_unicodes_form() -> None:
    """Two spellings of one name are one file where the disk takes them for one."""
    spellings = [ForeignEntry("a\u0323\u0301.md"), ForeignEntry("a\u0301\u0323.md")]
    with pytest.raises(Invalid, match="one name"):
        check_entries(spellings, TreeLimits(), folds_case=True)
