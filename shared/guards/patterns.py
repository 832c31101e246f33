"""Matches foreign regular expressions, written for JavaScript, within limits.

RE2 matches almost all of them, in time linear in the text. The rest (look-around, back
references, very many repeats) goes to `regex`, which backtracks, within a limit of
processor time. Both release the interpreter lock while they match but not while they
compile, so a pattern's size is limited.
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

PATTERN_CHARACTERS = 4_000
#: The size limit of patterns for `regex`, with counted repeats expanded.
_WEIGHT_LIMIT = 10_000
#: The size limit of patterns for RE2, which is slow to refuse larger ones.
_SIZE_LIMIT = 20_000
#: Bytes for one pattern's program and its cached states.
_RE2_MEMORY = 1024 * 1024
#: Instructions times characters that RE2 works off in a second, at the worst.
_RE2_STEPS_PER_SECOND = 100_000_000
#: The longest text for `regex`, whose memory grows with the text.
_BACKTRACKED_CHARACTERS = 200_000
_FLAGS = frozenset("imsugyd")
_SECONDS = 0.25

#: Start and end of a match and of each of its groups; (-1, -1) is no match.
Spans = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ForeignPattern:
    """A compiled foreign pattern."""

    source: str
    flags: str
    #: The numbers of the named groups.
    names: dict[str, int]
    _translation: PatternTranslation

    def matches(self, text: str, *, seconds: float = _SECONDS) -> bool:
        """Whether it matches anywhere in `text`, as JavaScript's `test`.

        Raises:
            BudgetExceeded: if that takes more than `seconds` of processor time.
        """
        linear = _compile_linear(
            self._translation.linear, self._is_insensitive, captures=False
        )
        if linear is None:
            return self._backtracking_spans(text, 1, seconds) != []
        data = _encode(text)
        self._check_work(linear, data, seconds)
        return next(_iterate(linear, data), None) is not None

    def search(self, text: str, *, seconds: float = _SECONDS) -> Spans | None:
        """The spans of the first match in `text`: the whole match, then each group.

        Raises:
            BudgetExceeded: if that takes more than `seconds` of processor time.
        """
        spans = self.spans(text, 1, seconds=seconds)
        return spans[0] if spans else None

    def spans(
        self, text: str, count: int = 0, *, seconds: float = _SECONDS
    ) -> list[Spans]:
        """The spans of at most `count` matches in `text`; 0 is all.

        Raises:
            BudgetExceeded: if that takes more than `seconds` of processor time.
        """
        linear = _compile_linear(
            self._translation.linear, self._is_insensitive, captures=True
        )
        if linear is None:
            return self._backtracking_spans(text, count, seconds)
        data = _encode(text)
        # RE2 records the groups at each step.
        self._check_work(linear, data, seconds / (1 + self._translation.groups // 4))
        matches = _iterate(linear, data)
        spans = self._collect(matches, count, seconds)
        return spans if len(data) == len(text) else _in_characters(data, spans)

    @property
    def _is_insensitive(self) -> bool:
        return "i" in self.flags

    def _backtracking_spans(self, text: str, count: int, seconds: float) -> list[Spans]:
        if len(text) > _BACKTRACKED_CHARACTERS:
            raise BudgetExceeded(
                f"{self._label}: a text of {len(text)} characters, at most "
                f"{_BACKTRACKED_CHARACTERS}"
            )
        pattern = _compile_backtracking(
            self._translation.backtracking, self._is_insensitive
        )
        text = _encode(text).decode()
        matches = pattern.finditer(text, timeout=seconds, concurrent=True)
        try:
            return self._collect(matches, count, seconds)
        except TimeoutError as error:
            raise self._time_exceeded(seconds) from error

    def _collect(self, matches: Any, count: int, seconds: float) -> list[Spans]:
        end = time.thread_time() + seconds
        groups = range(self._translation.groups + 1)
        spans: list[Spans] = []
        for match in matches:
            spans.append([match.span(group) for group in groups])
            if len(spans) == count:
                break
            if time.thread_time() > end:
                raise self._time_exceeded(seconds)
        return spans

    def _check_work(self, linear: Any, data: bytes, seconds: float) -> None:
        # RE2 cannot be stopped, so its work is estimated before.
        if linear.programsize * len(data) > seconds * _RE2_STEPS_PER_SECOND:
            raise BudgetExceeded(f"{self._label}: too large for a text that long")

    def _time_exceeded(self, seconds: float) -> BudgetExceeded:
        return BudgetExceeded(f"{self._label}: takes longer than {seconds:g} s")

    @property
    def _label(self) -> str:
        return f"pattern {_shortened(self.source)}"


@functools.lru_cache(maxsize=64)
def compile_pattern(source: str, flags: str = "u") -> ForeignPattern:
    """A pattern as JavaScript's `new RegExp(source, flags)` understands it.

    Raises:
        NotAPattern: if it is not a pattern, has an unknown flag, or is too large.
    """
    if len(source) > PATTERN_CHARACTERS:
        raise NotAPattern(f"a pattern is over {PATTERN_CHARACTERS} characters")
    for flag in flags:
        if flag not in _FLAGS:
            raise NotAPattern(f'unknown flag "{flag}" of a pattern')
    try:
        translation = translate(source, flags)
        if translation.size > _SIZE_LIMIT:
            translation = replace(translation, linear=None)
        _check_engines(translation, "i" in flags)
    except NotAPattern as error:
        raise NotAPattern(
            f"{_shortened(source)} is not a pattern: {error.message}"
        ) from error
    return ForeignPattern(source, flags, translation.names, translation)


def _check_engines(translation: PatternTranslation, is_insensitive: bool) -> None:
    """Raise NotAPattern if neither engine takes the pattern."""
    if _compile_linear(translation.linear, is_insensitive, captures=False) is None:
        if translation.weight > _WEIGHT_LIMIT:
            raise NotAPattern("it repeats too much")
        _compile_backtracking(translation.backtracking, is_insensitive)


def _shortened(source: str) -> str:
    return repr(source if len(source) <= 100 else source[:100] + "…")


def _encode(text: str) -> bytes:
    """UTF-8, with half surrogate pairs, which no engine accepts, replaced."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        characters = ("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
        return "".join(characters).encode()


def _iterate(linear: Any, data: bytes) -> Iterator[Any]:
    """Every match; RE2's own iterator reports some empty matches twice."""
    at = 0
    while at <= len(data):
        match = linear.search(data, at)
        if match is None:
            return
        start, at = match.span()
        # For RE2 `\\B` also matches between the bytes of a character.
        if start == len(data) or not _is_continuation(data[start]):
            yield match
        if at == start:
            at += 1
            while at < len(data) and _is_continuation(data[at]):
                at += 1


def _is_continuation(byte: int) -> bool:
    """Whether a byte continues a character of UTF-8."""
    return byte & 0xC0 == 0x80


def _in_characters(data: bytes, byte_spans: list[Spans]) -> list[Spans]:
    """The spans counted in characters instead of bytes; matches are in order."""
    base_bytes = base_characters = 0
    converted: list[Spans] = []
    for spans in byte_spans:
        start = spans[0][0]
        base_characters += len(data[base_bytes:start].decode())
        base_bytes = start
        places = {-1: -1}
        for place in {place for span in spans for place in span} - {-1}:
            # No group lies before the match: RE2 has no look-behind.
            places[place] = base_characters + len(data[start:place].decode())
        converted.append([(places[a], places[b]) for a, b in spans])
    return converted


@functools.lru_cache(maxsize=32)
def _compile_linear(source: str | None, is_insensitive: bool, *, captures: bool) -> Any:
    """The pattern for RE2; None if RE2 cannot compile it within its memory."""
    if source is None:
        return None
    options = re2.Options()
    options.max_mem = _RE2_MEMORY
    options.log_errors = False
    options.case_sensitive = not is_insensitive
    options.never_capture = not captures
    try:
        return re2.compile(source.encode(), options)
    except re2.error:
        return None
    finally:
        # The module's own cache would keep four times as many.
        re2.purge()


@functools.lru_cache(maxsize=64)
def _compile_backtracking(source: str, is_insensitive: bool) -> regex.Pattern[str]:
    flags = regex.VERSION0 | (regex.IGNORECASE if is_insensitive else 0)
    try:
        return regex.compile(source, flags, cache_pattern=False)
    except (regex.error, OverflowError, RecursionError, ValueError) as error:
        raise NotAPattern(str(error)) from error
