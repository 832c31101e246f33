"""The JavaScript methods that a template may call on text, lists and numbers.

A closed table: a name that is not in it is undefined, whatever Python would find.
"""

import math
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from services.scaffolder.dialect import patterns
from services.scaffolder.dialect.arithmetic import integer
from services.scaffolder.dialect.calling import Call, Operation
from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.methods_list import LIST
from services.scaffolder.dialect.values import (
    UNDEFINED,
    Pattern,
    SafeText,
    number,
    number_text,
    text,
    to_number,
)
from shared.guards import text_search

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PRECISION = 100
#: Halves are rounded away from zero, on the exact value, as in JavaScript.
_EXACT = Context(prec=_PRECISION + 25, rounding=ROUND_HALF_UP)
_FRACTION = 52


def _bounded(value: Any, size: int, default: int) -> int:
    """An index of `slice`: negative counts from the end."""
    at = integer(value) if value is not UNDEFINED else default
    return max(0, size + at) if at < 0 else min(at, size)


def _clamped(value: Any, size: int, default: int) -> int:
    at = integer(value) if value is not UNDEFINED else default
    return max(0, min(at, size))


def _char_at(call: Call) -> str:
    at = integer(call.arg(0, 0))
    return call.value[at] if 0 <= at < len(call.value) else ""


def _char_code_at(call: Call) -> Any:
    at = integer(call.arg(0, 0))
    return ord(call.value[at]) if 0 <= at < len(call.value) else math.nan


def _concat(call: Call) -> str:
    parts = [call.value, *map(text, call.args)]
    call.afford(sum(map(len, parts)))
    return "".join(parts)


def _searched_text(call: Call) -> str:
    if isinstance(call.arg(0), Pattern):
        raise ValueFailure("A pattern is not accepted here")
    return text(call.arg(0))


def _includes(call: Call) -> bool:
    return _index_of(call) >= 0


def _starts_with(call: Call) -> bool:
    at = _clamped(call.arg(1), len(call.value), 0)
    return bool(call.value.startswith(_searched_text(call), at))


def _ends_with(call: Call) -> bool:
    end = _clamped(call.arg(1), len(call.value), len(call.value))
    return bool(call.value[:end].endswith(_searched_text(call)))


def _index_of(call: Call) -> int:
    at = _clamped(call.arg(1), len(call.value), 0)
    return text_search.find_first(call.value, _searched_text(call), at)


def _last_index_of(call: Call) -> int:
    searched = _searched_text(call)
    at = _clamped(call.arg(1), len(call.value), len(call.value))
    return text_search.find_last(call.value, searched, at + len(searched))


def _replace(call: Call) -> str:
    old, new = call.arg(0), text(call.arg(1))
    if not isinstance(old, Pattern):
        old = text(old)
        at = text_search.find_first(call.value, old)
        if at < 0:
            return str(call.value)
        span = [(at, at + len(old))]
        call.afford(len(call.value) + patterns.expanded_size(new, call.value, span))
        new = patterns.expanded(new, call.value, span, {})
        return str(call.value[:at] + new + call.value[at + len(old) :])
    return patterns.replace(old, call.value, new, call.budget)


def _slice(call: Call) -> str:
    size = len(call.value)
    start = _bounded(call.arg(0), size, 0)
    return str(call.value[start : _bounded(call.arg(1), size, size)])


def _split(call: Call) -> list[Any]:
    by = call.arg(0)
    call.budget.write(len(call.value))
    if by is UNDEFINED:
        parts: list[Any] = [call.value]
    elif isinstance(by, Pattern):
        parts = patterns.split(by, call.value)
    else:
        by = text(by)
        call.afford_items(text_search.count(call.value, by) + 1)
        parts = text_search.split(call.value, by) if by else list(call.value)
    limit = call.arg(1)
    if limit is not UNDEFINED and integer(limit) >= 0:
        parts = parts[: integer(limit)]
    return parts


def _substring(call: Call) -> str:
    size = len(call.value)
    ends = (_clamped(call.arg(0), size, 0), _clamped(call.arg(1), size, size))
    return str(call.value[min(ends) : max(ends)])


def _digits(call: Call, lowest: int) -> int:
    digits = integer(call.arg(0, 0))
    if not lowest <= digits <= _PRECISION:
        raise ValueFailure(f"Digits must be between {lowest} and {_PRECISION}")
    return digits


def _to_fixed(call: Call) -> str:
    digits = _digits(call, 0)
    value = float(call.value)
    if not math.isfinite(value) or abs(value) >= 1e21:
        return number_text(value)
    exact = abs(Decimal(value)).quantize(Decimal(1).scaleb(-digits), context=_EXACT)
    return f"{'-' if value < 0 else ''}{exact:f}"


def _scientific(value: float, digits: int) -> tuple[Decimal, str, int]:
    """A number rounded to significant digits, with its mantissa and exponent."""
    rounded = Context(digits, rounding=ROUND_HALF_UP).create_decimal(Decimal(value))
    formatted = f"{rounded if value else 0.0:.{digits - 1}e}"
    mantissa, _, exponent = formatted.partition("e")
    return rounded, mantissa, int(exponent)


def _exponential(mantissa: str, exponent: int) -> str:
    return f"{mantissa}e{'+' if exponent >= 0 else '-'}{abs(exponent)}"


def _to_precision(call: Call) -> str:
    if call.arg(0) is UNDEFINED or not math.isfinite(call.value):
        return number_text(call.value)
    digits = _digits(call, 1)
    rounded, mantissa, exponent = _scientific(float(call.value), digits)
    if exponent < -6 or exponent >= digits:
        return _exponential(mantissa, exponent)
    return f"{rounded:.{max(0, digits - 1 - exponent)}f}"


def _to_exponential(call: Call) -> str:
    value = float(call.value)
    if not math.isfinite(value):
        return number_text(value)
    if call.arg(0) is UNDEFINED:
        mantissa, _, exponent = f"{Decimal(repr(value)):e}".partition("e")
        shortest = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return _exponential(shortest if value else "0", int(exponent) if value else 0)
    _, mantissa, power = _scientific(value, _digits(call, 0) + 1)
    return _exponential(mantissa, power)


def _to_string(call: Call) -> str:
    base = integer(call.arg(0, 10))
    if not 2 <= base <= len(_DIGITS):
        raise ValueFailure("A base must be between 2 and 36")
    value = to_number(call.value)
    if base == 10 or not math.isfinite(value):
        return number_text(value)
    fraction, whole = math.modf(abs(value))
    digits = [_DIGITS[0]] if whole == 0 else []
    rest = int(whole)
    while rest:
        rest, digit = divmod(rest, base)
        digits.append(_DIGITS[digit])
    digits_text = "".join(reversed(digits))
    if fraction:
        digits_text += "."
        while fraction and len(digits_text) < _FRACTION:
            fraction, digit_value = math.modf(fraction * base)
            digits_text += _DIGITS[int(digit_value)]
    return f"-{digits_text}" if value < 0 else digits_text


def _test(call: Call) -> bool:
    return patterns.is_match(call.value, text(call.arg(0)))


TEXT: dict[str, Operation] = {
    "charAt": _char_at,
    "charCodeAt": _char_code_at,
    "concat": _concat,
    "endsWith": _ends_with,
    "includes": _includes,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "replace": _replace,
    "slice": _slice,
    "split": _split,
    "startsWith": _starts_with,
    "substring": _substring,
    "toLowerCase": lambda call: call.value.lower(),
    "toUpperCase": lambda call: call.value.upper(),
    "trim": lambda call: call.value.strip(),
    "trimEnd": lambda call: call.value.rstrip(),
    "trimStart": lambda call: call.value.lstrip(),
}
NUMBER: dict[str, Operation] = {
    "toExponential": _to_exponential,
    "toFixed": _to_fixed,
    "toPrecision": _to_precision,
    "toString": _to_string,
}
PATTERN: dict[str, Operation] = {"test": _test}
# Cookiecutter's templates are written for Python's objects.
OBJECT: dict[str, Operation] = {
    "get": lambda call: call.value.get(text(call.arg(0)), call.arg(1, None)),
    "items": lambda call: [[k, v] for k, v in call.value.items()],
    "keys": lambda call: list(call.value),
    "values": lambda call: list(call.value.values()),
}

_NONE: dict[str, Operation] = {}
_PYTHONS = frozenset(("append", "count"))
_TABLES: dict[type, dict[str, Operation]] = {
    str: TEXT,
    SafeText: TEXT,
    list: LIST,
    int: NUMBER,
    float: NUMBER,
    Pattern: PATTERN,
    dict: OBJECT,
}


def find_method(
    subject: Any, name: str, *, python_words: bool = False
) -> Operation | None:
    """The method `name` of a value, or None."""
    table = _TABLES.get(type(subject), _NONE)
    is_pythons = table is OBJECT or (table is LIST and name in _PYTHONS)
    return None if is_pythons and not python_words else table.get(name)


def get_item(subject: Any, key: Any) -> Any:
    """The value at `key` as JavaScript finds it; undefined where there is none."""
    if isinstance(subject, dict):
        return subject.get(text(key), UNDEFINED)
    if not isinstance(subject, (list, str)):
        return UNDEFINED
    if isinstance(key, str) and len(key) < 16 and key.isascii() and key.isdigit():
        key = int(key) if str(int(key)) == key else key
    if isinstance(key, bool) or not isinstance(key, (int, float)):
        return UNDEFINED
    at = number(key)
    if not isinstance(at, int) or not 0 <= at < len(subject):
        return UNDEFINED
    return subject[at]
