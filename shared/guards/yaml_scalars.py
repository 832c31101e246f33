"""Resolves YAML scalars by the core schema of YAML 1.2, or by YAML 1.1.

Sources: YAML 1.2.2, section 10.3.2, and the YAML 1.1 type repository. Whole floats are
integers, because JSON, in which entities are served, has one type of number.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Literal, Self


class WrittenNumber(float):
    """A number that keeps its written form: `1.10`, `1e3`, `0x1f`.

    `str()` returns the written form; the value may be less exact.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, number: float, text: str) -> Self:
        """Make the number of the written form `text`."""
        instance = super().__new__(cls, number)
        instance.text = text
        return instance

    def __str__(self) -> str:
        """The written form."""
        return self.text


class WrittenBoolean(int):
    """A truth value that keeps its written form in `text`: `True`, `FALSE`."""

    text: str

    def __new__(cls, value: bool, text: str) -> Self:
        """Make the truth value of the written form `text`."""
        instance = super().__new__(cls, value)
        instance.text = text
        return instance


#: The scalars that keep their written form.
KeepWritten = Literal["", "numbers", "numbers and booleans"]
Scalar = str | int | float | bool | dict[str, object] | None
Resolver = Callable[[str], Scalar]

_FIRST = frozenset("-+.0123456789tTfFnN~")
_FIRST_11 = _FIRST | frozenset("yYoO")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WORDS_11: dict[str, bool | None] = {
    **_WORDS,
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_INT = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INT_11 = re.compile(
    r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*(:[0-5]?[0-9])*)"
)
_FLOAT_11 = re.compile(r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?")
_INT64_LIMIT = 2**63


def resolve(text: str) -> Scalar:
    """The value of a plain scalar by the 1.2 core schema."""
    if text and text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return _integer(text, 10)
    if _PREFIXED.fullmatch(text):
        return _integer(text[2:], 8 if text[1] == "o" else 16)
    if _FLOAT.fullmatch(text):
        return _number(text)
    return None if _NOT_FINITE.fullmatch(text) else text


def resolve_old(text: str) -> Scalar:
    """The value of a plain scalar by YAML 1.1, which `%YAML 1.1` requests.

    Dates stay text, because JSON has no type for them.
    """
    if text and text[0] not in _FIRST_11:
        return text
    if text in _WORDS_11:
        return _WORDS_11[text]
    if _INT_11.fullmatch(text):
        return _integer_old(text.replace("_", ""))
    if _FLOAT_11.fullmatch(text):
        return _number(text.replace("_", ""))
    return None if _NOT_FINITE.fullmatch(text) else text


def as_written(text: str, value: Scalar) -> Scalar:
    """`value` as a `WrittenNumber` if its written form has more information.

    A form that YAML 1.2 reads as another value is dropped: `010` of YAML 1.1.
    """
    is_number = value is None or value.__class__ in {int, float}
    if not is_number or text in _WORDS or resolve(text) != value:
        return value
    if value is None:
        return WrittenNumber(math.nan, text)
    if isinstance(value, int) and str(value) == text:
        return value
    return WrittenNumber(value, text)  # type: ignore[arg-type]


def _integer(digits: str, radix: int) -> int | float | None:
    # Python refuses to convert thousands of digits, and JSON cannot write them exactly.
    if len(digits) > 64:
        return _number(digits) if radix == 10 else None
    value = int(digits, radix)
    return value if -_INT64_LIMIT <= value < _INT64_LIMIT else float(value)


def _integer_old(text: str) -> int | float | None:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if ":" in digits:
        return _base_sixty(sign, digits)
    for prefix, radix in (("0b", 2), ("0x", 16), ("0", 8)):
        magnitude = digits.removeprefix(prefix)
        if digits.startswith(prefix) and magnitude:
            value = _integer(magnitude, radix)
            return None if value is None else sign * value
    return _integer(text, 10)


def _base_sixty(sign: int, digits: str) -> int | float | None:
    if len(digits) > 64:
        return None
    value = 0
    for part in digits.split(":"):
        value = value * 60 + int(part)
    return sign * value if value < _INT64_LIMIT else float(sign * value)


def _number(text: str) -> int | float | None:
    value = float(text)
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _text(text: str) -> str:
    return text


def _require_type(kind: type, resolver: Resolver) -> Resolver:
    def tagged(text: str) -> Scalar:
        value = resolver(text)
        fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        if not fits:
            raise ValueError(f"{text!r} is not of the type that its tag names")
        return value

    return tagged


def _real(text: str) -> Scalar:
    value = resolve(text)
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise ValueError(f"{text!r} is not a number")  # noqa: TRY004 - bad input
    return value


def read_binary(text: str) -> Scalar:
    """Bytes as Node's Buffer serialises them, which is Backstage's answer."""
    try:
        data = base64.b64decode(text, validate=False)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
    return {"type": "Buffer", "data": list(data)}


_PREFIX = "tag:yaml.org,2002:"
#: Standard tags that do not change the JSON value.
CORE_KINDS = frozenset(
    f"{_PREFIX}{kind}"
    for kind in (
        "str",
        "map",
        "seq",
        "set",
        "omap",
        "pairs",
        "timestamp",
        "value",
        "merge",
    )
) | {"!"}
TAGGED: dict[str, Resolver] = {
    f"{_PREFIX}str": _text,
    f"{_PREFIX}int": _require_type(int, resolve),
    f"{_PREFIX}bool": _require_type(bool, resolve),
    f"{_PREFIX}null": lambda _: None,
    f"{_PREFIX}float": _real,
    f"{_PREFIX}binary": read_binary,
}
