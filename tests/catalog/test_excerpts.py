"""Excerpts of two texts: where they differ, in linear time."""

import time

from hypothesis import given
from hypothesis import strategies as st

from services.catalog.ingest.excerpts import MOST_CHARACTERS, MOST_LINES, excerpts
from tests.costs import slowness

LINES = st.lists(st.sampled_from(["a", "b", "c: d"]), max_size=30)


@given(before=LINES, after=LINES)
def test_texts_are_equal_outside_the_excerpt(
    before: list[str], after: list[str]
) -> None:
    """What an excerpt leaves out is the same in both texts, at both ends."""
    old, new = excerpts("\n".join(before), "\n".join(after))
    first, second = "\n".join(before).splitlines(), "\n".join(after).splitlines()
    if first == second:
        return
    left, right = old.splitlines(), new.splitlines()
    rest = len(first) - len(left)
    assert rest == len(second) - len(right)
    assert any(
        first[:n] == second[:n]
        and first[len(left) + n :] == second[len(right) + n :]
        and first[n : n + len(left)] == left
        and second[n : n + len(right)] == right
        for n in range(rest + 1)
    )


def test_the_excerpt_of_a_whole_new_text_is_cut() -> None:
    """Two different texts of five megabytes: the excerpt is short and fast."""
    start = time.process_time()
    old, new = excerpts("one\n" * 1_000_000, "other line\n" * 400_000)
    assert time.process_time() - start < 5 * slowness()
    for text in (old, new):
        assert len(text) <= MOST_CHARACTERS + 100
        assert len(text.splitlines()) <= MOST_LINES + 1
        assert "lines more" in text
