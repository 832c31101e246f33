"""Cuts an entity down to the requested fields."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.catalog.model import EntityJson
from services.catalog.query.effort import check_paths
from shared.contracts.errors import Invalid

DERIVED = frozenset({"relations", "status"})
"""RootLocation fields that are not in the stored document."""


def parse_fields(texts: Sequence[str]) -> tuple[str, ...]:
    """The dotted paths in `fields` parameters; none means the whole entity.

    Raises:
        Invalid: if a path reaches into an array, or there are too many.
    """
    paths = (path.strip() for text in texts for path in text.split(","))
    fields = tuple(path for path in paths if path)
    for field in fields:
        if "[" in field:
            raise Invalid(
                f"invalid field {field!r}, array type fields are not supported"
            )
    check_paths(fields, "fields")
    return fields


def needs_derived(fields: Sequence[str]) -> bool:
    """Whether a cut needs what only the adjacency and the errors know."""
    return any(field.partition(".")[0] in DERIVED for field in fields)


def cut(entity: EntityJson, fields: Sequence[str]) -> EntityJson:
    """The entity with nothing but `fields`; what it lacks is left out."""
    document: dict[str, Any] = {}
    for field in fields:
        path: list[str] = []
        value = _follow(entity, field.split("."), path)
        if value is not None:
            _place(document, path, value)
    return document


def _follow(value: Any, parts: Sequence[str], path: list[str]) -> Any:
    """The value at a path whose keys may hold dots themselves: shortest key first."""
    start = 0
    for end in range(1, len(parts) + 1):
        if not isinstance(value, Mapping):
            return None
        key = ".".join(parts[start:end])
        if key in value:
            path.append(key)
            value, start = value[key], end
    return value if start == len(parts) else None


def _place(document: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for key in path[:-1]:
        inner = document.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        document = inner
    # A field requested twice, once whole and once in part, stays whole.
    if isinstance(value, Mapping) and isinstance(document.get(path[-1]), dict):
        document[path[-1]] = {**document[path[-1]], **value}
    else:
        document[path[-1]] = value
