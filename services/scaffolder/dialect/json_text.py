"""JSON as JavaScript writes and reads it."""

import json
import math
from typing import Any

from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.limits import Budget
from services.scaffolder.dialect.values import (
    UNDEFINED,
    Callable,
    Cycler,
    Pattern,
    is_number,
    number,
    number_text,
)


def plain(value: Any) -> Any:
    """`value` as JSON keeps it: NaN is null, undefined is dropped or null in a list.

    Raises:
        ValueFailure: if something callable is in it.
    """
    if isinstance(value, list):
        return [None if item is UNDEFINED else plain(item) for item in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if v is not UNDEFINED}
    if isinstance(value, (Callable, Cycler)):
        raise ValueFailure("Callable values cannot be coerced")
    if isinstance(value, Pattern):
        return {}
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        whole = number(value)
        exact = isinstance(whole, float) and whole.is_integer() and abs(whole) < 1e21
        return int(number_text(whole)) if exact else whole
    return str(value) if isinstance(value, str) else value


def written(value: Any, indent: str = "", budget: Budget | None = None) -> str:
    """JavaScript's `JSON.stringify(value, null, indent)` of a plain value."""
    return _written(plain(value), indent, "\n", budget or Budget())


def _written(value: Any, indent: str, newline: str, budget: Budget) -> str:
    budget.spend()
    if isinstance(value, str):
        made = json.dumps(value, ensure_ascii=False)
        budget.write(len(made))
        return made
    if is_number(value):
        return number_text(value)
    if isinstance(value, dict):
        colon = ": " if indent else ":"
        inner = newline + indent
        items = [
            f"{json.dumps(str(key), ensure_ascii=False)}{colon}"
            f"{_written(item, indent, inner, budget)}"
            for key, item in value.items()
        ]
        return _bracketed("{", "}", items, indent, newline)
    if isinstance(value, list):
        items = [_written(item, indent, newline + indent, budget) for item in value]
        return _bracketed("[", "]", items, indent, newline)
    return {None: "null", True: "true", False: "false"}[value]


def _bracketed(
    opening: str, closing: str, items: list[str], indent: str, newline: str
) -> str:
    if not items:
        return opening + closing
    if not indent:
        return opening + ",".join(items) + closing
    inner = newline + indent
    return opening + inner + f",{inner}".join(items) + newline + closing


def read(text: str) -> Any:
    """The value that `text` is the JSON of.

    Raises:
        ValueError: if it is no JSON.
    """

    def refuse(word: str) -> Any:
        raise ValueError(word)

    value = json.loads(text, parse_constant=refuse)
    return plain(value)
