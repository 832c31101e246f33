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
from services.scaffolder.dialect.methods_text import TEXT
from services.scaffolder.dialect.values import (
    UNDEFINED,
    Pattern,
    SafeText,
    number,
    number_text,
    text,
    to_number,
)

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PRECISION = 100
#: Halves are rounded away from zero, on the exact value, as in JavaScript.
_EXACT = Context(prec=_PRECISION + 25, rounding=ROUND_HALF_UP)
_FRACTION = 52
_LOCALE = Context(prec=400, rounding=ROUND_HALF_UP)


def _digits(call: Call, lowest: int) -> int:
    digits = integer(call.arg(0, 0))
    if not lowest <= digits <= _PRECISION:
        raise ValueFailure(f"Digits must be between {lowest} and {_PRECISION}")
    return digits


def _to_fixed(call: Call) -> str:
    digits = _digits(call, 0)
    value = float(to_number(call.value))
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
    value = float(to_number(call.value))
    if call.arg(0) is UNDEFINED or not math.isfinite(value):
        return number_text(value)
    digits = _digits(call, 1)
    rounded, mantissa, exponent = _scientific(value, digits)
    if exponent < -6 or exponent >= digits:
        return _exponential(mantissa, exponent)
    return f"{rounded:.{max(0, digits - 1 - exponent)}f}"


def _to_exponential(call: Call) -> str:
    value = float(to_number(call.value))
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


def _to_locale_string(call: Call) -> str:
    """A number as English writes it, with three decimal places at most."""
    if text(call.arg(0, "en-US")) not in {"en", "en-US"} or len(call.args) > 1:
        raise ValueFailure("toLocaleString writes numbers as en-US does, no other way")
    value = float(to_number(call.value))
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    rounded = Decimal(repr(value)).quantize(Decimal("0.001"), context=_LOCALE)
    return f"{rounded:,f}".rstrip("0").rstrip(".")


def _has_own_property(call: Call) -> bool:
    name = text(call.arg(0))
    if isinstance(call.value, dict):
        return name in call.value
    is_sequence = isinstance(call.value, (str, list))
    return is_sequence and (
        name == "length" or get_item(call.value, name) is not UNDEFINED
    )


def _test(call: Call) -> bool:
    return patterns.is_match(call.value, text(call.arg(0)))


def _exec(call: Call) -> list[Any] | None:
    once = Pattern(call.value.source, call.value.flags.replace("g", ""))
    return patterns.match_texts(once, text(call.arg(0)))


#: Every value has these, unless its own table has another.
ANY: dict[str, Operation] = {
    "hasOwnProperty": _has_own_property,
    "toString": lambda call: str(text(call.value)),
    "valueOf": lambda call: call.value,
}
NUMBER: dict[str, Operation] = {
    "toExponential": _to_exponential,
    "toFixed": _to_fixed,
    "toLocaleString": _to_locale_string,
    "toPrecision": _to_precision,
    "toString": _to_string,
}
PATTERN: dict[str, Operation] = {
    "exec": _exec,
    "test": _test,
}
# Cookiecutter's templates are written for Python's objects.
OBJECT: dict[str, Operation] = {
    "get": lambda call: call.value.get(text(call.arg(0)), call.arg(1, None)),
    "items": lambda call: [[k, v] for k, v in call.value.items()],
    "keys": lambda call: list(call.value),
    "values": lambda call: list(call.value.values()),
}

_PYTHONS = frozenset(("append", "count"))
#: The methods that any value has in a template of Backstage.
METHOD_NAMES = frozenset({*TEXT, *LIST, *NUMBER, *PATTERN, *ANY}) - _PYTHONS
_TABLES: dict[type, dict[str, Operation]] = {
    str: TEXT,
    SafeText: TEXT,
    list: LIST,
    int: NUMBER,
    float: NUMBER,
    bool: {},
    Pattern: PATTERN,
    dict: OBJECT,
}


def find_method(
    subject: Any, name: str, *, python_words: bool = False
) -> Operation | None:
    """The method `name` of a value, or None."""
    table = _TABLES.get(type(subject))
    if table is None:
        return None
    is_pythons = table is OBJECT or (table is LIST and name in _PYTHONS)
    own = None if is_pythons and not python_words else table.get(name)
    return own or ANY.get(name)


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
