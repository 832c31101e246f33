"""One form of a text for comparing, and where its letters are written."""

import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.folding import folded, folded_places
from tests.costs import limit_processor_time

#: Letters that become several, none, or one with their neighbours.
ODD = "aßÆﬁœŁ\u0301\u0308\u3099かﾊﾞ가\u1112\u1161\u11ab\u00adéİΐ①㌀ทุ่ि"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Øystein Bjørnsen", "OYSTEIN BJORNSEN"),
        ("Łukasz", "lukasz"),
        ("Straße", "STRASSE"),
        ("Ærø, Œuvre, Þór, Ðe", "aero, oeuvre, thor, de"),
        ("ıI İi", "ii ii"),
        ("Ελλάς", "ΕΛΛΑΣ"),
        ("ﬁﬂ Ｆｕｌｌ", "fifl full"),
        ("ﾊﾞｽ", "バス"),
        ("ハ\u3099ス", "バス"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"),
        ("٢٠٢٤", "2024"),
        ("Ångström", "A\u030angstro\u0308m"),
        ("soft\u00adhyphen", "softhyphen"),
    ],
)
def test_equivalent_texts_fold_to_one_form(one: str, other: str) -> None:
    """Spellings that people take for one word have one form."""
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"), [("バス", "パス"), ("हि", "ह"), ("กา", "ก่า")]
)
def test_marks_that_distinguish_letters_stay(one: str, other: str) -> None:
    """Without these marks the words would be other words."""
    assert folded(one) != folded(other)


def test_folding_is_idempotent() -> None:
    """For every character there is."""
    for code in range(0, sys.maxunicode + 1, 7):
        char = chr(code)
        if unicodedata.category(char) not in ("Cs", "Cn", "Co"):
            assert folded(folded(char)) == folded(char)


@settings(deadline=None)
@given(st.text(max_size=40) | st.text(ODD, max_size=20))
def test_folded_letters_keep_their_original_positions(text: str) -> None:
    """The same letters as `folded` has, each with its position, in order."""
    plain, places = folded_places(text)
    assert plain == folded(text)
    assert folded(plain) == plain
    if places is None:
        assert len(plain) == len(text)
        return
    assert len(places) == len(plain)
    assert all(0 <= first < last <= len(text) for first, last in places)
    assert places == sorted(places)


@pytest.mark.parametrize("fold", [folded, folded_places])
@pytest.mark.parametrize("marks", ["\u0e48" * 50 + "\u0e38" * 50, "\u3099\u0e48" * 50])
def test_long_rows_of_marks_are_folded_fast(
    fold: Callable[[str], object], marks: str
) -> None:
    """A letter with 200,000 marks, in the worst order, takes little time."""
    half = len(marks) // 2
    with limit_processor_time(10):
        fold("ก" + marks[:half] * 2000 + marks[half:] * 2000)
        fold("ก" + marks * 2000)


@settings(deadline=None)
@given(st.text("\u0e48\u0e38\u3099\u0344\u0f73ก", min_size=31, max_size=120))
def test_positions_of_long_rows_of_marks_stay_within_their_letter(marks: str) -> None:
    """Marks that are sorted keep the positions of their letter."""
    text = f"ab ก{marks} cd"
    plain, places = folded_places(text)
    assert plain == folded(text) == folded(plain)
    end = len(text)
    assert places is None or places[-2:] == [(end - 2, end - 1), (end - 1, end)]
