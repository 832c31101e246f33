"""One part of a glob, between two slashes, and the names that match it.

A set of positions in a name is an integer, one bit each. Every node of a pattern
answers from which positions it can match so that the rest matches: no backtracking.
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
    """How many steps may still be taken."""

    def __init__(self, steps: int, message: str) -> None:
        self._left = steps
        self._message = message

    def spend(self, steps: int) -> None:
        """Take steps.

        Raises:
            Invalid: if there are none left.
        """
        self._left -= steps
        if self._left < 0:
            raise Invalid(self._message)


@dataclass(slots=True)
class _Name:
    """The name that is matched; `hidden` forbids a wildcard to begin it."""

    text: str
    hidden: bool
    budget: NameBudget

    def by_wildcard(self, starts: int) -> int:
        """The positions from which a wildcard may match."""
        return starts & ~1 if self.hidden else starts


class _Node(Protocol):
    def starts(self, name: _Name, ends: int) -> int:
        """The positions from which this matches up to one of `ends`."""


@dataclass(frozen=True, slots=True)
class _Literal:
    text: str

    def starts(self, name: _Name, ends: int) -> int:
        name.budget.spend(1)
        found, position = 0, name.text.find(self.text)
        while position >= 0:
            if ends >> position + len(self.text) & 1:
                found |= 1 << position
            position = name.text.find(self.text, position + 1)
        return found


@dataclass(frozen=True, slots=True)
class _Class:
    """One character: any (`?`), or one of a set, or one outside of it."""

    ranges: tuple[tuple[str, str], ...] = ()
    named: tuple[str, ...] = ()
    negated: bool = True

    def starts(self, name: _Name, ends: int) -> int:
        name.budget.spend(1 + len(name.text) // 16)
        found = 0
        for position, character in enumerate(name.text):
            if ends >> position + 1 & 1 and self._holds(character) != self.negated:
                found |= 1 << position
        return name.by_wildcard(found)

    def _holds(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) or any(
            _POSIX[word](character) for word in self.named
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
            # As in Backstage's matchers: not what a choice and then the rest matches.
            fitting = (1 << ends.bit_length()) - 1
            return name.by_wildcard(fitting & ~self._once(name, ends))
        found = self._once(name, ends)
        if self.kind in "*+":
            fresh = found
            while fresh:
                fresh = self._once(name, fresh) & ~found
                found |= fresh
        return found | ends if self.kind in "?*" else found

    def _once(self, name: _Name, ends: int) -> int:
        found = 0
        for choice in self.choices:
            found |= _sequence(choice, name, ends)
        return found


def _sequence(nodes: Sequence[_Node], name: _Name, ends: int) -> int:
    for node in reversed(nodes):
        ends = node.starts(name, ends)
        if not ends:
            return 0
    return ends


@dataclass(frozen=True, slots=True)
class NamePattern:
    """What a name must be: it begins with `head` and ends with `tail`.

    `literal` is the one name it can be, if it is only one.
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
        hidden = text.startswith(".") and not self.dot
        name = _Name(text, hidden, budget)
        return bool(_sequence(self.nodes, name, 1 << len(text)) & 1)


def parse_name(
    text: str, *, dot: bool = False, ignore_case: bool = False
) -> NamePattern:
    """Parse one part of a pattern; what is not closed is text.

    Raises:
        Invalid: if its groups are nested deeper than `DEPTH_LIMIT`.
    """
    nodes = _Parser(text.lower() if ignore_case else text).sequence(depth=0)
    head = nodes[0].text if nodes and isinstance(nodes[0], _Literal) else ""
    tail = nodes[-1].text if nodes and isinstance(nodes[-1], _Literal) else ""
    # Literals beside each other are one: a pattern of nothing else has one, or none.
    is_literal = not nodes or (len(nodes) == 1 and isinstance(nodes[0], _Literal))
    return NamePattern(tuple(nodes), head if is_literal else None, head, tail, dot)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def sequence(self, *, depth: int) -> list[_Node]:
        """The nodes up to the end, or in a group to `|` or `)`."""
        nodes: list[_Node] = []
        while self._at < len(self._text):
            if depth and self._text[self._at] in "|)":
                break
            _append(nodes, self._node(depth))
        return nodes

    def _node(self, depth: int) -> _Node:
        text, start = self._text, self._at
        character = text[start]
        self._at += 1
        if character in _EXTENDED and text.startswith("(", self._at):
            group = self._group(character, depth)
            if group is not None:
                return group
            self._at = start + 1
        match character:
            case "*":
                return _Star()
            case "?":
                return _Class()
            case "[":
                return self._class() or _Literal("[")
            case "\\" if self._at < len(text):
                self._at += 1
                return _Literal(text[self._at - 1])
        return _Literal(character)

    def _group(self, kind: str, depth: int) -> _Group | None:
        """The group whose bracket comes next; None if it is never closed."""
        if depth >= DEPTH_LIMIT:
            raise Invalid(f"pattern: groups are nested deeper than {DEPTH_LIMIT}")
        if ")" not in self._text[self._at :]:
            return None
        choices: list[tuple[_Node, ...]] = []
        while self._at < len(self._text) and self._text[self._at] in "(|":
            self._at += 1
            choices.append(tuple(self.sequence(depth=depth + 1)))
        if not self._text.startswith(")", self._at):
            return None
        self._at += 1
        return _Group(kind, tuple(choices))

    def _class(self) -> _Class | None:
        """The class whose inside comes next; None if it is never closed."""
        start = self._at
        negated = self._text[start : start + 1] in ("!", "^")
        self._at += negated
        ranges: list[tuple[str, str]] = []
        named: list[str] = []
        is_first = True
        while self._at < len(self._text):
            if self._text[self._at] == "]" and not is_first:
                self._at += 1
                return _Class(tuple(ranges), tuple(named), negated)
            is_first = False
            word = self._posix()
            if word is not None:
                named.append(word)
            else:
                ranges.append(self._range())
        self._at = start
        return None

    def _posix(self) -> str | None:
        for word in _POSIX:
            if self._text.startswith(f"[:{word}:]", self._at):
                self._at += len(word) + 4
                return word
        return None

    def _range(self) -> tuple[str, str]:
        low = self._character()
        rest = self._text[self._at : self._at + 2]
        if len(rest) == 2 and rest[0] == "-" and rest[1] != "]":
            self._at += 1
            return low, self._character()
        return low, low

    def _character(self) -> str:
        if self._text[self._at] == "\\" and self._at + 1 < len(self._text):
            self._at += 1
        self._at += 1
        return self._text[self._at - 1]


def _append(nodes: list[_Node], node: _Node) -> None:
    """Add a node; texts become one, stars beside each other one star."""
    last = nodes[-1] if nodes else None
    if isinstance(last, _Literal) and isinstance(node, _Literal):
        nodes[-1] = _Literal(last.text + node.text)
    elif not (isinstance(last, _Star) and isinstance(node, _Star)):
        nodes.append(node)
