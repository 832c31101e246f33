"""Sets of entities as small as they can be: an int, a few ids, or a roaring bitmap.

Most values of a catalog (names, uids, titles) belong to one entity only, and most of
the others to a handful; a bitmap costs some 300 bytes before its first member.
"""

from collections.abc import Iterable
from typing import Any

from pyroaring import BitMap

Posting = int | tuple[int, ...] | BitMap

Tables = dict[str, Any]
"""The parts of an index by name, for a snapshot: dictionaries, lists and bitmaps."""

SMALL = 6
"""Ids that are kept in a tuple, in no order; more become a bitmap."""

EMPTY = BitMap()
"""The set of nothing; shared, so never changed."""


def added(posting: Posting | None, entity: int) -> Posting:
    """`posting` with `entity` in it; a bitmap is changed in place."""
    if posting is None:
        return entity
    if isinstance(posting, int):
        return posting if posting == entity else (posting, entity)
    if isinstance(posting, tuple):
        if entity in posting:
            return posting
        grown = (*posting, entity)
        return grown if len(grown) <= SMALL else BitMap(grown)
    posting.add(entity)
    return posting


def removed(posting: Posting | None, entity: int) -> Posting | None:
    """`posting` without `entity`, None when nothing is left."""
    if posting is None or isinstance(posting, int):
        return None if posting == entity else posting
    if isinstance(posting, tuple):
        remaining_ids = tuple(member for member in posting if member != entity)
        return remaining_ids[0] if len(remaining_ids) == 1 else remaining_ids
    posting.discard(entity)
    # Half of what makes a bitmap: one id coming and going must not rebuild it.
    return posting if len(posting) > SMALL // 2 else tuple(posting)


def bitmap(posting: Posting | None) -> BitMap:
    """The posting as a bitmap to read from; it may be shared, so never change it."""
    if isinstance(posting, BitMap):
        return posting
    return EMPTY if posting is None else BitMap(members(posting))


def members(posting: Posting | None) -> tuple[int, ...] | BitMap:
    """The ids in a posting."""
    if posting is None:
        return ()
    return (posting,) if isinstance(posting, int) else posting


def frozen_copy(posting: Posting) -> Posting:
    """The posting as of now, whatever is added to the original later."""
    return posting.copy() if isinstance(posting, BitMap) else posting


def cardinality(posting: Posting, within: BitMap | None) -> int:
    """How many of `within` the posting holds; None stands for everything."""
    if isinstance(posting, int):
        return 1 if within is None or posting in within else 0
    if within is None:
        return len(posting)
    if isinstance(posting, tuple):
        return sum(member in within for member in posting)
    return posting.intersection_cardinality(within)


def union(postings: Iterable[Posting | None]) -> BitMap:
    """All ids of all postings, in a bitmap of its own."""
    single_ids: list[int] = []
    bitmaps: list[BitMap] = []
    for posting in postings:
        if isinstance(posting, BitMap):
            bitmaps.append(posting)
        elif posting is not None:
            single_ids += members(posting)
    members_of_all = bitmaps[0].union(*bitmaps[1:]) if bitmaps else BitMap()
    members_of_all.update(single_ids)
    return members_of_all
