r"""JavaScript's regular expressions, written for RE2 and for `regex`.

Both get the same text but for the few marks that they spell differently. Characters are
code points, also without `u`. Source: ECMAScript 2024, sections 22.2.1 and B.1.2.
"""

import re
from dataclasses import dataclass

from shared.guards.pattern_classes import (
    ANYTHING,
    CLASS_WEIGHTS,
    CLASSES,
    DOT,
    PROPERTY_WEIGHT,
    ClassReader,
    NotAPattern,
    character_of,
    literal,
    property_of,
)

_COUNT = re.compile(r"\{([0-9]{1,9})(,([0-9]{0,9}))?\}")
_GROUP = re.compile(r"\(\?(?:([:=!])|<([=!])|<([A-Za-z_$][\w$]*)>)")
_OCTAL = re.compile("[0-3][0-7]{0,2}|[4-7][0-7]?")
_NAME = re.compile(r"k<([^<>]*)>")
#: A class that does not end takes the rest: it is an error, found later.
_CAPTURE = re.compile(
    r"\\.|\[(?:\\.|[^\]\\])*+(?:\]|\Z)|\((?!\?)|\(\?<(?![=!])", re.DOTALL
)
_MOST_REPEATS = 100_000
MOST_GROUPS = 200
_DEEPEST = 150
_WORD = "[0-9A-Z_a-z]"
_EDGES = {
    "b": f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))",
    "B": f"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))",
}


@dataclass(frozen=True, slots=True)
class PatternTranslation:
    """A pattern for both engines.

    `linear` is None if RE2 cannot do it: it looks around or refers back.
    `weight` counts its elements as often as they are repeated at least, `size` as often
    as they are counted at the most.
    """

    linear: str | None
    backtracking: str
    groups: int
    names: dict[str, int]
    weight: int
    size: int


@dataclass(slots=True)
class _Measure:
    weight: int = 0
    size: int = 0
    is_group: bool = False

    def add(self, other: "_Measure") -> None:
        self.weight += other.weight
        self.size += other.size


def translate(source: str, flags: str) -> PatternTranslation:
    """The pattern for both engines.

    Raises:
        NotAPattern: if it is not one, or larger than any real one.
    """
    return _Translator(source, flags).translation()


class _Translator:
    """Reads one pattern from left to right."""

    def __init__(self, source: str, flags: str) -> None:
        self._source = source
        self._flags = flags
        self._at = 0
        self._linear: list[str] = []
        self._backtracking: list[str] = []
        self._is_linear = True
        self._groups = 0
        self._names: dict[str, int] = {}
        captures = _CAPTURE.findall(source)
        self._captures = sum(found.startswith("(") for found in captures)
        #: Weight and size of each open group, the whole pattern first.
        self._open_groups = [_Measure()]
        #: The same of what a quantifier would repeat; None if there is nothing.
        self._atom: _Measure | None = None

    def translation(self) -> PatternTranslation:
        if self._captures > MOST_GROUPS:
            raise NotAPattern(f"more than {MOST_GROUPS} groups")
        while self._at < len(self._source):
            self._step(self._source[self._at])
        if len(self._open_groups) > 1:
            raise NotAPattern("unterminated group")
        whole = self._open_groups[0]
        return PatternTranslation(
            "".join(self._linear) if self._is_linear else None,
            "".join(self._backtracking),
            self._groups,
            self._names,
            whole.weight,
            whole.size,
        )

    def _step(self, character: str) -> None:
        match character:
            case "\\":
                self._escape()
            case "[":
                has_properties = "u" in self._flags
                reader = ClassReader(
                    self._source, self._at + 1, has_properties=has_properties
                )
                text, self._at = reader.read()
                self._add(text, weight=reader.weight)
            case "(":
                self._open()
            case ")":
                self._close()
            case "*" | "+" | "?":
                self._at += 1
                self._repeat(character, 1, 1)
            case "{" if match := _COUNT.match(self._source, self._at):
                self._at = match.end()
                self._repeat(match[0], *self._count(match))
            case _:
                self._at += 1
                self._plain(character)

    def _plain(self, character: str) -> None:
        match character:
            case "|":
                self._mark("|")
            case "^":
                self._mark("(?m:^)" if "m" in self._flags else r"\A")
            case "$" if "m" in self._flags:
                self._mark("(?m:$)")
            case "$":
                self._mark(r"\z", r"\Z")
            case ".":
                self._add(ANYTHING if "s" in self._flags else DOT)
            case _:
                self._add(literal(character))

    def _add(self, text: str, other: str | None = None, *, weight: int = 1) -> None:
        """Add what matches a character; a quantifier may follow."""
        self._mark(text, other)
        self._measure(_Measure(weight, weight))

    def _measure(self, atom: "_Measure") -> None:
        self._open_groups[-1].add(atom)
        self._atom = atom

    def _mark(self, text: str, other: str | None = None) -> None:
        """Add what matches no character; `other` is how `regex` spells it."""
        self._linear.append(text)
        self._backtracking.append(text if other is None else other)
        self._atom = None

    def _escape(self) -> None:
        letter = self._source[self._at + 1 : self._at + 2]
        if not letter:
            raise NotAPattern("\\ at the end")
        self._at += 1
        if letter in CLASSES:
            self._at += 1
            self._add(f"[{CLASSES[letter]}]", weight=CLASS_WEIGHTS.get(letter, 1))
        elif letter in _EDGES:
            self._at += 1
            self._mark(f"\\{letter}", _EDGES[letter])
        elif letter in {"p", "P"} and "u" in self._flags:
            text, self._at = property_of(self._source, self._at)
            self._add(text, weight=PROPERTY_WEIGHT)
        elif not self._back_reference(letter):
            character, self._at = character_of(self._source, self._at)
            self._add(literal(character))

    def _back_reference(self, letter: str) -> bool:
        name = _NAME.match(self._source, self._at)
        if name is not None and "(?<" in self._source:
            number = self._names.get(name[1], 0)
            self._at = name.end()
        elif letter in "123456789":
            end = self._at + 1
            while self._source[end : end + 1].isdecimal() and end < self._at + 4:
                end += 1
            number = int(self._source[self._at : end])
            if number > self._captures and "u" not in self._flags:
                return self._octal(letter)
            self._at = end
        else:
            return False
        if not 0 < number <= self._captures:
            raise NotAPattern("invalid group reference")
        self._is_linear = False
        self._add(f"(?:\\{number})")
        return True

    def _octal(self, letter: str) -> bool:
        """The oldest escape: what is no group is a number or the digit itself."""
        octal = _OCTAL.match(self._source, self._at)
        self._at = octal.end() if octal else self._at + 1
        self._add(literal(chr(int(octal[0], 8)) if octal else letter))
        return True

    def _open(self) -> None:
        if len(self._open_groups) > _DEEPEST:
            raise NotAPattern(f"groups are nested deeper than {_DEEPEST}")
        text = "("
        self._at += 1
        if self._source.startswith("?", self._at):
            group = _GROUP.match(self._source, self._at - 1)
            if group is None:
                raise NotAPattern("invalid group")
            self._at = group.end()
            text = self._group_mark(group)
        if text == "(":
            self._groups += 1
        self._mark(text)
        self._open_groups.append(_Measure(1, 1, is_group=True))

    def _group_mark(self, group: re.Match[str]) -> str:
        if group[3] is not None:
            if group[3] in self._names:
                raise NotAPattern("duplicate group name")
            self._names[group[3]] = self._groups + 1
            return "("
        if group[1] != ":":
            self._is_linear = False
        return group[0]

    def _close(self) -> None:
        if len(self._open_groups) == 1:
            raise NotAPattern("unmatched )")
        self._at += 1
        self._mark(")")
        self._measure(self._open_groups.pop())

    def _repeat(self, sign: str, least: int, most: int) -> None:
        atom = self._atom
        if atom is None:
            raise NotAPattern("nothing to repeat")
        if self._source.startswith("?", self._at):
            self._at += 1
            sign += "?"
        # A group that is counted is copied by both engines, a character by RE2 alone.
        copies = most if atom.is_group else least
        more = _Measure(atom.weight * max(copies - 1, 0), atom.size * max(most - 1, 0))
        self._open_groups[-1].add(more)
        self._mark(sign)

    def _count(self, match: re.Match[str]) -> tuple[int, int]:
        """How often a counted repeat stands for its element."""
        least = int(match[1])
        most = int(match[3]) if match[3] else least
        if most < least:
            raise NotAPattern("numbers out of order in {} quantifier")
        if most > _MOST_REPEATS:
            raise NotAPattern(f"more than {_MOST_REPEATS} repeats")
        return least, most
