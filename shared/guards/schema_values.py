"""JSON Schema's rules for values: types, equality, multiples."""

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from shared.guards.budgets import Budget
from shared.guards.schema_run import NotASchema

#: So many characters of a text count as one element.
_TEXT_STEP = 200


def is_number(value: Any) -> bool:
    """Whether it is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "number": is_number,
    "integer": _is_integer,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
}


def is_multiple(value: float, divisor: float) -> bool:
    """Whether `value` is a multiple of `divisor`."""
    if divisor <= 0:
        raise NotASchema("multipleOf must be over 0")
    if isinstance(divisor, int) and isinstance(value, int):
        return value % divisor == 0
    quotient = value / divisor
    try:
        return int(quotient) == quotient
    except (OverflowError, ValueError):
        return (Fraction(value) / Fraction(divisor)).denominator == 1


def is_equal(first: Any, second: Any, budget: Budget) -> bool:
    """Whether two values are equal as JSON; 1 and 1.0 are, 1 and true are not."""
    budget.pay_nodes()
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return len(first) == len(second) and all(
            name in second and is_equal(value, second[name], budget)
            for name, value in first.items()
        )
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(
            is_equal(a, b, budget) for a, b in zip(first, second, strict=True)
        )
    return bool(first == second)


def key_of(value: Any, budget: Budget) -> str:
    """A text that is the same for equal values only."""
    return json.dumps(_normal(value, budget), sort_keys=True)


def _normal(value: Any, budget: Budget) -> Any:
    """The value with whole floats as integers."""
    budget.pay_nodes()
    if isinstance(value, Mapping):
        return {name: _normal(item, budget) for name, item in value.items()}
    if isinstance(value, list):
        return [_normal(item, budget) for item in value]
    if isinstance(value, str):
        budget.pay_nodes(len(value) // _TEXT_STEP)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
