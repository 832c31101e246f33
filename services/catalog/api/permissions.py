"""The permission framework's questions to the plugin that owns the entities."""

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter
from pydantic import AliasChoices, Field
from pyroaring import BitMap
from starlette.requests import Request

from services.catalog.api.models import Texts
from services.catalog.api.reading import CallerScope, Reads, reads_of
from services.catalog.api.revisions import CatalogRoute
from services.catalog.query.conditions import RESOURCE_TYPE, parse_conditions
from services.catalog.query.predicates import check_breadth
from services.catalog.query.scopes import ReaderScope
from services.catalog.query.selection import select
from shared.guards.turns import in_turns
from shared.kit.http.models import RequestModel, ResponseModel

ROOT = "/.well-known/backstage/permissions"
MOST_ITEMS = 1_000
SCHEMA = "http://json-schema.org/draft-07/schema#"


Decision = Literal["ALLOW", "DENY"]

router = APIRouter(prefix=ROOT, route_class=CatalogRoute)


class PermissionMetadata(ResponseModel):
    """The permissions and rules that policies can speak of."""

    permissions: list[dict[str, Any]]
    rules: list[dict[str, Any]]


class ConditionCheck(RequestModel):
    """Conditions on one entity, or on each of several."""

    id: str
    resource_type: Literal["catalog-entity"]
    resource_ref: str | Texts = Field(
        validation_alias=AliasChoices("resourceRef", "resourceRefs")
    )
    conditions: Any = None


class ConditionChecks(RequestModel):
    """The body of `POST …/apply-conditions`."""

    items: Annotated[list[ConditionCheck], Field(fail_fast=True, max_length=MOST_ITEMS)]


class ConditionResult(ResponseModel):
    """Whether an entity meets the conditions; a list if several were named."""

    id: str
    result: Decision | list[Decision]


class ConditionResults(ResponseModel):
    """As many items as checks, in their order."""

    items: list[ConditionResult]


@router.get("/metadata")
async def metadata() -> PermissionMetadata:
    """The permissions and rules that policies can speak of."""
    return PermissionMetadata(permissions=_permissions(), rules=_rules())


@router.post("/apply-conditions")
async def apply_conditions(
    body: ConditionChecks, request: Request, scope: CallerScope
) -> ConditionResults:
    """Whether entities meet conditions."""
    reads = reads_of(request)
    allowed: dict[tuple[int, bytes], BitMap] = {}
    results = []
    async for check in in_turns(body.items):
        # Equal conditions are worked out once, unless something changes meanwhile.
        key = (reads.model.revision.value, orjson.dumps(check.conditions))
        if key not in allowed:
            allowed[key] = _allowed(reads, check.conditions, reads.renew(scope))
        results.append(_result(reads, check, allowed[key]))
    return ConditionResults(items=results)


def _allowed(reads: Reads, conditions: Any, scope: ReaderScope) -> BitMap:
    check_breadth(conditions, "conditions", 1)
    # What the caller may not see is denied, whatever holds for it.
    return select(reads.model, parse_conditions(conditions), scope)


def _result(
    reads: Reads, check: ConditionCheck, allowed_ids: BitMap
) -> ConditionResult:
    def decide(ref: str) -> Decision:
        record = reads.model.record(ref.lower())
        return "ALLOW" if record and record.entity in allowed_ids else "DENY"

    refs = check.resource_ref
    result = decide(refs) if isinstance(refs, str) else [decide(ref) for ref in refs]
    return ConditionResult(id=check.id, result=result)


def _permissions() -> list[dict[str, Any]]:
    """Backstage's catalog permissions: those on an entity are of its resource type."""
    permissions: list[dict[str, Any]] = []
    for name, action, on_entity in (
        ("catalog.entity.read", "read", True),
        ("catalog.entity.create", "create", False),
        ("catalog.entity.delete", "delete", True),
        ("catalog.entity.refresh", "update", True),
        ("catalog.entity.validate", None, False),
        ("catalog.location.read", "read", False),
        ("catalog.location.create", "create", False),
        ("catalog.location.delete", "delete", False),
        ("catalog.location.analyze", None, False),
    ):
        attributes = {"action": action} if action else {}
        kind = {"type": "resource", "resourceType": RESOURCE_TYPE}
        kind = kind if on_entity else {"type": "basic"}
        permissions.append({**kind, "name": name, "attributes": attributes})
    return permissions


TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
RULES = (
    ("HAS_ANNOTATION", "annotation", TEXT, "Entities with an annotation"),
    ("HAS_LABEL", "label", TEXT, "Entities with a label"),
    ("HAS_METADATA", "key", TEXT, "Entities with a metadata field"),
    ("HAS_SPEC", "key", TEXT, "Entities with a spec field"),
    ("IS_ENTITY_KIND", "kinds", TEXTS, "Entities of one of the kinds"),
    ("IS_ENTITY_OWNER", "claims", TEXTS, "Entities owned by one of the claims"),
)


def _rules() -> list[dict[str, Any]]:
    """The rules that `parse_conditions` knows, with schemas for their parameters."""
    rules = []
    for name, param, schema, entities in RULES:
        has_value = schema is TEXT
        properties = {param: schema, **({"value": TEXT} if has_value else {})}
        value_hint = ", and with its value if one is given" if has_value else ""
        params = {
            "type": "object",
            "properties": properties,
            "required": [param],
            "additionalProperties": False,
            "$schema": SCHEMA,
        }
        rules.append(
            {
                "name": name,
                "description": entities + value_hint,
                "resourceType": RESOURCE_TYPE,
                "paramsSchema": params,
            }
        )
    return rules
