"""libyaml's events of a YAML text, corrected where libyaml differs from YAML 1.2.

libyaml treats Unicode's line separators as line ends, and refuses control characters,
which text copied from a page or a chat may hold. It also refuses lines of tabs,
comments after tabs, unknown directives, and surrogate pairs.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from shared.guards.surrogate_escapes import with_long_escapes, without_long_escapes

#: Characters that YAML 1.2 allows in text; NUL stays refused, because no store takes
#: it.
_MISREAD = "".join(
    map(chr, [*range(1, 9), 11, 12, *range(14, 32), *range(127, 160), 0x2028, 0x2029])
)
#: Private-use characters replace them while libyaml reads, unless the text has such
#: ones.
_FIRST_STANDIN = 0x10F800
_STANDINS = "".join(chr(_FIRST_STANDIN + number) for number in range(len(_MISREAD)))
_IS_MISREAD = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_IS_STANDIN = re.compile(r"[\U0010f800-\U0010f8ff]|\\U0010[fF]8")
_TO_STANDINS = str.maketrans(_MISREAD, _STANDINS)
_FROM_STANDINS = str.maketrans(_STANDINS, _MISREAD)

_LINE_END = re.compile(r"\r\n?|\n")
#: The indentation of an empty line or a comment that has a tab in it.
_TABS_BEFORE_COMMENT = re.compile(r"(?= *\t)[ \t]++(?=#|\r|\n|\Z)")
_BLANK = re.compile(r"(?m)^(?= *\t)[ \t]++(?=\r?$)")
_DIRECTIVE_PROBLEMS = {
    "found incompatible YAML document",
    "found unknown directive name",
}
#: How often a text is repaired and read again.
REPAIR_LIMIT = 3


def with_standins(text: str) -> str:
    """The text with what libyaml misreads replaced; its length stays the same."""
    readable = with_long_escapes(text)
    if _IS_MISREAD.search(readable) is not None:
        readable = readable.translate(_TO_STANDINS)
    if readable is not text and _IS_STANDIN.search(text) is not None:
        return text
    return readable


def without_standins(value: str, style: str | None) -> str:
    """The value of a scalar of a text that `with_standins` changed."""
    return without_long_escapes(value, style).translate(_FROM_STANDINS)


def events(text: str) -> Iterator[Any]:
    """Each event of the text.

    Raises:
        yaml.YAMLError: if the syntax is broken.
    """
    readable = with_standins(text)
    parsed: Iterator[Any] = yaml.parse(readable, Loader=yaml.CSafeLoader)
    return parsed if readable is text else _without_standins(parsed)


def _without_standins(parsed: Iterator[Any]) -> Iterator[Any]:
    for event in parsed:
        if isinstance(event, yaml.ScalarEvent):
            event.value = without_standins(event.value, event.style)
        yield event


def repaired(text: str, error: yaml.MarkedYAMLError) -> str | None:
    """The text without the construct that only libyaml refuses; None if there is none.

    Every character keeps its position, so that errors name the right place.
    """
    mark = error.problem_mark
    if mark is None:
        return None
    start = _line_start(text, mark.line)
    if error.problem in _DIRECTIVE_PROBLEMS and text.startswith("%", start):
        return f"{text[:start]}#{text[start + 1 :]}"
    parts = [text[:start]]
    end = start
    # The lines of a comment follow each other.
    while (silent := _TABS_BEFORE_COMMENT.match(text, end)) is not None:
        following = _LINE_END.search(text, silent.end())
        line_end = len(text) if following is None else following.end()
        parts += [" " * (silent.end() - end), text[silent.end() : line_end]]
        end = line_end
    if end == start:
        return None
    parts.append(text[end:])
    return _BLANK.sub(lambda match: " " * len(match[0]), "".join(parts))


def parseable(text: str) -> str:
    """The text, repaired so that libyaml can read it if that is possible."""
    for _ in range(REPAIR_LIMIT):
        try:
            for _ in events(text):
                pass
        except yaml.MarkedYAMLError as error:
            repaired_text = repaired(text, error)
            if repaired_text is None:
                break
            text = repaired_text
        except (yaml.YAMLError, UnicodeEncodeError):
            break
        else:
            break
    return text


def _line_start(text: str, line: int) -> int:
    start = 0
    for _ in range(line):
        line_end = _LINE_END.search(text, start)
        if line_end is None:
            break
        start = line_end.end()
    return start
