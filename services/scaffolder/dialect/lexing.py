"""Reads a template's text as Jinja2 tokens, by Nunjucks' lexical rules.

Jinja2's own lexer normalises line ends, knows no `===`, no `r/…/g`, and takes other
number forms; so this one replaces it. Every token's line is a `LineNumber`, which
knows its column too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from jinja2.lexer import Token

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.limits import SOURCE
from services.scaffolder.dialect.values import Pattern

_OPERATORS = {
    "===": "seq",
    "!==": "sne",
    "==": "eq",
    "!=": "ne",
    "<=": "lteq",
    ">=": "gteq",
    "//": "floordiv",
    "**": "pow",
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "%": "mod",
    "~": "tilde",
    "<": "lt",
    ">": "gt",
    "=": "assign",
    "|": "pipe",
    ".": "dot",
    ",": "comma",
    ":": "colon",
    "(": "lparen",
    ")": "rparen",
    "[": "lbracket",
    "]": "rbracket",
    "{": "lbrace",
    "}": "rbrace",
}
_SIGN = re.compile("|".join(re.escape(sign) for sign in _OPERATORS))
_WORD = re.compile(r"\w+", re.ASCII)
_SPACE = re.compile(r"\s+")
_REGEX = re.compile(r"r/((?:[^/\\\n]++|\\.)++)/([a-z]*)")
_FLOAT = re.compile(r"\d+\.\d*(?!\w)", re.ASCII)
_TRIM = re.compile(r"\r?\n")
_RAW = re.compile(r"\{%-?\s*(raw|verbatim)\s*(-?)%\}")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_NAMES = {"variable": "variable", "block": "block tag", "comment": "comment"}


class LineNumber(int):
    """A line number, from 1, that carries the column, from 1."""

    column: int

    def __new__(cls, line: int, column: int) -> Self:
        number = super().__new__(cls, line)
        number.column = column
        return number


@dataclass(frozen=True, slots=True)
class Delimiters:
    """How a tag begins; `${{` normally, `{{` for Cookiecutter's templates."""

    variable: str = "${{"
    trim_blocks: bool = False
    lstrip_blocks: bool = False


class Lexer:
    """Reads one template's text once, from the beginning to the end."""

    def __init__(self, source: str, delimiters: Delimiters) -> None:
        if len(source) > SOURCE:
            raise TemplateRenderError(f"the template is over {SOURCE} characters")
        self._source = source
        self._delimiters = delimiters
        self._at = 0
        self._line_starts = [0, *(m.end() for m in re.finditer("\n", source))]
        self._line = 0
        opening = "|".join(map(re.escape, (delimiters.variable, "{%", "{#")))
        self._opening = re.compile(f"(?P<tag>{opening})(?P<strip>-?)")
        self._strip_next = False
        self._trim_next = False

    def tokens(self) -> Iterator[Token]:
        """The tokens of the whole template.

        Raises:
            TemplateRenderError: for a tag, comment, text or number that is not one.
        """
        while True:
            opening = self._opening.search(self._source, self._at)
            end = opening.start() if opening else len(self._source)
            yield from self._data(end, opening)
            if opening is None:
                return
            self._at = end
            yield from self._tag(opening)

    def _data(self, end: int, tag: re.Match[str] | None) -> Iterator[Token]:
        start, data = self._at, self._source[self._at : end]
        if self._strip_next:
            data = data.lstrip()
        elif self._trim_next and (newline := _TRIM.match(data)):
            data = data[newline.end() :]
        self._strip_next = self._trim_next = False
        if tag is not None:
            if tag["strip"]:
                data = data.rstrip()
            elif self._delimiters.lstrip_blocks and tag["tag"] == "{%":
                data = self._without_indentation(data, end)
        if data:
            yield Token(self._place(start), "data", data)

    def _without_indentation(self, data: str, end: int) -> str:
        line = self._source[self._source.rfind("\n", 0, end) + 1 : end]
        if line.strip(" \t"):
            return data
        return data[: len(data) - len(line)] if len(line) <= len(data) else ""

    def _tag(self, opening: re.Match[str]) -> Iterator[Token]:
        if opening["tag"] == "{#":
            self._comment(opening)
            return
        if opening["tag"] == "{%" and (raw := _RAW.match(self._source, self._at)):
            yield from self._raw(raw)
            return
        kind, closing = (
            ("block", "%}") if opening["tag"] == "{%" else ("variable", "}}")
        )
        opened = self._place(self._at)
        self._at = opening.end()
        yield Token(opened, f"{kind}_begin", opening["tag"])
        closed = self._place(self._at)
        while not self._closes(closing):
            if self._at >= len(self._source):
                raise self._wrong(f"Unterminated {_NAMES[kind]} tag", opened)
            token = self._expression_token()
            if token is not None:
                yield token
            closed = self._place(self._at)
        yield Token(closed, f"{kind}_end", closing)
        self._trim_next = self._delimiters.trim_blocks and kind == "block"

    def _closes(self, closing: str) -> bool:
        for sign, strips in ((f"-{closing}", True), (closing, False)):
            if self._source.startswith(sign, self._at):
                self._at += len(sign)
                self._strip_next = strips
                return True
        return False

    def _comment(self, opening: re.Match[str]) -> None:
        end = self._source.find("#}", opening.end())
        if end < 0:
            raise self._wrong("Unterminated comment tag", self._place(self._at))
        self._strip_next = self._source[end - 1] == "-" and end > opening.end()
        self._at = end + 2

    def _raw(self, begin: re.Match[str]) -> Iterator[Token]:
        word = begin[1]
        bound = re.compile(r"\{%\s*(end)?" + word + r"\s*%\}")
        data_start, depth, at = begin.end(), 1, begin.end()
        if self._delimiters.trim_blocks and (
            newline := _TRIM.match(self._source, data_start)
        ):
            data_start = newline.end()
        while match := bound.search(self._source, at):
            depth += -1 if match[1] else 1
            at = match.end()
            if depth == 0:
                data = self._source[data_start : match.start()]
                if self._is_stripped_after(at, through_space=bool(begin[2])):
                    data = data.rstrip()
                if data:
                    yield Token(self._place(data_start), "data", data)
                self._at = at
                self._strip_next = bool(begin[2])
                return
        raise self._wrong(f'Missing "end{word}" tag', self._place(begin.start()))

    def _is_stripped_after(self, at: int, *, through_space: bool) -> bool:
        """Whether a `{%-` follows the end of a raw region at once."""
        space = _SPACE.match(self._source, at) if through_space else None
        following = self._opening.match(self._source, space.end() if space else at)
        return following is not None and bool(following["strip"])

    def _expression_token(self) -> Token | None:
        source, at = self._source, self._at
        if space := _SPACE.match(source, at):
            self._at = space.end()
            return None
        place = self._place(at)
        if source[at] in "'\"":
            return Token(place, "string", self._string(place))
        if regex := _REGEX.match(source, at):
            self._at = regex.end()
            return Token(place, "regex", Pattern(regex[1], regex[2]))  # type: ignore[arg-type]
        if match := _FLOAT.match(source, at):
            self._at = match.end()
            return Token(place, "float", match[0])
        if word := _WORD.match(source, at):
            self._at = word.end()
            kind = "integer" if word[0].isascii() and word[0].isdigit() else "name"
            return Token(place, kind, word[0])
        if sign := _SIGN.match(source, at):
            self._at = sign.end()
            return Token(place, _OPERATORS[sign[0]], sign[0])
        raise self._wrong(f'Unexpected character "{source[at]}"', place)

    def _string(self, place: LineNumber) -> str:
        quote, at, parts = self._source[self._at], self._at + 1, list[str]()
        while at < len(self._source):
            character = self._source[at]
            if character == quote:
                self._at = at + 1
                return "".join(parts)
            if character == "\\" and at + 1 < len(self._source):
                at += 1
                character = _ESCAPES.get(self._source[at], self._source[at])
            parts.append(character)
            at += 1
        raise self._wrong("Unterminated string", place)

    def _place(self, offset: int) -> LineNumber:
        starts = self._line_starts
        while self._line + 1 < len(starts) and starts[self._line + 1] <= offset:
            self._line += 1
        while starts[self._line] > offset:
            self._line -= 1
        return LineNumber(self._line + 1, offset - starts[self._line] + 1)

    @staticmethod
    def _wrong(reason: str, place: LineNumber) -> TemplateRenderError:
        return TemplateRenderError(reason, line=int(place), column=place.column)
