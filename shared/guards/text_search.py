"""Searches one text in another in time proportional to both lengths.

Python's search is linear only if the searched text is at most a third of the other;
backwards it takes the product of both lengths. Such a call blocks every other thread
until it ends.
"""

from collections.abc import Iterator

#: Python's own search for a shorter text is practically linear.
_SHORT = 1_000


def find_first(text: str, searched: str, start: int = 0) -> int:
    """The first position of `searched` at or after `start`, -1 if absent."""
    if len(searched) <= _SHORT:
        return text.find(searched, start)
    return next(_places(text, searched, start), -1)


def find_last(text: str, searched: str, end: int) -> int:
    """The last position of `searched` that ends at or before `end`, -1 if absent."""
    head = text[:end]
    at = find_first(head[::-1], searched[::-1])
    return -1 if at < 0 else len(head) - at - len(searched)


def count(text: str, searched: str) -> int:
    """The number of occurrences, as `str.count` counts them."""
    if len(searched) <= _SHORT:
        return text.count(searched)
    return sum(1 for _ in _places(text, searched))


def split(text: str, separator: str) -> list[str]:
    """The parts of `text` between separators, as `str.split` returns them."""
    if len(separator) <= _SHORT:
        return text.split(separator)
    parts: list[str] = []
    start = 0
    for at in _places(text, separator):
        parts.append(text[start:at])
        start = at + len(separator)
    return [*parts, text[start:]]


def replace(text: str, old: str, new: str, limit: int = -1) -> str:
    """Replace the first `limit` occurrences of `old` by `new`; -1 replaces all."""
    if len(old) <= _SHORT:
        return text.replace(old, new, limit)
    parts = split(text, old)
    if 0 <= limit < len(parts):
        parts[limit:] = [old.join(parts[limit:])]
    return new.join(parts)


def _places(text: str, searched: str, start: int = 0) -> Iterator[int]:
    """The positions of a long text, from the left and without overlaps.

    The text is padded by twice the length of `searched`, which makes Python's search
    linear. A match that ends in the padding is beyond the last real one.
    """
    if len(searched) > len(text) - start:
        return
    filled = text + "\0" * (2 * len(searched) + 32)
    last = len(text) - len(searched)
    at = filled.find(searched, start)
    while 0 <= at <= last:
        yield at
        start = at + len(searched)
        at = filled.find(searched, start) if start <= last else -1
