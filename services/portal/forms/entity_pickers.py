"""Pickers of entities and tags: what Backstage's hints say that they offer."""

from collections.abc import Mapping
from typing import Any

from services.portal.forms.model import Picker, Schema
from shared.contracts.entity import list_of
from shared.contracts.ref import DEFAULT_NAMESPACE

ENTITY_PICKERS = frozenset(
    {
        "EntityPicker",
        "OwnerPicker",
        "OwnedEntityPicker",
        "MultiEntityPicker",
        "MyGroupsPicker",
    }
)


def picker_of(schema: Schema) -> Picker | None:
    """The picker that a question asks for; None if it has none."""
    special = str(ui_hint(schema, "field"))
    if special == "EntityTagsPicker":
        return Picker("tags", _filters_of_kinds(ui_hint(schema, "kinds")))
    return _entity_picker(schema, special) if special in ENTITY_PICKERS else None


def _filters_of_kinds(kinds: Any) -> tuple[str, ...]:
    """The filter of a list of kinds; none if there is no such list."""
    names = [str(kind) for kind in list_of(kinds)]
    return (",".join(f"kind={name}" for name in names),) if names else ()


def _entity_picker(schema: Schema, special: str) -> Picker:
    catalog_filter = ui_hint(schema, "catalogFilter")
    sets = (
        catalog_filter
        if isinstance(catalog_filter, list)
        else [catalog_filter]
        if catalog_filter
        else []
    )
    filters = tuple(
        text
        for text in (
            _statement(conditions)
            for conditions in sets
            if isinstance(conditions, Mapping)
        )
        if text
    )
    if not filters:
        filters = _filters_of_kinds(ui_hint(schema, "allowedKinds"))
    if not filters and special == "OwnerPicker":
        filters = ("kind=group,kind=user",)
    if special == "MyGroupsPicker":
        return Picker("groups", free=False, default_kind="group")
    usual = "group" if special == "OwnerPicker" else ""
    return Picker(
        "entities",
        filters,
        own=special == "OwnedEntityPicker",
        free=ui_hint(schema, "allowArbitraryValues") is not False,
        default_kind=str(ui_hint(schema, "defaultKind") or usual),
        default_namespace=str(ui_hint(schema, "defaultNamespace") or DEFAULT_NAMESPACE),
    )


def _statement(filters: Mapping[str, Any]) -> str:
    """A `catalogFilter` object in the catalog's filter language."""
    parts: list[str] = []
    for key, value in filters.items():
        if isinstance(value, Mapping):
            if value.get("exists") is True:
                parts.append(str(key))
            continue
        parts += [
            f"{key}={item}" for item in (value if isinstance(value, list) else [value])
        ]
    return ",".join(parts)


def ui_hint(schema: Schema, name: str) -> Any:
    """A hint, written `ui:name` or inside `ui:options`."""
    options = schema.get("ui:options")
    inner = options.get(name) if isinstance(options, Mapping) else None
    return schema.get(f"ui:{name}", inner)
