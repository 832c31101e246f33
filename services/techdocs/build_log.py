"""The log of a build: its first and its last lines, without paths of this machine."""

import re
import sys
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

FIRST, LAST = 500, 500
LINE_CHARACTERS = 2000


class BuildLog:
    """Passes lines on; of many, the first and the last, and how many are left out."""

    def __init__(
        self, say: Callable[[str], None], first: int = FIRST, last: int = LAST
    ) -> None:
        self._say = say
        self._first = first
        self._count = 0
        self._tail: deque[str] = deque(maxlen=last)

    def add(self, line: str) -> None:
        """One more line."""
        self._count += 1
        if self._count <= self._first:
            self._say(line)
        else:
            self._tail.append(line)

    def end(self) -> None:
        """Pass on the last lines, which `add` withheld."""
        left_out = self._count - self._first - len(self._tail)
        if left_out > 0:
            self._say(f"… {left_out} lines left out")
        for line in self._tail:
            self._say(line)
        self._tail.clear()


def without_paths(workspace: Path) -> Callable[[str], str]:
    """Shortens a line: paths below the workspace begin there, others are removed."""
    own = re.escape(str(workspace))
    inside = rf"{own}/(?:source/|tmp/docs_\w+/|(?=out\b|record\b))"
    root = str(Path(__file__).resolve().parents[2])
    below = [str(workspace), sys.prefix, sys.base_prefix, root]
    foreign = "|".join(re.escape(path) for path in _longest_first(below))
    pattern = re.compile(rf"{inside}|(?<![\w.:/])(?:{foreign})(?:/|\b)")

    def shortened(line: str) -> str:
        return pattern.sub("", line[:LINE_CHARACTERS])

    return shortened


def _longest_first(paths: Iterable[str]) -> list[str]:
    distinct = {path.rstrip("/") for path in paths} - {"", "/usr"}
    return sorted(distinct, key=len, reverse=True)
