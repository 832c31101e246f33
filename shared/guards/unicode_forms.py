"""Unicode's normal forms of foreign text, in time that grows with its length alone.

`unicodedata.normalize` puts the marks behind a letter in order by exchanging
neighbours: a letter with 100,000 marks takes it most of a minute. Long rows of marks
are therefore sorted before it sees them, which changes nothing about their form.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

#: What may hold marks that are exchanged, in a row longer than text has any (Unicode's
#: stream-safe format allows 30): no mark is a letter or a digit.
_LONG_ROW = re.compile(r"[^\w\x00-\u02ff]{31,}")


def composed(text: str) -> str:
    """The text in form NFC: letters are one with their marks where they can be."""
    if text.isascii() or is_composed(text):
        return text
    return unicodedata.normalize("NFC", _LONG_ROW.sub(_sorted_marks, text))


def is_composed(text: str) -> bool:
    """Whether the text is in form NFC; marks out of order are an answer at once."""
    return unicodedata.is_normalized("NFC", text)


def taken_apart(char: str) -> str:
    """The plain letters and marks that one character stands for (form NFKD).

    Raises:
        ValueError: if there are more characters.
    """
    if len(char) != 1:
        raise ValueError("one character")
    return unicodedata.normalize("NFKD", char)


def _sorted_marks(row: re.Match[str]) -> str:
    """The characters of a row taken apart, the marks between starters by class."""
    chars = (part for char in row[0] for part in unicodedata.normalize("NFD", char))
    return "".join(_by_class(chars))


def _by_class(chars: Iterator[str]) -> Iterator[str]:
    for is_mark, several in groupby(chars, _is_mark):
        yield from sorted(several, key=unicodedata.combining if is_mark else _in_place)


def _is_mark(char: str) -> bool:
    return unicodedata.combining(char) > 0


def _in_place(_: str) -> int:
    return 0
