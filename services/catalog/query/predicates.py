"""Backstage's predicate grammar: `{"$all": [{"kind": "api"}, {"$not": …}]}`."""

from collections.abc import Callable, Mapping
from typing import Any

from services.catalog.query.criteria import (
    DEEPEST,
    MOST_PARTS,
    VALUES_A_PART,
    AllOf,
    AnyOf,
    Criterion,
    Exists,
    Negation,
    OneOf,
    StartsWith,
)
from services.catalog.query.effort import check_length, check_texts
from services.catalog.readmodel.rows import text_of
from shared.contracts.errors import Invalid

Predicate = dict[str, Any]
"""A predicate over fields as JSON: $all, $any, $not, $in, $exists, …"""


def parse_predicate(predicate: object) -> Criterion:
    """What a `query` demands.

    Raises:
        Invalid: naming the place in the predicate and what may stand there.
    """
    if not isinstance(predicate, dict):
        raise Invalid("request/body/query must be object")
    check_breadth(predicate, "query", VALUES_A_PART)
    criterion = _expression(predicate, "query", DEEPEST)
    check_texts(criterion, "query")
    return criterion


def check_breadth(predicate: object, label: str, values_a_part: int) -> None:
    """Refuse a query of so many parts that answering it would hold up everybody.

    So many values of a list as `values_a_part` count as a part.

    Raises:
        Invalid: naming the limit.
    """
    parts, queue = 0, [predicate]
    while queue:
        value = queue.pop()
        if not isinstance(value, dict | list):
            continue
        # A value among others is looked up; an object is a part that is worked out.
        is_object = isinstance(value, dict)
        parts += len(value) if is_object else len(value) // values_a_part
        if parts > MOST_PARTS:
            raise _invalid(label, f"must not have more than {MOST_PARTS} parts")
        queue.extend(value.values() if isinstance(value, dict) else value)


def _expression(predicate: object, label: str, depth: int) -> Criterion:
    if not isinstance(predicate, dict):
        raise _invalid(label, "must be object")
    if not depth:
        raise _invalid(label, f"must not be nested deeper than {DEEPEST}")
    operator = next((key for key in predicate if key.startswith("$")), None)
    if operator is None:
        parts = tuple(_field(path, value, label) for path, value in predicate.items())
        return parts[0] if len(parts) == 1 else AllOf(parts)
    if len(predicate) > 1:
        raise _invalid(label, f"must have nothing beside {operator}")
    operand = predicate[operator]
    if operator == "$not":
        return Negation(_expression(operand, f"{label}.$not", depth - 1))
    if operator not in {"$all", "$any"}:
        raise _invalid(f"{label}.{operator}", "is not one of $all, $any, $not")
    if not isinstance(operand, list):
        raise _invalid(f"{label}.{operator}", "must be array")
    criteria = tuple(
        _expression(part, f"{label}.{operator}[{index}]", depth - 1)
        for index, part in enumerate(operand)
    )
    return AllOf(criteria) if operator == "$all" else AnyOf(criteria)


def _field(path: str, value: object, label: str) -> Criterion:
    check_length(path, f"{label}: a field")
    field_label = f"{label}.{path}"
    folded = path.lower()
    if not isinstance(value, dict):
        return OneOf(folded, (_primitive(value, field_label),))
    if len(value) != 1:
        raise _invalid(field_label, "must have exactly one operator")
    operator, operand = next(iter(value.items()))
    matcher = _MATCHERS.get(operator)
    if matcher is None:
        raise _invalid(field_label, f"must use one of {', '.join(_MATCHERS)}")
    return matcher(folded, operand, f"{field_label}.{operator}")


def _exists(path: str, operand: object, label: str) -> Criterion:
    if not isinstance(operand, bool):
        raise _invalid(label, "must be boolean")
    return Exists(path) if operand else Negation(Exists(path))


def _in(path: str, operand: object, label: str) -> Criterion:
    if not isinstance(operand, list):
        raise _invalid(label, "must be array")
    return OneOf(path, tuple(_primitive(value, label) for value in operand))


def _prefix(path: str, operand: object, label: str) -> Criterion:
    if not isinstance(operand, str):
        raise _invalid(label, "must be string")
    return StartsWith(path, _lowered(operand, label))


def _contains(path: str, operand: object, label: str) -> Criterion:
    if path == "relations":
        return _relation(operand, label)
    return OneOf(path, (_primitive(operand, label),))


def _relation(operand: object, label: str) -> Criterion:
    if not isinstance(operand, dict) or not isinstance(operand.get("type"), str):
        raise _invalid(label, "must be object with a string in type")
    if unknown_keys := operand.keys() - {"type", "targetRef"}:
        raise _invalid(label, f"must not have {min(unknown_keys)[:100]}")
    path = f"relations.{_lowered(operand['type'], f'{label}.type')}"
    if "targetRef" not in operand:
        return Exists(path)
    return OneOf(path, _targets(operand["targetRef"], f"{label}.targetRef"))


def _targets(operand: object, label: str) -> tuple[str, ...]:
    if isinstance(operand, str):
        return (_lowered(operand, label),)
    targets = operand.get("$in") if isinstance(operand, Mapping) else None
    if not isinstance(targets, list) or len(operand) != 1:  # type: ignore[arg-type]
        raise _invalid(label, "must be string or {$in: [string]}")
    if not targets or not all(isinstance(target, str) for target in targets):
        raise _invalid(f"{label}.$in", "must be a non-empty array of strings")
    return tuple(_lowered(target, f"{label}.$in") for target in targets)


def _primitive(value: Any, label: str) -> str:
    if not isinstance(value, str | int | float):
        raise _invalid(label, "must be string, number or boolean")
    return _lowered(text_of(value), label)


def _lowered(text: str, label: str) -> str:
    check_length(text, f"Invalid query: {label}")
    return text.lower()


def _invalid(label: str, rule: str) -> Invalid:
    return Invalid(f"Invalid query: {label} {rule}")


_MATCHERS: dict[str, Callable[[str, object, str], Criterion]] = {
    "$exists": _exists,
    "$in": _in,
    "$hasPrefix": _prefix,
    "$contains": _contains,
}
