"""One segment of a glob (between two slashes), matched against one file name.

A set of positions in a name is an integer, one bit a position. Each node of a pattern
maps the positions where the rest can match to the positions where it can begin, so
nothing backtracks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.errors import Invalid

DEPTH_LIMIT = 6
_EXTENDED = "?*+@!"
_POSIX = {
    "alnum": str.isalnum,
    "alpha": str.isalpha,
    "digit": str.isdigit,
    "lower": str.islower,
    "space": str.isspace,
    "upper": str.isupper,
}


class NameBudget:
    """The number of steps that matching may still take."""

    def __init__(self, steps: int, message: str) -> None:
        self._steps_left = steps
        self._message = message

    def spend(self, steps: int) -> None:
        """Take steps.

        Raises:
            Invalid: if there are none left.
        """
        self._steps_left -= steps
        if self._steps_left < 0:
            raise Invalid(self._message)


@dataclass(slots=True)
class _Name:
    """The name that is matched; with `is_hidden` no wildcard may match its start."""

    text: str
    is_hidden: bool
    budget: NameBudget

    def by_wildcard(self, starts: int) -> int:
        """The positions of `starts` where a wildcard may begin."""
        return starts & ~1 if self.is_hidden else starts


class _Node(Protocol):
    def starts(self, name: _Name, ends: int) -> int:
        """The positions from which this node matches up to one of `ends`."""


@dataclass(frozen=True, slots=True)
class _Literal:
    text: str

    def starts(self, name: _Name, ends: int) -> int:
        name.budget.spend(1)
        positions, position = 0, name.text.find(self.text)
        while position >= 0:
            if ends >> position + len(self.text) & 1:
                positions |= 1 << position
            position = name.text.find(self.text, position + 1)
        return positions


@dataclass(frozen=True, slots=True)
class _Class:
    """One character: any (`?`), one of a set, or one outside of a set."""

    ranges: tuple[tuple[str, str], ...] = ()
    classes: tuple[str, ...] = ()
    is_negated: bool = True

    def starts(self, name: _Name, ends: int) -> int:
        name.budget.spend(1 + len(name.text) // 16)
        positions = 0
        for position, character in enumerate(name.text):
            if (
                ends >> position + 1 & 1
                and self._contains(character) != self.is_negated
            ):
                positions |= 1 << position
        return name.by_wildcard(positions)

    def _contains(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) or any(
            _POSIX[word](character) for word in self.classes
        )


@dataclass(frozen=True, slots=True)
class _Star:
    def starts(self, name: _Name, ends: int) -> int:
        name.budget.spend(1)
        return name.by_wildcard((1 << ends.bit_length()) - 1)


@dataclass(frozen=True, slots=True)
class _Group:
    """`?(a|b)`, `*(…)`, `+(…)`, `@(…)` and `!(…)`."""

    kind: str
    choices: tuple[tuple[_Node, ...], ...]

    def starts(self, name: _Name, ends: int) -> int:
        name.budget.spend(1)
        if self.kind == "!":
            # As in minimatch: no choice followed by the rest may match.
            all_positions = (1 << ends.bit_length()) - 1
            return name.by_wildcard(all_positions & ~self._match_once(name, ends))
        positions = self._match_once(name, ends)
        if self.kind in "*+":
            new_positions = positions
            while new_positions:
                new_positions = self._match_once(name, new_positions) & ~positions
                positions |= new_positions
        return positions | ends if self.kind in "?*" else positions

    def _match_once(self, name: _Name, ends: int) -> int:
        positions = 0
        for choice in self.choices:
            positions |= _sequence_starts(choice, name, ends)
        return positions


def _sequence_starts(nodes: Sequence[_Node], name: _Name, ends: int) -> int:
    for node in reversed(nodes):
        ends = node.starts(name, ends)
        if not ends:
            return 0
    return ends


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A parsed segment: names begin with `head` and end with `tail`.

    `literal` is the only name that matches, if there is only one.
    """

    nodes: tuple[_Node, ...]
    literal: str | None
    head: str
    tail: str
    dot: bool

    def matches(self, text: str, budget: NameBudget) -> bool:
        """Whether the whole name matches."""
        budget.spend(1)
        if self.literal is not None:
            return text == self.literal
        if not text.startswith(self.head) or not text.endswith(self.tail):
            return False
        is_hidden = text.startswith(".") and not self.dot
        name = _Name(text, is_hidden, budget)
        return bool(_sequence_starts(self.nodes, name, 1 << len(text)) & 1)


def parse_name(
    text: str, *, dot: bool = False, ignore_case: bool = False
) -> NamePattern:
    """Parse one segment of a pattern; an unclosed bracket is literal text.

    Raises:
        Invalid: if its groups are nested deeper than `DEPTH_LIMIT`.
    """
    nodes = _Parser(text.lower() if ignore_case else text).sequence(depth=0)
    head = nodes[0].text if nodes and isinstance(nodes[0], _Literal) else ""
    tail = nodes[-1].text if nodes and isinstance(nodes[-1], _Literal) else ""
    # Adjacent literals are merged, so a pattern of literals has at most one node.
    is_literal = not nodes or (len(nodes) == 1 and isinstance(nodes[0], _Literal))
    return NamePattern(tuple(nodes), head if is_literal else None, head, tail, dot)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def sequence(self, *, depth: int) -> list[_Node]:
        """The nodes up to the end, or inside a group up to `|` or `)`."""
        nodes: list[_Node] = []
        while self._position < len(self._text):
            if depth and self._text[self._position] in "|)":
                break
            _append(nodes, self._node(depth))
        return nodes

    def _node(self, depth: int) -> _Node:
        text, start = self._text, self._position
        character = text[start]
        self._position += 1
        if character in _EXTENDED and text.startswith("(", self._position):
            group = self._group(character, depth)
            if group is not None:
                return group
            self._position = start + 1
        match character:
            case "*":
                return _Star()
            case "?":
                return _Class()
            case "[":
                return self._class() or _Literal("[")
            case "\\" if self._position < len(text):
                self._position += 1
                return _Literal(text[self._position - 1])
        return _Literal(character)

    def _group(self, kind: str, depth: int) -> _Group | None:
        """The group that starts at the next bracket; None if it is not closed."""
        if depth >= DEPTH_LIMIT:
            raise Invalid(f"pattern: groups are nested deeper than {DEPTH_LIMIT}")
        if ")" not in self._text[self._position :]:
            return None
        choices: list[tuple[_Node, ...]] = []
        while self._position < len(self._text) and self._text[self._position] in "(|":
            self._position += 1
            choices.append(tuple(self.sequence(depth=depth + 1)))
        if not self._text.startswith(")", self._position):
            return None
        self._position += 1
        return _Group(kind, tuple(choices))

    def _class(self) -> _Class | None:
        """The class that starts after the bracket; None if it is not closed."""
        start = self._position
        is_negated = self._text[start : start + 1] in ("!", "^")
        self._position += is_negated
        ranges: list[tuple[str, str]] = []
        classes: list[str] = []
        is_first = True
        while self._position < len(self._text):
            if self._text[self._position] == "]" and not is_first:
                self._position += 1
                return _Class(tuple(ranges), tuple(classes), is_negated)
            is_first = False
            word = self._posix()
            if word is not None:
                classes.append(word)
            else:
                ranges.append(self._range())
        self._position = start
        return None

    def _posix(self) -> str | None:
        for word in _POSIX:
            if self._text.startswith(f"[:{word}:]", self._position):
                self._position += len(word) + 4
                return word
        return None

    def _range(self) -> tuple[str, str]:
        low = self._character()
        following = self._text[self._position : self._position + 2]
        if len(following) == 2 and following[0] == "-" and following[1] != "]":
            self._position += 1
            return low, self._character()
        return low, low

    def _character(self) -> str:
        if self._text[self._position] == "\\" and self._position + 1 < len(self._text):
            self._position += 1
        self._position += 1
        return self._text[self._position - 1]


def _append(nodes: list[_Node], node: _Node) -> None:
    """Add a node; adjacent literals are merged, and so are adjacent stars."""
    last = nodes[-1] if nodes else None
    if isinstance(last, _Literal) and isinstance(node, _Literal):
        nodes[-1] = _Literal(last.text + node.text)
    elif not (isinstance(last, _Star) and isinstance(node, _Star)):
        nodes.append(node)
