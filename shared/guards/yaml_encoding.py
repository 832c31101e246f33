"""Decodes a file's bytes as UTF-8, or names the encoding that they seem to have."""

import codecs

from shared.contracts.errors import Invalid
from shared.guards.lfs_pointers import refuse_lfs_pointer

_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
#: The encoding is guessed from so many bytes.
_BEGINNING = 400
_ADVICE = "save it as UTF-8"


def decode(body: bytes | str) -> str:
    """The text without a byte order mark.

    Raises:
        Invalid: with line, column and advice, if it is not UTF-8; with advice, if it
            is a pointer of Git LFS.
    """
    if isinstance(body, str):
        return body.removeprefix("\ufeff")
    refuse_lfs_pointer(body)
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
    """UTF-16 or UTF-32 if the text seems to be encoded so, else "".

    Without a byte order mark, zeros in every second byte reveal it.
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
