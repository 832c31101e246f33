"""`catalog:fetch`: reads entities from the catalog, as the user may see them."""

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    flag,
    members,
    step,
    text,
)
from services.scaffolder.model import JsonObject
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid, NotFound
from shared.contracts.ref import parse_ref

MOST_REFS = 1_000


async def _run(context: ActionContext) -> None:
    ref_input, refs_input = (
        context.input.get("entityRef"),
        context.input.get("entityRefs"),
    )
    if not ref_input and not refs_input:
        if context.input.get("optional"):
            return
        raise Invalid("Missing entity reference or references")
    catalog, initiator = context.tools.catalog, context.initiator
    if ref_input:
        ref = _canonical(context, ref_input)
        context.output(
            "entity",
            _required_entity(context, ref, await catalog.entity(ref, initiator)),
        )
    if refs_input:
        refs = [_canonical(context, ref) for ref in refs_input]
        entities = await catalog.entities(refs, initiator)
        context.output(
            "entities",
            [
                _required_entity(context, ref, entity)
                for ref, entity in zip(refs, entities, strict=True)
            ],
        )


def _canonical(context: ActionContext, ref: str) -> str:
    return str(
        parse_ref(
            ref,
            default_kind=context.input.get("defaultKind"),
            default_namespace=context.input.get("defaultNamespace") or "default",
        )
    )


def _required_entity(
    context: ActionContext, ref: str, entity: Entity | None
) -> JsonObject | None:
    """The entity's JSON, which expressions read; None if it may be missing, and is."""
    if entity is None and not context.input.get("optional"):
        raise NotFound(f"Entity {ref} not found")
    return None if entity is None else dict(entity.raw)


ACTION = Action(
    id="catalog:fetch",
    description="Reads one entity, or several, from the catalog.",
    run=_run,
    input=members(
        {
            "entityRef": text("The ref of the entity to read."),
            "entityRefs": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": MOST_REFS,
                "description": "The refs of the entities to read.",
            },
            "optional": flag("Whether they may be missing; false by default."),
            "defaultKind": text("The kind, where a ref has none."),
            "defaultNamespace": text("The namespace, where a ref has none."),
        }
    ),
    output=members(
        {
            "entity": {"description": "The entity, when `entityRef` was given."},
            "entities": {"type": "array"},
        }
    ),
    examples=[
        step("catalog:fetch", "Read one", "entityRef: component:default/web"),
        step(
            "catalog:fetch",
            "Read several that may be missing",
            "entityRefs: [web, shop]\ndefaultKind: component\noptional: true",
        ),
    ],
    supports_dry_run=True,
)
