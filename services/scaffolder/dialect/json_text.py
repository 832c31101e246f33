"""JSON as JavaScript writes and reads it."""

import json
import math
from typing import Any

from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.limits import (
    OPERAND,
    RenderingBudget,
    check_operand,
    in_force,
)
from services.scaffolder.dialect.values import (
    UNDEFINED,
    Callable,
    Cycler,
    Pattern,
    is_number,
    number,
    number_text,
)

#: The cost of a list or object beside its members, for the memory that it takes.
_CONTAINER = 4
#: Above it no integer of 64 bits is the number, and no store or answer takes another.
_WHOLE = 2**63


def plain(value: Any, budget: RenderingBudget | None = None) -> Any:
    """`value` as JSON: NaN is null, undefined is dropped, or null in a list.

    A value that appears several times in it is paid for each time.

    Raises:
        ValueFailure: if something callable is in it.
        TemplateLimitError: if it is more than the budget allows.
    """
    return _plain(value, budget or in_force())


def _plain(value: Any, budget: RenderingBudget) -> Any:
    if isinstance(value, list):
        budget.spend(_CONTAINER + len(value))
        return [None if item is UNDEFINED else _plain(item, budget) for item in value]
    if isinstance(value, dict):
        budget.spend(_CONTAINER + len(value))
        budget.write(sum(len(str(key)) for key in value))
        return {k: _plain(v, budget) for k, v in value.items() if v is not UNDEFINED}
    if isinstance(value, str):
        budget.write(len(value))
        return str(value)
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, (Callable, Cycler)):
        raise ValueFailure("Callable values cannot be coerced")
    if isinstance(value, Pattern):
        return {}
    if isinstance(value, int) and not -_WHOLE <= value < _WHOLE:
        value = number(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        whole = number(value)
        exact = isinstance(whole, float) and whole.is_integer() and abs(whole) < _WHOLE
        return int(number_text(whole)) if exact else whole
    return value


def written(value: Any, indent: str = "", budget: RenderingBudget | None = None) -> str:
    """JavaScript's `JSON.stringify(value, null, indent)` of a plain value.

    Raises:
        TemplateLimitError: if it is longer than the budget allows.
    """
    budget = budget or in_force()
    return _written(plain(value, budget), indent, "\n", budget)


def _written(value: Any, indent: str, newline: str, budget: RenderingBudget) -> str:
    budget.spend()
    if isinstance(value, str):
        return _quoted(value, budget)
    if is_number(value):
        return number_text(value)
    if isinstance(value, dict):
        colon = ": " if indent else ":"
        inner = newline + indent
        items = [
            f"{_quoted(str(key), budget)}{colon}{_written(item, indent, inner, budget)}"
            for key, item in value.items()
        ]
        return _bracketed("{}", items, indent, newline, budget)
    if isinstance(value, list):
        items = [_written(item, indent, newline + indent, budget) for item in value]
        return _bracketed("[]", items, indent, newline, budget)
    return {None: "null", True: "true", False: "false"}[value]


def _quoted(value: str, budget: RenderingBudget) -> str:
    budget.write(len(value))
    pieces = (value[at : at + OPERAND] for at in range(0, len(value), OPERAND))
    quoted = "".join(json.dumps(piece, ensure_ascii=False)[1:-1] for piece in pieces)
    budget.write(len(quoted) - len(value))
    return f'"{quoted}"'


def _bracketed(
    brackets: str, items: list[str], indent: str, newline: str, budget: RenderingBudget
) -> str:
    opening, closing = brackets[0], brackets[1]
    inner = newline + indent
    size = sum(map(len, items))
    budget.write(size + (len(items) + 1) * (1 + (len(inner) if indent else 0)))
    if not items:
        return opening + closing
    if not indent:
        return opening + ",".join(items) + closing
    return opening + inner + f",{inner}".join(items) + newline + closing


def read(text: str) -> Any:
    """The value that `text` is the JSON of.

    Raises:
        ValueError: if it is no JSON.
        TemplateLimitError: if it is a list or object that is too long.
    """
    if text.lstrip()[:1] in ("[", "{"):
        check_operand(text, "JSON")

    def refuse(word: str) -> Any:
        raise ValueError(word)

    value = json.loads(text, parse_constant=refuse)
    return plain(value)
