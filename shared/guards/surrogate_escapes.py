r"""Surrogate pairs that are written as two escapes, as JSON writes an emoji.

JSON is YAML, but libyaml refuses both halves (`"\ud83d\ude80"`). It reads one long
escape and two private-use characters instead: the text keeps its length, so that errors
name the right place.
"""

import re

_FIRST_MARK = 0x10F8F0
_MARKS = "".join(chr(_FIRST_MARK + number) for number in range(16))
#: A backslash that another one escapes begins no escape.
_PAIR = re.compile(
    r"(?<!\\)((?:\\\\)*+)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
)
_MARKED = re.compile(
    r"\\U([0-9a-f]{8})([\U0010f8f0-\U0010f8ff])([\U0010f8f0-\U0010f8ff])"
)
_REMOVE_MARKS = str.maketrans("", "", _MARKS)


def with_long_escapes(text: str) -> str:
    """The text with each pair as one long escape; the same if it has none."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    joined, count = _PAIR.subn(_long_escape, text)
    return joined if count else text


def without_long_escapes(value: str, style: str | None) -> str:
    """The value of a scalar of such a text: only double quotes have escapes."""
    if style == '"':
        return value.translate(_REMOVE_MARKS)
    return _MARKED.sub(_as_written, value)


def _long_escape(match: re.Match[str]) -> str:
    before, high, low = match.groups()
    code = 0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00
    return f"{before}\\U{code:08x}{_capitals(high)}{_capitals(low)}"


def _capitals(digits: str) -> str:
    """The mark that says which of four hexadecimal digits are capital letters."""
    bits = sum(digit.isupper() << place for place, digit in enumerate(digits))
    return _MARKS[bits]


def _as_written(match: re.Match[str]) -> str:
    code = int(match[1], 16) - 0x10000
    halves = (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))
    return "".join(
        "\\u" + _with_capitals(f"{half:04x}", ord(mark) - _FIRST_MARK)
        for half, mark in zip(halves, match.groups()[1:], strict=True)
    )


def _with_capitals(digits: str, bits: int) -> str:
    return "".join(
        digit.upper() if bits >> place & 1 else digit
        for place, digit in enumerate(digits)
    )
