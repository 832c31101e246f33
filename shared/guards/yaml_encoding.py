"""The text of a file's bytes; if they are no UTF-8, what they seem to be instead."""

import codecs

from shared.contracts.errors import Invalid

_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
#: Bytes of a text from which its encoding is guessed.
_BEGINNING = 400
_ADVICE = "save it as UTF-8"


def decode(body: bytes | str) -> str:
    """The text without a byte order mark.

    Raises:
        Invalid: with line and column, and what to do, if it is no UTF-8.
    """
    if isinstance(body, str):
        return body.removeprefix("\ufeff")
    encoding = _wide_encoding(body)
    if encoding:
        raise Invalid(f"YAML error: the file is {encoding}, not UTF-8: {_ADVICE}")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(
            f"YAML error: byte {error.start} is not UTF-8 "
            f"{_place(body, error.start)}: {_ADVICE}"
        ) from error


def _wide_encoding(body: bytes) -> str:
    """The encoding of several bytes a sign that a text has, "" if it has none.

    Without its mark it is known by the zeros that every second byte is.
    """
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            return encoding
    beginning = body[:_BEGINNING]
    even, odd = beginning[::2], beginning[1::2]
    if len(odd) > 1 and any(even) != any(odd):
        return "UTF-16"
    return ""


def _place(body: bytes, position: int) -> str:
    before = body[:position].decode("utf-8-sig")
    column = len(before) - (before.rfind("\n") + 1)
    return f"at line {before.count(chr(10)) + 1}, column {column + 1}"
