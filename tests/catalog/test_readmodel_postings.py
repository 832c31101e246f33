"""Postings are sets, whichever of their three forms they take."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from services.catalog.readmodel.postings import (
    SMALL,
    Posting,
    added,
    bitmap,
    cardinality,
    frozen_copy,
    members,
    removed,
    union,
)

IDS = st.integers(0, 2 * SMALL)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), IDS), max_size=60), st.sets(IDS))
def test_a_posting_behaves_like_a_set(
    steps: list[tuple[bool, int]], within: set[int]
) -> None:
    """After any additions and removals it has the items that a set would have."""
    posting: Posting | None = None
    expected: set[int] = set()
    for adding, entity in steps:
        if adding:
            posting = added(posting, entity)
            expected.add(entity)
        else:
            posting = removed(posting, entity)
            expected.discard(entity)
        assert (posting is None) == (not expected)
    assert set(members(posting)) == expected
    assert bitmap(posting) == BitMap(expected)
    assert union((posting, None)) == BitMap(expected)
    if posting is not None:
        assert cardinality(posting, None) == len(expected)
        assert cardinality(posting, BitMap(within)) == len(expected & within)


@pytest.mark.parametrize("count", [1, 2, SMALL + 1])
def test_a_copy_of_a_posting_is_independent(count: int) -> None:
    """A copy is not changed by changes of the original."""
    posting: Posting | None = None
    for entity in range(count):
        posting = added(posting, entity)
    assert posting is not None
    copy = frozen_copy(posting)
    added(posting, 99)
    assert set(members(copy)) == set(range(count))
