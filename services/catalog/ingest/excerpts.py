"""The part of two long texts in which they differ, in lines.

Costs what reading both once costs: what is equal at the beginning and at the end is
left out, and what is longer than a person reads is cut.
"""

from collections.abc import Sequence
from itertools import takewhile

LINES_AROUND = 3
MOST_LINES = 400
MOST_CHARACTERS = 20_000
LONGEST_LINE = 2_000


def excerpts(before: str, after: str) -> tuple[str, str]:
    """The differing lines of both texts, with some equal lines around them."""
    old, new = before.splitlines(), after.splitlines()
    start = _equal(old, new)
    shorter = min(len(old), len(new)) - start
    end = min(_equal(old[::-1], new[::-1]), shorter)
    first = max(start - LINES_AROUND, 0)
    last = max(end - LINES_AROUND, 0)
    return (
        _excerpt(old[first : len(old) - last]),
        _excerpt(new[first : len(new) - last]),
    )


def _equal(left: Sequence[str], right: Sequence[str]) -> int:
    """How many lines are equal from the beginning on."""
    pairs = zip(left, right, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _excerpt(lines: Sequence[str]) -> str:
    excerpt_lines: list[str] = []
    characters = 0
    for line in lines[:MOST_LINES]:
        cut_line = line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"
        characters += len(cut_line) + 1
        if characters > MOST_CHARACTERS:
            break
        excerpt_lines.append(cut_line)
    if len(excerpt_lines) < len(lines):
        excerpt_lines.append(f"… and {len(lines) - len(excerpt_lines)} lines more")
    return "\n".join(excerpt_lines)
