"""The arithmetic of JavaScript numbers, which never fails and never grows."""

import math
from typing import Any

from services.scaffolder.dialect.values import number, to_number

_MOST = 2**53


def subtract(left: Any, right: Any) -> int | float:
    """JavaScript's `-`."""
    return number(to_number(left) - to_number(right))


def multiply(left: Any, right: Any) -> int | float:
    """JavaScript's `*`."""
    return number(to_number(left) * to_number(right))


def divide(left: Any, right: Any) -> int | float:
    """JavaScript's `/`: by zero it is infinite, or NaN."""
    top, bottom = float(to_number(left)), float(to_number(right))
    if bottom == 0:
        if top == 0 or math.isnan(top):
            return math.nan
        return math.copysign(math.inf, top) * math.copysign(1, bottom)
    return number(top / bottom)


def floor_divide(left: Any, right: Any) -> int | float:
    """Nunjucks' `//`: the floor of the quotient."""
    quotient = divide(left, right)
    return quotient if not math.isfinite(quotient) else number(math.floor(quotient))


def modulo(left: Any, right: Any) -> int | float:
    """JavaScript's `%`: the sign of the left side."""
    top, bottom = to_number(left), to_number(right)
    if bottom == 0 or math.isinf(top) or math.isnan(top) or math.isnan(bottom):
        return math.nan
    return number(math.fmod(top, bottom))


def power(left: Any, right: Any) -> int | float:
    """Nunjucks' `**`."""
    base, exponent = float(to_number(left)), float(to_number(right))
    try:
        return number(math.pow(base, exponent))
    except OverflowError:
        odd = exponent.is_integer() and math.fmod(exponent, 2) != 0
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        return math.inf if base == 0 else math.nan


def negate(value: Any) -> int | float:
    """The unary `-`."""
    return number(-to_number(value))


def positive(value: Any) -> int | float:
    """The unary `+`: the value as a number."""
    return number(to_number(value))


def integer(value: Any, default: int = 0) -> int:
    """JavaScript's `ToIntegerOrInfinity`, kept within the range of an index."""
    whole = to_number(value)
    if math.isnan(whole):
        return default
    return math.trunc(max(-_MOST, min(whole, _MOST)))
