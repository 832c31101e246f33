"""A decision's conditions as a criterion, so that a query holds only what is allowed.

The rules are catalog-backend's for `catalog-entity`. Whatever the index cannot decide
exactly is refused: within a `not`, a guess would show what is to be hidden.
"""

from collections.abc import Callable, Mapping
from typing import Any

from services.catalog.query.criteria import (
    DEEPEST,
    AllOf,
    AnyOf,
    Criterion,
    Exists,
    Negation,
    OneOf,
)
from services.catalog.readmodel.rows import LONGEST, text_of
from shared.contracts.errors import Invalid

RESOURCE_TYPE = "catalog-entity"
Conditions = Mapping[str, Any]
"""The conditions of a policy's decision as JSON: rules with their parameters."""


def parse_conditions(conditions: object, depth: int = DEEPEST) -> Criterion:
    """What conditions demand of an entity.

    Raises:
        Invalid: if a rule is unknown or its parameters break its schema.
    """
    if not isinstance(conditions, Mapping):
        raise Invalid("conditions: must be object")
    if not depth:
        raise Invalid(f"conditions: must not be nested deeper than {DEEPEST}")
    if "not" in conditions:
        return Negation(parse_conditions(conditions["not"], depth - 1))
    for key, make in (("anyOf", AnyOf), ("allOf", AllOf)):
        if key in conditions:
            parts = conditions[key]
            if not isinstance(parts, list) or not parts:
                raise Invalid(f"conditions.{key}: must be a non-empty array")
            return make(tuple(parse_conditions(part, depth - 1) for part in parts))
    return _rule(conditions)


def _rule(condition: Conditions) -> Criterion:
    name = condition.get("rule")
    if condition.get("resourceType", RESOURCE_TYPE) != RESOURCE_TYPE:
        raise Invalid(f"conditions.resourceType: must be {RESOURCE_TYPE}")
    rule = _RULES.get(name) if isinstance(name, str) else None
    if rule is None:
        raise Invalid(f"conditions.rule: {name!r} is not a rule of {RESOURCE_TYPE}")
    params = condition.get("params") or {}
    if not isinstance(params, Mapping):
        raise Invalid("conditions.params: must be object")
    return rule(params)


def _at(prefix: str, key: str) -> Callable[[Mapping[str, Any]], Criterion]:
    def rule(params: Mapping[str, Any]) -> Criterion:
        name = params.get(key)
        if not isinstance(name, str) or not name:
            raise Invalid(f"conditions.params.{key}: must be a non-empty string")
        path = f"{prefix}.{name}".lower()
        value = params.get("value")
        if value is None:
            return Exists(path)
        text = text_of(value).lower()
        if len(text) > LONGEST:
            raise Invalid(f"conditions.params.value: at most {LONGEST} characters")
        return OneOf(path, (text,))

    return rule


def _names(params: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = params.get(key)
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise Invalid(f"conditions.params.{key}: must be an array of strings")
    return tuple(name.lower() for name in names)


def _is_kind(params: Mapping[str, Any]) -> Criterion:
    return OneOf("kind", _names(params, "kinds"))


def _is_owner(params: Mapping[str, Any]) -> Criterion:
    return OneOf("relations.ownedby", _names(params, "claims"))


_RULES: dict[str, Callable[[Mapping[str, Any]], Criterion]] = {
    "HAS_ANNOTATION": _at("metadata.annotations", "annotation"),
    "HAS_LABEL": _at("metadata.labels", "label"),
    "HAS_METADATA": _at("metadata", "key"),
    "HAS_SPEC": _at("spec", "key"),
    "IS_ENTITY_KIND": _is_kind,
    "IS_ENTITY_OWNER": _is_owner,
}
