"""Looks for one text in another in time proportional to both, whatever they are.

Python's search takes that long only where the text that is looked for is at most a
third of the other; from the end it takes as long as both lengths multiplied. One such
call keeps every other thread waiting until it has ended.
"""

from collections.abc import Iterator

#: Python's own search of a shorter text is linear, or as good as that.
_SHORT = 1_000


def find_first(text: str, sought: str, start: int = 0) -> int:
    """Where `sought` is first at or after `start`, -1 where it is not."""
    if len(sought) <= _SHORT:
        return text.find(sought, start)
    return next(_places(text, sought, start), -1)


def find_last(text: str, sought: str, end: int) -> int:
    """Where the last `sought` begins that ends at or before `end`, -1 for none."""
    within = text[:end]
    at = find_first(within[::-1], sought[::-1])
    return -1 if at < 0 else len(within) - at - len(sought)


def count(text: str, sought: str) -> int:
    """How often `sought` is in `text`, as `str.count` counts."""
    if len(sought) <= _SHORT:
        return text.count(sought)
    return sum(1 for _ in _places(text, sought))


def split(text: str, by: str) -> list[str]:
    """The parts of `text` between each `by`, as `str.split` makes them."""
    if len(by) <= _SHORT:
        return text.split(by)
    parts: list[str] = []
    done = 0
    for at in _places(text, by):
        parts.append(text[done:at])
        done = at + len(by)
    return [*parts, text[done:]]


def replace(text: str, old: str, new: str, most: int = -1) -> str:
    """`text` with `new` in place of the first `most` (-1: all) `old`."""
    if len(old) <= _SHORT:
        return text.replace(old, new, most)
    parts = split(text, old)
    if 0 <= most < len(parts):
        parts[most:] = [old.join(parts[most:])]
    return new.join(parts)


def _places(text: str, sought: str, start: int = 0) -> Iterator[int]:
    """Where `sought`, which is long, begins: from the left, none within another.

    What is looked through is filled up to three times the length of `sought`: then
    Python's search is linear. Where that finds one that ends in the filling, there is
    no other.
    """
    if len(sought) > len(text) - start:
        return
    filled = text + "\0" * (2 * len(sought) + 32)
    last = len(text) - len(sought)
    at = filled.find(sought, start)
    while 0 <= at <= last:
        yield at
        start = at + len(sought)
        at = filled.find(sought, start) if start <= last else -1
