r"""Translates JavaScript's regular expressions for RE2 and for `regex`.

Both engines get the same text except for a few assertions that they spell differently.
Characters are code points, also without the flag `u`. Source: ECMAScript 2024, sections
22.2.1 and B.1.2.
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
#: An unterminated class matches to the end; the class reader reports it later.
_CAPTURE = re.compile(
    r"\\.|\[(?:\\.|[^\]\\])*+(?:\]|\Z)|\((?!\?)|\(\?<(?![=!])", re.DOTALL
)
_REPEAT_LIMIT = 100_000
GROUP_LIMIT = 200
_DEPTH_LIMIT = 150
_WORD = "[0-9A-Z_a-z]"
_EDGES = {
    "b": f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))",
    "B": f"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))",
}


@dataclass(frozen=True, slots=True)
class PatternTranslation:
    """A pattern for both engines.

    `linear` is None if RE2 cannot match it: it has look-around or back references.
    `weight` counts each element with its minimum repetition, `size` with its maximum.
    """

    linear: str | None
    backtracking: str
    groups: int
    names: dict[str, int]
    weight: int
    size: int


@dataclass(slots=True)
class _Size:
    weight: int = 0
    size: int = 0
    is_group: bool = False

    def add(self, other: "_Size") -> None:
        self.weight += other.weight
        self.size += other.size


def translate(source: str, flags: str) -> PatternTranslation:
    """Translate a pattern for both engines.

    Raises:
        NotAPattern: if it is not a pattern, or too large.
    """
    return _Translator(source, flags).translation()


class _Translator:
    """Reads one pattern from left to right."""

    def __init__(self, source: str, flags: str) -> None:
        self._source = source
        self._flags = flags
        self._position = 0
        self._linear: list[str] = []
        self._backtracking: list[str] = []
        self._is_linear = True
        self._groups = 0
        self._names: dict[str, int] = {}
        captures = _CAPTURE.findall(source)
        self._captures = sum(capture.startswith("(") for capture in captures)
        #: The sizes of the whole pattern and of each open group in it.
        self._open_groups = [_Size()]
        #: The size of the element that a quantifier would repeat, if there is one.
        self._atom: _Size | None = None

    def translation(self) -> PatternTranslation:
        if self._captures > GROUP_LIMIT:
            raise NotAPattern(f"more than {GROUP_LIMIT} groups")
        while self._position < len(self._source):
            self._translate_next(self._source[self._position])
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

    def _translate_next(self, character: str) -> None:
        match character:
            case "\\":
                self._translate_escape()
            case "[":
                has_properties = "u" in self._flags
                reader = ClassReader(
                    self._source, self._position + 1, has_properties=has_properties
                )
                text, self._position = reader.read()
                self._add(text, weight=reader.weight)
            case "(":
                self._open_group()
            case ")":
                self._close_group()
            case "*" | "+" | "?":
                self._position += 1
                self._repeat(character, 1, 1)
            case "{" if match := _COUNT.match(self._source, self._position):
                self._position = match.end()
                self._repeat(match[0], *self._repeat_range(match))
            case _:
                self._position += 1
                self._translate_character(character)

    def _translate_character(self, character: str) -> None:
        match character:
            case "|":
                self._append("|")
            case "^":
                self._append("(?m:^)" if "m" in self._flags else r"\A")
            case "$" if "m" in self._flags:
                self._append("(?m:$)")
            case "$":
                self._append(r"\z", r"\Z")
            case ".":
                self._add(ANYTHING if "s" in self._flags else DOT)
            case _:
                self._add(literal(character))

    def _add(
        self, text: str, backtracking: str | None = None, *, weight: int = 1
    ) -> None:
        """Append an element that matches a character; a quantifier may follow."""
        self._append(text, backtracking)
        self._add_atom(_Size(weight, weight))

    def _add_atom(self, atom: "_Size") -> None:
        self._open_groups[-1].add(atom)
        self._atom = atom

    def _append(self, text: str, backtracking: str | None = None) -> None:
        """Append text; `backtracking` is the form for `regex` where it differs."""
        self._linear.append(text)
        self._backtracking.append(text if backtracking is None else backtracking)
        self._atom = None

    def _translate_escape(self) -> None:
        letter = self._source[self._position + 1 : self._position + 2]
        if not letter:
            raise NotAPattern("\\ at the end")
        self._position += 1
        if letter in CLASSES:
            self._position += 1
            self._add(f"[{CLASSES[letter]}]", weight=CLASS_WEIGHTS.get(letter, 1))
        elif letter in _EDGES:
            self._position += 1
            self._append(f"\\{letter}", _EDGES[letter])
        elif letter in {"p", "P"} and "u" in self._flags:
            text, self._position = property_of(self._source, self._position)
            self._add(text, weight=PROPERTY_WEIGHT)
        elif not self._translate_reference(letter):
            character, self._position = character_of(self._source, self._position)
            self._add(literal(character))

    def _translate_reference(self, letter: str) -> bool:
        name = _NAME.match(self._source, self._position)
        if name is not None and "(?<" in self._source:
            number = self._names.get(name[1], 0)
            self._position = name.end()
        elif letter in "123456789":
            end = self._position + 1
            while self._source[end : end + 1].isdecimal() and end < self._position + 4:
                end += 1
            number = int(self._source[self._position : end])
            if number > self._captures and "u" not in self._flags:
                return self._translate_octal(letter)
            self._position = end
        else:
            return False
        if not 0 < number <= self._captures:
            raise NotAPattern("invalid group reference")
        self._is_linear = False
        self._add(f"(?:\\{number})")
        return True

    def _translate_octal(self, letter: str) -> bool:
        """Translate a legacy escape: a character's octal number, or a digit itself."""
        octal = _OCTAL.match(self._source, self._position)
        self._position = octal.end() if octal else self._position + 1
        self._add(literal(chr(int(octal[0], 8)) if octal else letter))
        return True

    def _open_group(self) -> None:
        if len(self._open_groups) > _DEPTH_LIMIT:
            raise NotAPattern(f"groups are nested deeper than {_DEPTH_LIMIT}")
        text = "("
        self._position += 1
        if self._source.startswith("?", self._position):
            group = _GROUP.match(self._source, self._position - 1)
            if group is None:
                raise NotAPattern("invalid group")
            self._position = group.end()
            text = self._group_mark(group)
        if text == "(":
            self._groups += 1
        self._append(text)
        self._open_groups.append(_Size(1, 1, is_group=True))

    def _group_mark(self, group: re.Match[str]) -> str:
        if group[3] is not None:
            if group[3] in self._names:
                raise NotAPattern("duplicate group name")
            self._names[group[3]] = self._groups + 1
            return "("
        if group[1] != ":":
            self._is_linear = False
        return group[0]

    def _close_group(self) -> None:
        if len(self._open_groups) == 1:
            raise NotAPattern("unmatched )")
        self._position += 1
        self._append(")")
        self._add_atom(self._open_groups.pop())

    def _repeat(self, sign: str, minimum: int, maximum: int) -> None:
        atom = self._atom
        if atom is None:
            raise NotAPattern("nothing to repeat")
        if self._source.startswith("?", self._position):
            self._position += 1
            sign += "?"
        # Both engines copy a counted group; only RE2 copies a counted character.
        copies = maximum if atom.is_group else minimum
        repeats = _Size(
            atom.weight * max(copies - 1, 0), atom.size * max(maximum - 1, 0)
        )
        self._open_groups[-1].add(repeats)
        self._append(sign)

    def _repeat_range(self, match: re.Match[str]) -> tuple[int, int]:
        """The minimum and maximum of a counted quantifier."""
        minimum = int(match[1])
        maximum = int(match[3]) if match[3] else minimum
        if maximum < minimum:
            raise NotAPattern("numbers out of order in {} quantifier")
        if maximum > _REPEAT_LIMIT:
            raise NotAPattern(f"more than {_REPEAT_LIMIT} repeats")
        return minimum, maximum
