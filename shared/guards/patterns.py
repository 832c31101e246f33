"""Foreign regular expressions: JavaScript's, matched within limits.

RE2 does almost all: its time is linear in the text, whatever the pattern. What it
cannot do (look-around, back references, very many repeats) is done by `regex`, which
backtracks, within a limit of processor time. Both leave the interpreter to other
threads while they match, and not while they compile: a pattern's size is limited.
"""

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import re2
import regex

from shared.guards.budgets import BudgetExceeded
from shared.guards.pattern_classes import NotAPattern
from shared.guards.pattern_syntax import PatternTranslation, translate

__all__ = ["ForeignPattern", "NotAPattern", "Spans", "compile_pattern"]

MOST_CHARACTERS = 4_000
#: The same for patterns that `regex` has to do, with counted repeats written out.
_MOST_WEIGHT = 10_000
#: The same for RE2, which would take long to find that they do not fit.
_MOST_SIZE = 20_000
#: Bytes for one pattern's program and for the states that it remembers.
_MEMORY = 1024 * 1024
#: How many instructions of a pattern RE2 tries on characters in a second, at the worst.
_RATE = 100_000_000
#: The longest text that `regex` is given: it remembers places to come back to.
_MOST_BACKTRACKED = 200_000
_FLAGS = frozenset("imsugyd")
_SECONDS = 0.25

#: Where a match and each of its groups stand in a text; (-1, -1) is nowhere.
Spans = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ForeignPattern:
    """A pattern that somebody else wrote, ready to be matched."""

    source: str
    flags: str
    #: The numbers of the groups that have names.
    names: dict[str, int]
    _translation: PatternTranslation

    def matches(self, text: str, *, seconds: float = _SECONDS) -> bool:
        """Whether it matches anywhere in `text`, as JavaScript's `test`.

        Raises:
            BudgetExceeded: if that takes more than `seconds` of processor time.
        """
        linear = _linear(self._translation.linear, self._is_insensitive, captures=False)
        if linear is None:
            return self._backtrack(text, 1, seconds) != []
        data = _encoded(text)
        self._check_work(linear, data, seconds)
        return next(_iterate(linear, data), None) is not None

    def search(self, text: str, *, seconds: float = _SECONDS) -> Spans | None:
        """Where it first matches in `text`, the whole first and then each group.

        Raises:
            BudgetExceeded: if that takes more than `seconds` of processor time.
        """
        spans = self.spans(text, 1, seconds=seconds)
        return spans[0] if spans else None

    def spans(
        self, text: str, count: int = 0, *, seconds: float = _SECONDS
    ) -> list[Spans]:
        """Where it matches in `text`, at most `count` times; 0 is all.

        Raises:
            BudgetExceeded: if that takes more than `seconds` of processor time.
        """
        linear = _linear(self._translation.linear, self._is_insensitive, captures=True)
        if linear is None:
            return self._backtrack(text, count, seconds)
        data = _encoded(text)
        # Where groups are, it is noted at each step.
        self._check_work(linear, data, seconds / (1 + self._translation.groups // 4))
        matches = _iterate(linear, data)
        found = self._collect(matches, count, seconds)
        return found if len(data) == len(text) else _in_characters(data, found)

    @property
    def _is_insensitive(self) -> bool:
        return "i" in self.flags

    def _backtrack(self, text: str, count: int, seconds: float) -> list[Spans]:
        if len(text) > _MOST_BACKTRACKED:
            raise BudgetExceeded(
                f"{self._label}: a text of {len(text)} characters, at most "
                f"{_MOST_BACKTRACKED}"
            )
        pattern = _backtracking(self._translation.backtracking, self._is_insensitive)
        text = _encoded(text).decode()
        matches = pattern.finditer(text, timeout=seconds, concurrent=True)
        try:
            return self._collect(matches, count, seconds)
        except TimeoutError as error:
            raise self._late(seconds) from error

    def _collect(self, matches: Any, count: int, seconds: float) -> list[Spans]:
        end = time.thread_time() + seconds
        groups = range(self._translation.groups + 1)
        found: list[Spans] = []
        for match in matches:
            found.append([match.span(group) for group in groups])
            if len(found) == count:
                break
            if time.thread_time() > end:
                raise self._late(seconds)
        return found

    def _check_work(self, linear: Any, data: bytes, seconds: float) -> None:
        # RE2 cannot be stopped: what it may have to do is known before.
        if linear.programsize * len(data) > seconds * _RATE:
            raise BudgetExceeded(f"{self._label}: too large for a text that long")

    def _late(self, seconds: float) -> BudgetExceeded:
        return BudgetExceeded(f"{self._label}: takes longer than {seconds:g} s")

    @property
    def _label(self) -> str:
        return f"pattern {_shortened(self.source)}"


@functools.lru_cache(maxsize=64)
def compile_pattern(source: str, flags: str = "u") -> ForeignPattern:
    """A pattern as JavaScript's `new RegExp(source, flags)` understands it.

    Raises:
        NotAPattern: if it, or one of its flags, is not one, or it is too large.
    """
    if len(source) > MOST_CHARACTERS:
        raise NotAPattern(f"a pattern is over {MOST_CHARACTERS} characters")
    for flag in flags:
        if flag not in _FLAGS:
            raise NotAPattern(f'unknown flag "{flag}" of a pattern')
    try:
        translation = translate(source, flags)
        if translation.size > _MOST_SIZE:
            translation = replace(translation, linear=None)
        _check_engines(translation, "i" in flags)
    except NotAPattern as error:
        raise NotAPattern(
            f"{_shortened(source)} is not a pattern: {error.message}"
        ) from error
    return ForeignPattern(source, flags, translation.names, translation)


def _check_engines(translation: PatternTranslation, is_insensitive: bool) -> None:
    """Raise NotAPattern if neither engine takes the pattern."""
    if _linear(translation.linear, is_insensitive, captures=False) is None:
        if translation.weight > _MOST_WEIGHT:
            raise NotAPattern("it repeats too much")
        _backtracking(translation.backtracking, is_insensitive)


def _shortened(source: str) -> str:
    return repr(source if len(source) <= 100 else source[:100] + "…")


def _encoded(text: str) -> bytes:
    """UTF-8; half surrogate pairs, which no engine knows, as other characters."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        whole = ("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
        return "".join(whole).encode()


def _iterate(linear: Any, data: bytes) -> Iterator[Any]:
    """Every match; RE2's own iterator repeats an empty one that stands further on."""
    at = 0
    while at <= len(data):
        match = linear.search(data, at)
        if match is None:
            return
        start, at = match.span()
        # For RE2 `\\B` also stands between the bytes of a character.
        if start == len(data) or not _is_inside(data[start]):
            yield match
        if at == start:
            at += 1
            while at < len(data) and _is_inside(data[at]):
                at += 1


def _is_inside(byte: int) -> bool:
    """Whether a byte of UTF-8 does not begin a character."""
    return byte & 0xC0 == 0x80


def _in_characters(data: bytes, found: list[Spans]) -> list[Spans]:
    """The same places, counted in characters; matches are in order."""
    base_bytes = base_characters = 0
    converted: list[Spans] = []
    for spans in found:
        start = spans[0][0]
        base_characters += len(data[base_bytes:start].decode())
        base_bytes = start
        places = {-1: -1}
        for place in {place for span in spans for place in span} - {-1}:
            # A group of a look-behind would stand before: those are not for RE2.
            places[place] = base_characters + len(data[start:place].decode())
        converted.append([(places[a], places[b]) for a, b in spans])
    return converted


@functools.lru_cache(maxsize=32)
def _linear(source: str | None, is_insensitive: bool, *, captures: bool) -> Any:
    """The pattern for RE2; None if it cannot do it, or not in the memory allowed."""
    if source is None:
        return None
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    options.case_sensitive = not is_insensitive
    options.never_capture = not captures
    try:
        return re2.compile(source.encode(), options)
    except re2.error:
        return None
    finally:
        # The module's own cache would hold four times as many.
        re2.purge()


@functools.lru_cache(maxsize=64)
def _backtracking(source: str, is_insensitive: bool) -> regex.Pattern[str]:
    flags = regex.VERSION0 | (regex.IGNORECASE if is_insensitive else 0)
    try:
        return regex.compile(source, flags, cache_pattern=False)
    except (regex.error, OverflowError, RecursionError, ValueError) as error:
        raise NotAPattern(str(error)) from error
