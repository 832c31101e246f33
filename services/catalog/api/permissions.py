"""The permission framework's questions to the plugin that owns the entities."""

from typing import Any

import orjson
from starlette.requests import Request

from services.catalog.api.parameters import body_of
from services.catalog.api.reading import Reads, Sent, begin, get, post
from services.catalog.query.conditions import RESOURCE_TYPE, parse_conditions
from services.catalog.query.scopes import ReaderScope
from services.catalog.query.selection import select
from shared.contracts.errors import Invalid

ROOT = "/.well-known/backstage/permissions"
MOST_ITEMS = 1_000
SCHEMA = "http://json-schema.org/draft-07/schema#"


async def metadata(request: Request) -> Sent:
    """GET: the permissions and rules that policies can speak of."""
    reads, _ = await begin(request)
    found = {"permissions": _permissions(), "rules": _rules()}
    return reads.answer(orjson.dumps(found))


async def apply_conditions(request: Request) -> Sent:
    """POST: for each item whether its entity meets its conditions."""
    reads, scope = await begin(request)
    body = await body_of(request)
    items = body.get("items")
    if not isinstance(items, list) or len(items) > MOST_ITEMS:
        raise Invalid(f"items: must be array of at most {MOST_ITEMS}")
    found = [
        _result(reads, item, scope, f"items[{index}]")
        for index, item in enumerate(items)
    ]
    return reads.answer(orjson.dumps({"items": found}))


def _result(
    reads: Reads, item: object, scope: ReaderScope, where: str
) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise Invalid(f"{where}.id: must be string")
    if item.get("resourceType") != RESOURCE_TYPE:
        raise Invalid(f"{where}.resourceType: must be {RESOURCE_TYPE}")
    criterion = parse_conditions(item.get("conditions"))
    # What the caller may not see is denied, whatever holds for it.
    allowed = select(reads.model, criterion, scope)

    def decide(ref: str) -> str:
        record = reads.model.record(ref.lower())
        return "ALLOW" if record and record.entity in allowed else "DENY"

    refs = item.get("resourceRef", item.get("resourceRefs"))
    if isinstance(refs, str):
        return {"id": item["id"], "result": decide(refs)}
    if not isinstance(refs, list) or not all(isinstance(ref, str) for ref in refs):
        raise Invalid(f"{where}.resourceRef: must be string or array of strings")
    return {"id": item["id"], "result": [decide(ref) for ref in refs]}


def _permissions() -> list[dict[str, Any]]:
    """Backstage's catalog permissions: those on an entity are of its resource type."""
    found: list[dict[str, Any]] = []
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
        found.append({**kind, "name": name, "attributes": attributes})
    return found


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
    found = []
    for name, param, schema, entities in RULES:
        valued = schema is TEXT
        properties = {param: schema, **({"value": TEXT} if valued else {})}
        also = ", and with its value if one is given" if valued else ""
        params = {
            "type": "object",
            "properties": properties,
            "required": [param],
            "additionalProperties": False,
            "$schema": SCHEMA,
        }
        found.append(
            {
                "name": name,
                "description": entities + also,
                "resourceType": RESOURCE_TYPE,
                "paramsSchema": params,
            }
        )
    return found


routes = [
    get(f"{ROOT}/metadata", metadata),
    post(f"{ROOT}/apply-conditions", apply_conditions),
]
