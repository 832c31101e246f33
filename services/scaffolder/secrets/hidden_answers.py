"""The secret answers of a form, which clients send among the other answers.

Fields of `ui:field: Secret` and `ui:widget: password`, wherever in the schema.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.scaffolder.model import Schema
from services.scaffolder.secrets.redaction import MASK, texts
from shared.guards.json_pointers import value_at

_DEPTH = 60
_LINKS = 8
_HINTS = (("field", "Secret"), ("widget", "password"))


def secret_names(pages: Iterable[Schema]) -> frozenset[str]:
    """The names of all properties that are secrets, at any depth."""
    return frozenset(
        name for page in pages for name in _names(page, page, owner=None, depth=0)
    )


def masked(value: Any, names: frozenset[str]) -> Any:
    """A JSON value with `***` under these names; an answer of stars stays as it is."""
    if isinstance(value, list):
        return [masked(item, names) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: MASK if key in names and _is_given(item) else masked(item, names)
        for key, item in value.items()
    }


def secret_texts(value: Any, names: frozenset[str]) -> Iterator[str]:
    """The texts under these names."""
    if isinstance(value, list):
        for item in value:
            yield from secret_texts(item, names)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key in names and _is_given(item):
                yield from texts(item)
            else:
                yield from secret_texts(item, names)


def _is_given(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip("*"))
    return value is not None and value not in ([], {})


def _names(
    schema: Any, root: Schema, *, owner: str | None, depth: int
) -> Iterator[str]:
    if depth > _DEPTH:
        return
    if isinstance(schema, list):
        for part_schema in schema:
            yield from _names(part_schema, root, owner=owner, depth=depth + 1)
    if not isinstance(schema, Mapping):
        return
    if owner is not None and _is_secret(_linked(schema, root)):
        yield owner
    for key, part in schema.items():
        if key == "properties" and isinstance(part, Mapping):
            for name, part_schema in part.items():
                yield from _names(part_schema, root, owner=str(name), depth=depth + 1)
        else:
            yield from _names(part, root, owner=owner, depth=depth + 1)


def _linked(schema: Schema, root: Schema) -> Schema:
    """The schema that a `$ref` within the document leads to."""
    for _ in range(_LINKS):
        ref = schema.get("$ref")
        if not isinstance(ref, str) or not ref.startswith("#/"):
            break
        target = value_at(root, ref[1:])
        if not isinstance(target, Mapping):
            break
        schema = target
    return schema


def _is_secret(schema: Schema) -> bool:
    options = schema.get("ui:options")
    inner = options if isinstance(options, Mapping) else {}
    return any(
        hint in (schema.get(f"ui:{name}"), inner.get(name)) for name, hint in _HINTS
    )
