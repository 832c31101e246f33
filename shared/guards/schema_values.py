"""What JSON Schema says of values: types, equality, multiples."""

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from shared.guards.budgets import Budget
from shared.guards.schema_run import NotASchema

#: So many characters of a text count as one element.
_TEXT_STEP = 200


def is_number(value: Any) -> bool:
    """Whether it is a number; Python's truth values are none."""
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


def is_multiple(value: float, of: float) -> bool:
    """Whether `value` is a whole number of times `of`."""
    if of <= 0:
        raise NotASchema("multipleOf must be over 0")
    if isinstance(of, int) and isinstance(value, int):
        return value % of == 0
    quotient = value / of
    try:
        return int(quotient) == quotient
    except (OverflowError, ValueError):
        return (Fraction(value) / Fraction(of)).denominator == 1


def is_equal(one: Any, other: Any, budget: Budget) -> bool:
    """Whether two values are the same JSON; 1 and 1.0 are, 1 and true are not."""
    budget.pay_nodes()
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return len(one) == len(other) and all(
            name in other and is_equal(value, other[name], budget)
            for name, value in one.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            is_equal(a, b, budget) for a, b in zip(one, other, strict=True)
        )
    return bool(one == other)


def key_of(value: Any, budget: Budget) -> str:
    """A text that only equal values share."""
    return json.dumps(_normal(value, budget), sort_keys=True)


def _normal(value: Any, budget: Budget) -> Any:
    """The same with whole floats as integers."""
    budget.pay_nodes()
    if isinstance(value, Mapping):
        return {name: _normal(each, budget) for name, each in value.items()}
    if isinstance(value, list):
        return [_normal(each, budget) for each in value]
    if isinstance(value, str):
        budget.pay_nodes(len(value) // _TEXT_STEP)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
