"""JavaScript's view of JSON values: truth, text, numbers, equality and order.

Python's `None`, `bool`, `int`, `float`, `str`, `list`, `dict` are the values; undefined
is `UNDEFINED`; everything else is a `Callable` of this language or a `Pattern`.
"""

import math
import re
from collections.abc import Callable as Function
from dataclasses import dataclass
from typing import Any, Final

from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.limits import RenderingBudget, check_operand, in_force

_SAFE_INTEGER = 2**53
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)")
_RADIX = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")


#: An object of JavaScript: JSON, or what a template made of it.
Record = dict[str, Any]


class Undefined:
    """The type of `UNDEFINED`, the value of a name that does not exist."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "undefined"

    def __deepcopy__(self, _: object) -> "Undefined":
        return self


UNDEFINED: Final = Undefined()


class SafeText(str):
    """Text that `escape` does not change, as after `safe` or a first `escape`."""

    __slots__ = ()


class Keywords(Record):
    """The keyword arguments of a call, which arrive as its last argument."""


@dataclass(slots=True, eq=False)
class Callable:
    """A function that a template may call; never any other Python function."""

    name: str
    call: Function[..., Any]
    is_macro: bool = False


CYCLER_METHODS = frozenset(("next", "reset"))


@dataclass(slots=True, eq=False)
class Cycler:
    """The value of `cycler('a', 'b')`."""

    items: list[Any]
    index: int = -1

    @property
    def current(self) -> Any:
        return self.items[self.index] if self.index >= 0 and self.items else None

    def next(self) -> Any:
        if not self.items:
            return UNDEFINED
        self.index = (self.index + 1) % len(self.items)
        return self.items[self.index]

    def reset(self) -> Any:
        self.index = -1
        return UNDEFINED


@dataclass(slots=True, frozen=True)
class Pattern:
    """A regular expression literal, `r/source/flags`."""

    source: str
    flags: str


def truthy(value: Any) -> bool:
    """Whether `value` is truthy in JavaScript, as `[]` and `{}` are."""
    if isinstance(value, (list, dict)):
        return True
    if isinstance(value, float) and math.isnan(value):
        return False
    return bool(value)


def is_number(value: Any) -> bool:
    """Whether it is a number of JavaScript: a boolean is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def number(value: float) -> int | float:
    """`value` as an int where it is whole and exact in a double, else as a float."""
    if isinstance(value, int):
        return value if -_SAFE_INTEGER < value < _SAFE_INTEGER else _double(value)
    if value.is_integer() and -_SAFE_INTEGER < value < _SAFE_INTEGER:
        return int(value)
    return value


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def to_number(value: Any) -> int | float:
    """JavaScript's `Number(value)`; NaN where it is none."""
    if isinstance(value, bool) or value is None:
        return int(value or 0)
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, list):
        return to_number(text(value))
    if not isinstance(value, str):
        return math.nan
    in_force().read(len(value))
    return _read_number(value.strip())


def _read_number(digits: str) -> int | float:
    if not digits:
        return 0
    check_operand(digits, "a number")
    if _NUMBER.fullmatch(digits):
        return number(float(digits))
    if _RADIX.fullmatch(digits):
        return number(int(digits, 0))
    infinity = {"Infinity": math.inf, "+Infinity": math.inf, "-Infinity": -math.inf}
    return infinity.get(digits, math.nan)


def number_text(value: float) -> str:
    """A number as JavaScript prints it: `3`, `0.1`, `1e+21`, `18446744073709552000`."""
    value = number(value)
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    sign = "-" if value < 0 else ""
    return sign + _placed(digits.rstrip("0") or "0", point)


def _placed(digits: str, point: int) -> str:
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    power = point - 1
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{'+' if power >= 0 else '-'}{abs(power)}"


def text(value: Any) -> str:
    """JavaScript's `String(value)`: `a,b` for a list, `[object Object]` for an object.

    The budget in force pays for a list's text before it is made.

    Raises:
        ValueFailure: if it is something callable, which has no text.
        TemplateLimitError: if it is longer than the budget allows.
    """
    if isinstance(value, str):
        return value
    if is_number(value):
        return number_text(value)
    if isinstance(value, list):
        parts: list[str] = []
        _collect(value, parts, in_force())
        return "".join(parts)
    if isinstance(value, Pattern):
        return f"/{value.source}/{value.flags}"
    if isinstance(value, Callable):
        raise ValueFailure("Callable values cannot be coerced")
    words = {None: "null", True: "true", False: "false", UNDEFINED: "undefined"}
    return "[object Object]" if isinstance(value, (dict, Cycler)) else words[value]


def _collect(items: list[Any], parts: list[str], budget: RenderingBudget) -> None:
    """The pieces of a list's text, which may name one thing many times."""
    budget.spend(len(items) + 1)
    for index, item in enumerate(items):
        if index:
            parts.append(",")
        if isinstance(item, list):
            _collect(item, parts, budget)
        elif not is_nullish(item):
            piece = text(item)
            budget.write(len(piece) + 1)
            parts.append(piece)


def is_nullish(value: Any) -> bool:
    """Whether a value is null or undefined."""
    return value is None or value is UNDEFINED


def interpolated_text(value: Any) -> str:
    """The text of an interpolation: nothing for null and undefined."""
    return "" if is_nullish(value) else text(value)


def length(value: str) -> int:
    """The length of a text in UTF-16 code units, as JavaScript counts."""
    if value.isascii():
        return len(value)
    in_force().write(len(value))
    return len(value) + sum(1 for character in value if ord(character) > 0xFFFF)


def type_name(value: Any) -> str:
    """The name of the type for error messages."""
    if is_nullish(value):
        return "null" if value is None else "undefined"
    names: tuple[tuple[type, str], ...] = (
        (bool, "boolean"),
        (int, "number"),
        (float, "number"),
        (str, "string"),
        (list, "array"),
        (dict, "record"),
        (Callable, "function"),
    )
    return next((name for type_, name in names if isinstance(value, type_)), "object")


def strict_equal(left: Any, right: Any) -> bool:
    """JavaScript's `===`."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, str) and isinstance(right, str):
        if len(left) != len(right):
            return False
        in_force().read(len(left))
        return str(left) == str(right)
    return left is right


def loose_equal(left: Any, right: Any) -> bool:
    """JavaScript's `==`."""
    if is_nullish(left) or is_nullish(right):
        return is_nullish(left) and is_nullish(right)
    if type_name(left) == type_name(right):
        return strict_equal(left, right)
    if isinstance(left, (list, dict)) and isinstance(right, (list, dict)):
        return left is right
    if isinstance(left, (list, dict)):
        return loose_equal(text(left), right)
    if isinstance(right, (list, dict)):
        return loose_equal(left, text(right))
    return bool(to_number(left) == to_number(right))


def pay_comparison(left: str, right: str) -> None:
    """Pay for comparing two texts.

    Raises:
        TemplateLimitError: if it is more than the budget in force allows.
    """
    in_force().read(min(len(left), len(right)))


def less(left: Any, right: Any) -> bool:
    """JavaScript's `<`."""
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        pay_comparison(left, right)
        return left < right
    return bool(to_number(left) < to_number(right))


def less_or_equal(left: Any, right: Any) -> bool:
    """JavaScript's `<=`."""
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        pay_comparison(left, right)
        return left <= right
    return bool(to_number(left) <= to_number(right))


def add(left: Any, right: Any) -> Any:
    """JavaScript's `+`: joins when either side is text, adds otherwise."""
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) or isinstance(right, str):
        first, second = text(left), text(right)
        in_force().write(len(first) + len(second))
        return first + second
    return number(to_number(left) + to_number(right))


def _primitive(value: Any) -> Any:
    if isinstance(value, (list, dict, Pattern, Callable, Cycler)):
        return text(value)
    return value
