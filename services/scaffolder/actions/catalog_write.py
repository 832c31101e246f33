"""`catalog:write`: writes the descriptor of what the template makes."""

from typing import Any

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    members,
    step,
    text,
)
from services.scaffolder.model import JsonObject
from shared.contracts.annotations import SOURCE_TEMPLATE
from shared.contracts.errors import Invalid
from shared.guards.yaml_text import dump_yaml


async def _run(context: ActionContext) -> None:
    path = context.input.get("filePath") or "catalog-info.yaml"
    context.workspace.path(path)
    context.log(f"Writing {path}")
    content = await context.in_thread(lambda: _descriptor(context))
    await context.in_thread(lambda: context.workspace.write(path, content))


def _descriptor(context: ActionContext) -> bytes:
    entity: JsonObject = dict(context.input["entity"])
    ref = context.template_info.get("entityRef")
    if ref:
        metadata = _mapping(entity.get("metadata"), "entity.metadata")
        label = "entity.metadata.annotations"
        annotations = _mapping(metadata.get("annotations"), label)
        annotations[SOURCE_TEMPLATE] = ref
        entity["metadata"] = {**metadata, "annotations": annotations}
    return dump_yaml(entity, width=1000, label="entity").encode()


def _mapping(value: Any, label: str) -> JsonObject:
    """A copy of a mapping, an empty one for None.

    Raises:
        Invalid: if it is no mapping.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(f"{label}: must be an object")
    return dict(value)


ACTION = Action(
    id="catalog:write",
    description="Writes the descriptor of what the template makes.",
    run=_run,
    input=members(
        {
            "filePath": text("Where to write it, catalog-info.yaml by default."),
            "entity": {
                "type": "object",
                "additionalProperties": {},
                "description": "The entity, as in any descriptor.",
            },
        },
        required=["entity"],
    ),
    examples=[
        step(
            "catalog:write",
            "A component",
            "entity:\n  apiVersion: backstage.io/v1alpha1\n  kind: Component\n"
            "  metadata:\n    name: ${{ parameters.name }}\n  spec:\n"
            "    type: service\n    lifecycle: experimental\n"
            "    owner: ${{ parameters.owner }}",
        )
    ],
    supports_dry_run=True,
)
