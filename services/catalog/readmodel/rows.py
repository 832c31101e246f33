"""The (path, value) rows of an entity in the index; not how they are stored.

The rules are Backstage's search rows, so that its filters, facets and orders mean the
same here: dotted lower-cased paths, scalars only, arrays visited with the path of the
array, `path.item` for each string in an array.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from services.catalog.descriptor.definitions import reference_in
from shared.contracts.entity import Entity

LONGEST = 200
"""Characters of a path or a value that is searched by; more is not a search term."""

SKIPPED = frozenset({"attachments", "relations", "status"})
"""RootLocation fields that are not searched by their values."""

NAMED_APART = frozenset({"metadata.name", "metadata.namespace", "metadata.uid"})
NOT_INDEXED = NAMED_APART | {"metadata.etag"}
UNLIMITED = ("metadata.annotations.", "metadata.labels.")
"""Policies test these by name: their paths are indexed whatever their length."""

Row = tuple[str, str | None]
"""A path and one value; None marks presence of something that is not a term."""


HAS_ERRORS: Row = ("status.items.level", "error")
REFUSED_OWNER = "status.items.error.owner"


class Rows(NamedTuple):
    """An entity's rows without repetitions: values by path, and the array items."""

    values: frozenset[Row]
    items: frozenset[str]

    def at(self, path: str) -> list[str]:
        """The lower-cased values at a lower-cased path."""
        return [
            value.lower()
            for row_path, value in self.values
            if row_path == path and value is not None
        ]


def rows_of(entity: Entity, errors: Sequence[Any] = ()) -> Rows:
    """The rows of an entity as it is stored, without relations.

    Of its status there are the row by which what has errors is found, and the owners
    of the documents that are refused.
    """
    values: list[Row] = []
    items: list[str] = []
    for key, value in entity.raw.items():
        if key not in SKIPPED:
            _visit(key.lower(), value, values, items)
    if errors:
        values.append(HAS_ERRORS)
        values += [(REFUSED_OWNER, owner) for owner in _owners_in(errors)]
    values.append(("metadata.name", entity.name))
    values.append(("metadata.namespace", entity.namespace))
    if entity.uid:
        values.append(("metadata.uid", entity.uid))
    return Rows(frozenset(values), frozenset(items))


def _owners_in(items: Sequence[Any]) -> set[str]:
    errors = (item.get("error") or {} for item in items)
    return {owner for error in errors if (owner := error.get("owner"))}


def _visit(path: str, value: object, rows: list[Row], items: list[str]) -> None:
    if isinstance(value, str):
        if _is_indexed(path):
            rows.append((path, value if len(value) <= LONGEST else None))
    elif isinstance(value, dict):
        if reference_in(value) is not None:
            rows.append((path, None))
            return
        if not _is_searched(path):
            # Nor is what lies below, whose paths are longer still.
            return
        for key, inner in value.items():
            _visit(f"{path}.{key.lower()}", inner, rows, items)
    elif isinstance(value, list | tuple):
        is_indexed = _is_indexed(path)
        for inner in value:
            if not isinstance(inner, str):
                _visit(path, inner, rows, items)
                continue
            if is_indexed:
                rows.append((path, inner if len(inner) <= LONGEST else None))
            if len(path) + len(inner) < LONGEST:
                items.append(f"{path}.{inner.lower()}")
    elif _is_indexed(path):
        rows.append((path, None if value is None else text_of(value)))


def _is_indexed(path: str) -> bool:
    if path in NOT_INDEXED:
        return False
    return _is_searched(path)


def _is_searched(path: str) -> bool:
    return len(path) <= LONGEST or path.startswith(UNLIMITED)


def text_of(value: object) -> str:
    """A scalar as JavaScript's `String()` writes it: true, 1, 1.5."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value)
