"""Unicode's normal forms of foreign text, in time that grows with its length alone.

`unicodedata.normalize` sorts the marks after a letter by exchanging neighbours: a
letter with 100,000 marks takes it most of a minute. Long rows of marks are therefore
sorted before, which does not change their normal form.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby
from typing import Literal

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
#: A row of characters that may be marks, longer than in any real text (Unicode's
#: stream-safe format allows 30). No mark is a letter or a digit.
_LONG_ROW = re.compile(r"[^\w\x00-\u02ff]{31,}")


def composed(text: str) -> str:
    """The text in form NFC: letters are combined with their marks where possible."""
    if text.isascii() or is_composed(text):
        return text
    return normalized(text, "NFC")


def normalized(text: str, form: Form) -> str:
    """The text in a normal form."""
    return unicodedata.normalize(form, _LONG_ROW.sub(_sorted_marks, text))


def is_composed(text: str) -> bool:
    """Whether the text is in form NFC; unsorted marks end the check at once."""
    return unicodedata.is_normalized("NFC", text)


def decomposed(char: str) -> str:
    """The plain letters and marks of one character (form NFKD).

    Raises:
        ValueError: if there are more characters.
    """
    if len(char) != 1:
        raise ValueError("one character")
    return unicodedata.normalize("NFKD", char)


def _sorted_marks(row: re.Match[str]) -> str:
    """The decomposed characters of a row, with marks sorted by combining class."""
    chars = (part for char in row[0] for part in unicodedata.normalize("NFD", char))
    return "".join(_by_class(chars))


def _by_class(chars: Iterator[str]) -> Iterator[str]:
    for is_mark, group in groupby(chars, _is_mark):
        yield from sorted(
            group, key=unicodedata.combining if is_mark else _unchanged_order
        )


def _is_mark(char: str) -> bool:
    return unicodedata.combining(char) > 0


def _unchanged_order(_: str) -> int:
    return 0
