"""The events of a YAML text, for what libyaml reads otherwise than YAML 1.2.

It takes the line separators of Unicode as ends of lines, and refuses control
characters: text that was copied from a page or a chat holds them. It refuses lines that
hold tabs and nothing else, comments behind tabs, and directives that it does not know.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

#: Signs that are letters in YAML 1.2; NUL stays refused, no store takes it.
_ODD = "".join(
    map(chr, [*range(1, 9), 11, 12, *range(14, 32), *range(127, 160), 0x2028, 0x2029])
)
#: Private signs that stand for them while libyaml reads; a text with one is left alone.
_FIRST = 0x10F800
_STANDINS = "".join(chr(_FIRST + number) for number in range(len(_ODD)))
_IS_ODD = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_IS_STANDIN = re.compile(r"[\U0010f800-\U0010f8ff]")
_DISGUISE = str.maketrans(_ODD, _STANDINS)
_REVEAL = str.maketrans(_STANDINS, _ODD)

_LINE_END = re.compile(r"\r\n?|\n")
#: A line that says nothing although it begins with a tab.
_SILENT = re.compile(r"(?= *\t)[ \t]++(?=#|\r|\n|\Z)")
_BLANK = re.compile(r"(?m)^(?= *\t)[ \t]++(?=\r?$)")
_DIRECTIVE = {"found incompatible YAML document", "found unknown directive name"}
#: So often a text is mended and read again.
MOST_REPAIRS = 3


def disguised(text: str) -> str:
    """The text as libyaml reads it right: of the same length, line by line."""
    if _IS_ODD.search(text) is None or _IS_STANDIN.search(text) is not None:
        return text
    return text.translate(_DISGUISE)


def events(text: str) -> Iterator[Any]:
    """Each event of the text.

    Raises:
        yaml.YAMLError: if the syntax is broken.
    """
    shown = disguised(text)
    found: Iterator[Any] = yaml.parse(shown, Loader=yaml.CSafeLoader)
    return found if shown is text else _revealed(found)


def _revealed(found: Iterator[Any]) -> Iterator[Any]:
    for event in found:
        if isinstance(event, yaml.ScalarEvent):
            event.value = event.value.translate(_REVEAL)
        yield event


def repaired(text: str, error: yaml.MarkedYAMLError) -> str | None:
    """The text without what alone libyaml stumbled over; None if that is not so.

    Each sign keeps its place, so that errors still name it.
    """
    mark = error.problem_mark
    if mark is None:
        return None
    start = _start_of(text, mark.line)
    if error.problem in _DIRECTIVE and text.startswith("%", start):
        return f"{text[:start]}#{text[start + 1 :]}"
    pieces = [text[:start]]
    end = start
    # The lines of a comment stand together.
    while (silent := _SILENT.match(text, end)) is not None:
        following = _LINE_END.search(text, silent.end())
        line_end = len(text) if following is None else following.end()
        pieces += [" " * (silent.end() - end), text[silent.end() : line_end]]
        end = line_end
    if end == start:
        return None
    pieces.append(text[end:])
    return _BLANK.sub(lambda found: " " * len(found[0]), "".join(pieces))


def parseable(text: str) -> str:
    """The text as it can be read, if that is possible."""
    for _ in range(MOST_REPAIRS):
        try:
            for _ in events(text):
                pass
        except yaml.MarkedYAMLError as error:
            better = repaired(text, error)
            if better is None:
                break
            text = better
        except (yaml.YAMLError, UnicodeEncodeError):
            break
        else:
            break
    return text


def _start_of(text: str, line: int) -> int:
    start = 0
    for _ in range(line):
        found = _LINE_END.search(text, start)
        if found is None:
            break
        start = found.end()
    return start
