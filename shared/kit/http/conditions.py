"""Conditions of a decision, evaluated on one entity.

The criteria are Backstage's (permission-common `PermissionCriteria`; catalog-backend's
rules for `catalog-entity`). A service that can should convert them to a filter instead.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from shared.kit.http.service_tokens import Principal

Criteria = Mapping[str, Any]
#: The parameters of a rule.
Params = Mapping[str, Any]


def permits(principal: Principal, entity: Entity) -> bool:
    """Whether the decision in `principal` covers this entity."""
    if principal.decision == "allow":
        return True
    return principal.conditions is not None and matches(principal.conditions, entity)


def matches(criteria: Criteria, entity: Entity) -> bool:
    """Whether `entity` meets `criteria`.

    Raises:
        Invalid: if a rule is unknown or its parameters are missing.
    """
    if "anyOf" in criteria:
        return any(matches(item, entity) for item in criteria["anyOf"])
    if "allOf" in criteria:
        return all(matches(item, entity) for item in criteria["allOf"])
    if "not" in criteria:
        return not matches(criteria["not"], entity)
    rule, params = criteria.get("rule"), criteria.get("params") or {}
    test = _RULES.get(str(rule))
    if test is None:
        raise Invalid(f"rule: unknown permission rule {rule!r}")
    try:
        return test(entity, params)
    except KeyError as error:
        raise Invalid(f"params.{error.args[0]}: required by {rule}") from error


def _has_key(holder: Mapping[str, Any], key: str, params: Params) -> bool:
    # Case is ignored everywhere, as in the catalog's index: a condition must have the
    # same meaning for a list and for a single entity.
    values = [
        value for name, value in holder.items() if str(name).lower() == key.lower()
    ]
    if "value" not in params:
        return bool(values)
    return any(_equals(value, params["value"]) for value in values)


def _has_path(holder: Any, params: Params) -> bool:
    for part in str(params["key"]).split("."):
        if not isinstance(holder, Mapping):
            return False
        folded = {str(name).lower(): value for name, value in holder.items()}
        if part.lower() not in folded:
            return False
        holder = folded[part.lower()]
    if "value" not in params:
        return True
    values = holder if isinstance(holder, list) else [holder]
    return any(_equals(value, params["value"]) for value in values)


def _equals(value: Any, expected: Any) -> bool:
    if isinstance(value, str) and isinstance(expected, str):
        return value.lower() == expected.lower()
    return bool(value == expected)


def _has_annotation(entity: Entity, params: Params) -> bool:
    return _has_key(entity.annotations, params["annotation"], params)


def _has_label(entity: Entity, params: Params) -> bool:
    return _has_key(entity.labels, params["label"], params)


def _has_metadata(entity: Entity, params: Params) -> bool:
    return _has_path(entity.metadata, params)


def _has_spec(entity: Entity, params: Params) -> bool:
    return _has_path(entity.spec, params)


def _is_kind(entity: Entity, params: Params) -> bool:
    return entity.kind.lower() in _lower(params["kinds"])


def _is_owner(entity: Entity, params: Params) -> bool:
    return not entity.owners.isdisjoint(_lower(params["claims"]))


def _lower(values: Iterable[Any]) -> set[str]:
    return {str(value).lower() for value in values}


_RULES = {
    "HAS_ANNOTATION": _has_annotation,
    "HAS_LABEL": _has_label,
    "HAS_METADATA": _has_metadata,
    "HAS_SPEC": _has_spec,
    "IS_ENTITY_KIND": _is_kind,
    "IS_ENTITY_OWNER": _is_owner,
}
