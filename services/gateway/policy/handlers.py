"""Answers `POST /authorize`: what may this caller do, on these resources?

Backstage's contract (permission-backend): people ask about given resources only; a
conditional answer about a resource is resolved before it leaves the house.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.model import Decision, Identity
from services.gateway.ports import Guard, Resources
from shared.contracts.errors import Invalid

ALLOW, DENY, CONDITIONAL = "ALLOW", "DENY", "CONDITIONAL"
RESOURCE_OWNER = {
    "catalog-entity": "catalog",
    "scaffolder-task": "scaffolder",
    "scaffolder-template": "scaffolder",
    "scaffolder-action": "scaffolder",
}
REF_NEEDED = (
    "Resource permissions require a resourceRef to be set. Direct user requests "
    "without a resourceRef are not allowed."
)


class AskedPermission(BaseModel):
    """A permission as clients send it; `attributes` is free but must be there."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["basic", "resource"]
    name: str = Field(min_length=1, max_length=200)
    attributes: dict[str, Any]
    resourceType: str | None = None  # noqa: N815 - the name on the wire


class Asked(BaseModel):
    """One question of the batch."""

    model_config = ConfigDict(extra="ignore")

    id: str
    permission: AskedPermission
    resourceRef: str | list[str] | None = None  # noqa: N815


class AskedBatch(BaseModel):
    """The body of `POST /authorize`."""

    items: list[Asked] = Field(max_length=5000)


async def authorize(
    batch: AskedBatch, identity: Identity, guard: Guard, resources: Resources
) -> dict[str, Any]:
    """The answers, in order.

    Raises:
        Invalid: if a person asks about a resource permission without a resource.
    """
    for item in batch.items:
        _check(item, identity)
    return {
        "items": [
            await _answer(item, identity, guard, resources) for item in batch.items
        ]
    }


def _check(item: Asked, identity: Identity) -> None:
    permission = item.permission
    if permission.type != "resource":
        return
    if permission.resourceType is None:
        raise Invalid("items.permission.resourceType: required of a resource")
    if item.resourceRef is None and not identity.is_service:
        raise Invalid(REF_NEEDED)


async def _answer(
    item: Asked, identity: Identity, guard: Guard, resources: Resources
) -> dict[str, Any]:
    decision = await guard.decision(identity, item.permission.name)
    refs = item.resourceRef
    if item.permission.type == "basic":
        # Of a yes that depends on a resource, "yes" would promise too much.
        return {"id": item.id, "result": _plain(decision)}
    if decision.result != "conditional":
        plain = _plain(decision)
        result: Any = [plain] * len(refs) if isinstance(refs, list) else plain
        return {"id": item.id, "result": result}
    if refs is None:
        return {"id": item.id, **_conditional(item, decision)}
    asked = [refs] if isinstance(refs, str) else refs
    met = await _met(item, decision, asked, resources)
    results = [ALLOW if yes else DENY for yes in met]
    return {"id": item.id, "result": results[0] if isinstance(refs, str) else results}


async def _met(
    item: Asked, decision: Decision, refs: Sequence[str], resources: Resources
) -> list[bool]:
    if item.permission.resourceType != "catalog-entity":
        # Only the catalog tests conditions on request; the others do when they act.
        return [False] * len(refs)
    return await resources.apply_conditions(decision.conditions or {}, refs)


def _plain(decision: Decision) -> str:
    return ALLOW if decision.result == "allow" else DENY


def _conditional(item: Asked, decision: Decision) -> dict[str, Any]:
    resource_type = str(item.permission.resourceType)
    return {
        "result": CONDITIONAL,
        "pluginId": RESOURCE_OWNER.get(resource_type, "catalog"),
        "resourceType": resource_type,
        "conditions": decision.conditions,
    }
