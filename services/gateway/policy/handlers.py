"""Answers `POST /authorize`: which permissions has this caller, on these resources?

The contract is that of Backstage's permission backend: people must name the resource,
and a conditional decision about a named resource is resolved before it is returned.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.model import Decision, Identity
from services.gateway.ports import PermissionChecker, Resources
from shared.contracts.errors import Invalid

ALLOW, DENY, CONDITIONAL = "ALLOW", "DENY", "CONDITIONAL"
RESOURCE_OWNER = {
    "catalog-entity": "catalog",
    "scaffolder-task": "scaffolder",
    "scaffolder-template": "scaffolder",
    "scaffolder-action": "scaffolder",
}
CATALOG_ENTITY = "catalog-entity"
#: Refs of one batch, and of one request to the catalog.
MOST_REFS = 20_000
REFS_AT_ONCE = 1_000
#: Different permissions of one batch: more than exist.
MOST_PERMISSIONS = 100
#: Pairs of a permission and a ref for which it is granted.
Grants = AbstractSet[tuple[str, str]]
REF_NEEDED = (
    "Resource permissions require a resourceRef to be set. Direct user requests "
    "without a resourceRef are not allowed."
)


class NamedPermission(BaseModel):
    """A permission as clients send it; `attributes` is required and not read."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["basic", "resource"]
    name: str = Field(min_length=1, max_length=200)
    attributes: dict[str, Any]
    resourceType: str | None = None  # noqa: N815 - the name on the wire


class PermissionQuestion(BaseModel):
    """One question of the batch."""

    model_config = ConfigDict(extra="ignore")

    id: str
    permission: NamedPermission
    resourceRef: str | list[str] | None = None  # noqa: N815


class PermissionBatch(BaseModel):
    """The body of `POST /authorize`."""

    items: list[PermissionQuestion] = Field(max_length=5000)


async def authorize(
    batch: PermissionBatch,
    identity: Identity,
    guard: PermissionChecker,
    resources: Resources,
) -> dict[str, Any]:
    """The results, in the order of the batch.

    Raises:
        Invalid: if a person asks about a resource permission without a resource.
    """
    for item in batch.items:
        _check(item, identity)
    if sum(len(_refs(item)) for item in batch.items) > MOST_REFS:
        raise Invalid(f"items.resourceRef: more than {MOST_REFS} in all")
    names = dict.fromkeys(item.permission.name for item in batch.items)
    if len(names) > MOST_PERMISSIONS:
        raise Invalid(f"items.permission.name: more than {MOST_PERMISSIONS} different")
    decisions = await _decisions(names, identity, guard)
    grants = await _grants(batch.items, decisions, resources)
    return {
        "items": [
            _answer(item, decisions[item.permission.name], grants)
            for item in batch.items
        ]
    }


async def _decisions(
    names: Iterable[str], identity: Identity, guard: PermissionChecker
) -> dict[str, Decision]:
    """The decision of each permission; other requests run in between."""
    decisions = {}
    for name in names:
        decisions[name] = await guard.decision(identity, name)
        # A policy inside this process is evaluated without waiting for anything.
        await asyncio.sleep(0)
    return decisions


def _check(item: PermissionQuestion, identity: Identity) -> None:
    permission = item.permission
    if permission.type != "resource":
        return
    if permission.resourceType is None:
        raise Invalid("items.permission.resourceType: required of a resource")
    if item.resourceRef is None and not identity.is_service:
        raise Invalid(REF_NEEDED)


def _answer(
    item: PermissionQuestion, decision: Decision, grants: Grants
) -> dict[str, Any]:
    refs = item.resourceRef
    if item.permission.type == "basic":
        # A conditional decision without a resource is no ALLOW.
        return {"id": item.id, "result": _plain(decision)}
    if decision.result != "conditional":
        plain = _plain(decision)
        result: Any = [plain] * len(refs) if isinstance(refs, list) else plain
        return {"id": item.id, "result": result}
    if refs is None:
        return {"id": item.id, **_conditional(item, decision)}
    name = item.permission.name
    # Only the catalog tests conditions on request; other services do when they act.
    is_testable = item.permission.resourceType == CATALOG_ENTITY
    results = [
        ALLOW if is_testable and (name, ref) in grants else DENY for ref in _refs(item)
    ]
    return {"id": item.id, "result": results[0] if isinstance(refs, str) else results}


async def _grants(
    items: Sequence[PermissionQuestion],
    decisions: Mapping[str, Decision],
    resources: Resources,
) -> Grants:
    """The pairs of permission and ref that a conditional decision allows.

    The catalog gets one request for each permission, however many items there are.
    """
    refs_by_permission: dict[str, dict[str, None]] = {}
    for item in items:
        permission = item.permission
        is_conditional = decisions[permission.name].result == "conditional"
        if is_conditional and permission.resourceType == CATALOG_ENTITY:
            refs_by_permission.setdefault(permission.name, {}).update(
                dict.fromkeys(_refs(item))
            )
    grants: set[tuple[str, str]] = set()
    for name, unique in refs_by_permission.items():
        refs, conditions = list(unique), decisions[name].conditions or {}
        for start in range(0, len(refs), REFS_AT_ONCE):
            part = refs[start : start + REFS_AT_ONCE]
            answers = await resources.apply_conditions(conditions, part)
            grants.update(
                (name, ref) for ref, is_met in zip(part, answers, strict=True) if is_met
            )
    return grants


def _refs(item: PermissionQuestion) -> list[str]:
    refs = item.resourceRef
    return [] if refs is None else [refs] if isinstance(refs, str) else refs


def _plain(decision: Decision) -> str:
    return ALLOW if decision.result == "allow" else DENY


def _conditional(item: PermissionQuestion, decision: Decision) -> dict[str, Any]:
    resource_type = str(item.permission.resourceType)
    return {
        "result": CONDITIONAL,
        "pluginId": RESOURCE_OWNER.get(resource_type, "catalog"),
        "resourceType": resource_type,
        "conditions": decision.conditions,
    }
