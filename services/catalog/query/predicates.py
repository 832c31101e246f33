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


def parse_predicate(given: object) -> Criterion:
    """What a `query` demands.

    Raises:
        Invalid: naming the place in the predicate and what may stand there.
    """
    if not isinstance(given, dict):
        raise Invalid("request/body/query must be object")
    _check_breadth(given)
    criterion = _expression(given, "query", DEEPEST)
    check_texts(criterion, "query")
    return criterion


def _check_breadth(given: object) -> None:
    """Refuse a query of so many parts that answering it would hold up everybody.

    Raises:
        Invalid: naming the limit.
    """
    parts, waiting = 0, [given]
    while waiting:
        value = waiting.pop()
        if not isinstance(value, dict | list):
            continue
        # A value among others is looked up; an object is a part that is worked out.
        is_object = isinstance(value, dict)
        parts += len(value) if is_object else len(value) // VALUES_A_PART
        if parts > MOST_PARTS:
            raise _invalid("query", f"must not have more than {MOST_PARTS} parts")
        waiting.extend(value.values() if isinstance(value, dict) else value)


def _expression(given: object, where: str, depth: int) -> Criterion:
    if not isinstance(given, dict):
        raise _invalid(where, "must be object")
    if not depth:
        raise _invalid(where, f"must not be nested deeper than {DEEPEST}")
    operator = next((key for key in given if key.startswith("$")), None)
    if operator is None:
        parts = tuple(_field(path, value, where) for path, value in given.items())
        return parts[0] if len(parts) == 1 else AllOf(parts)
    if len(given) > 1:
        raise _invalid(where, f"must have nothing beside {operator}")
    inner = given[operator]
    if operator == "$not":
        return Negation(_expression(inner, f"{where}.$not", depth - 1))
    if operator not in {"$all", "$any"}:
        raise _invalid(f"{where}.{operator}", "is not one of $all, $any, $not")
    if not isinstance(inner, list):
        raise _invalid(f"{where}.{operator}", "must be array")
    several = tuple(
        _expression(part, f"{where}.{operator}[{index}]", depth - 1)
        for index, part in enumerate(inner)
    )
    return AllOf(several) if operator == "$all" else AnyOf(several)


def _field(path: str, value: object, where: str) -> Criterion:
    check_length(path, f"{where}: a field")
    here = f"{where}.{path}"
    folded = path.lower()
    if not isinstance(value, dict):
        return OneOf(folded, (_primitive(value, here),))
    if len(value) != 1:
        raise _invalid(here, "must have exactly one operator")
    operator, wanted = next(iter(value.items()))
    matcher = _MATCHERS.get(operator)
    if matcher is None:
        raise _invalid(here, f"must use one of {', '.join(_MATCHERS)}")
    return matcher(folded, wanted, f"{here}.{operator}")


def _exists(path: str, wanted: object, where: str) -> Criterion:
    if not isinstance(wanted, bool):
        raise _invalid(where, "must be boolean")
    return Exists(path) if wanted else Negation(Exists(path))


def _in(path: str, wanted: object, where: str) -> Criterion:
    if not isinstance(wanted, list):
        raise _invalid(where, "must be array")
    return OneOf(path, tuple(_primitive(value, where) for value in wanted))


def _prefix(path: str, wanted: object, where: str) -> Criterion:
    if not isinstance(wanted, str):
        raise _invalid(where, "must be string")
    return StartsWith(path, _lowered(wanted, where))


def _contains(path: str, wanted: object, where: str) -> Criterion:
    if path == "relations":
        return _relation(wanted, where)
    return OneOf(path, (_primitive(wanted, where),))


def _relation(wanted: object, where: str) -> Criterion:
    if not isinstance(wanted, dict) or not isinstance(wanted.get("type"), str):
        raise _invalid(where, "must be object with a string in type")
    if unknown := wanted.keys() - {"type", "targetRef"}:
        raise _invalid(where, f"must not have {min(unknown)[:100]}")
    path = f"relations.{_lowered(wanted['type'], f'{where}.type')}"
    if "targetRef" not in wanted:
        return Exists(path)
    return OneOf(path, _targets(wanted["targetRef"], f"{where}.targetRef"))


def _targets(given: object, where: str) -> tuple[str, ...]:
    if isinstance(given, str):
        return (_lowered(given, where),)
    several = given.get("$in") if isinstance(given, Mapping) else None
    if not isinstance(several, list) or len(given) != 1:  # type: ignore[arg-type]
        raise _invalid(where, "must be string or {$in: [string]}")
    if not several or not all(isinstance(target, str) for target in several):
        raise _invalid(f"{where}.$in", "must be a non-empty array of strings")
    return tuple(_lowered(target, f"{where}.$in") for target in several)


def _primitive(value: Any, where: str) -> str:
    if not isinstance(value, str | int | float):
        raise _invalid(where, "must be string, number or boolean")
    return _lowered(text_of(value), where)


def _lowered(text: str, where: str) -> str:
    check_length(text, f"Invalid query: {where}")
    return text.lower()


def _invalid(where: str, rule: str) -> Invalid:
    return Invalid(f"Invalid query: {where} {rule}")


_MATCHERS: dict[str, Callable[[str, object, str], Criterion]] = {
    "$exists": _exists,
    "$in": _in,
    "$hasPrefix": _prefix,
    "$contains": _contains,
}
