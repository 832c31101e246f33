"""Conditions of a decision, evaluated on one entity.

The criteria are Backstage's (permission-common `PermissionCriteria`; catalog-backend's
rules for `catalog-entity`). A service that can should turn them into a filter instead.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.contracts.errors import Invalid
from shared.kit.http.service_tokens import Principal

Criteria = Mapping[str, Any]


def permits(principal: Principal, entity: Mapping[str, Any]) -> bool:
    """Whether the decision in `principal` covers this entity."""
    if principal.decision == "allow":
        return True
    return principal.conditions is not None and matches(principal.conditions, entity)


def matches(criteria: Criteria, entity: Mapping[str, Any]) -> bool:
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


def owners(entity: Mapping[str, Any]) -> set[str]:
    """Canonical refs of who owns an entity: its ownedBy relations, else spec.owner."""
    found = {
        str(relation["targetRef"]).lower()
        for relation in entity.get("relations") or ()
        if relation.get("type") == "ownedBy"
    }
    owner = (entity.get("spec") or {}).get("owner")
    if not found and isinstance(owner, str) and owner:
        found.add(_owner_ref(owner, entity))
    return found


def _owner_ref(owner: str, entity: Mapping[str, Any]) -> str:
    namespace = (entity.get("metadata") or {}).get("namespace") or "default"
    kind, colon, rest = owner.partition(":")
    if not colon:
        kind, rest = "group", owner
    return f"{kind}:{rest if '/' in rest else f'{namespace}/{rest}'}".lower()


def _in(holder: Any, key: str, params: Mapping[str, Any]) -> bool:
    # Case is folded everywhere, as the catalog's index does: a condition must never
    # mean one thing in a list and another on a single entity.
    if not isinstance(holder, Mapping):
        return False
    wanted = key.lower()
    found = [value for name, value in holder.items() if str(name).lower() == wanted]
    if "value" not in params:
        return bool(found)
    return any(_same(value, params["value"]) for value in found)


def _at(holder: Any, params: Mapping[str, Any]) -> bool:
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
    return any(_same(value, params["value"]) for value in values)


def _same(held: Any, wanted: Any) -> bool:
    if isinstance(held, str) and isinstance(wanted, str):
        return held.lower() == wanted.lower()
    return bool(held == wanted)


def _has_annotation(entity: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    held = (entity.get("metadata") or {}).get("annotations")
    return _in(held, params["annotation"], params)


def _has_label(entity: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    return _in((entity.get("metadata") or {}).get("labels"), params["label"], params)


def _has_metadata(entity: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    return _at(entity.get("metadata"), params)


def _has_spec(entity: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    return _at(entity.get("spec"), params)


def _is_kind(entity: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    return str(entity.get("kind")).lower() in _lower(params["kinds"])


def _is_owner(entity: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    return not owners(entity).isdisjoint(_lower(params["claims"]))


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
