"""Predicates over flat objects, for the few registrations that are listed by one.

The grammar is the one of `query` in by-query requests. Entities, of which there are
many, are selected through the read model's indexes instead.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.contracts.errors import Invalid


def holds(query: Any, item: Mapping[str, str | None]) -> bool:
    """Whether `item` meets `query`.

    Raises:
        Invalid: if the query is none, or uses an operator that is not known.
    """
    if not isinstance(query, Mapping):
        raise Invalid("request/body/query must be object")
    return all(_part(key, value, item) for key, value in query.items())


def _part(key: str, value: Any, item: Mapping[str, str | None]) -> bool:
    if key == "$not":
        return not holds(value, item)
    if key in {"$all", "$any"}:
        if not isinstance(value, list):
            raise Invalid(f"request/body/query/{key} must be array")
        results = [holds(part, item) for part in value]
        return all(results) if key == "$all" else any(results)
    if key.startswith("$"):
        raise Invalid(f"request/body/query: unknown operator {key}")
    if isinstance(value, Mapping):
        return all(
            _compared(name, operand, item.get(key)) for name, operand in value.items()
        )
    return _equal(value, item.get(key))


def _equal(operand: Any, value: str | None) -> bool:
    return value is not None and str(operand).lower() == str(value).lower()


def _in(operand: Any, value: str | None) -> bool:
    if not isinstance(operand, list):
        raise Invalid("request/body/query/$in must be array")
    return any(_equal(choice, value) for choice in operand)


_OPERATORS: Mapping[str, Callable[[Any, str | None], bool]] = {
    "$exists": lambda operand, value: (value is not None) is bool(operand),
    "$in": _in,
    "$hasPrefix": lambda operand, value: (
        str(value or "").lower().startswith(str(operand).lower())
    ),
}


def _compared(name: str, operand: Any, value: str | None) -> bool:
    operator = _OPERATORS.get(name)
    if operator is None:
        raise Invalid(f"request/body/query: unknown operator {name}")
    return operator(operand, value)
