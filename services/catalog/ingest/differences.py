"""What differs between two states of an entity, by dotted path."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.catalog.descriptor.definitions import reference_in
from services.catalog.model import EntityJson, StoredRelation
from shared.contracts.entity import Entity

#: Fields that differ with every change.
DERIVED = frozenset({"metadata.uid", "metadata.etag"})
#: What lies below a longer path is one value: the path is written out for each.
LONGEST_PATH = 1_000
_ABSENT: Any = object()
Difference = tuple[str, Any, Any]


def differences(before: Entity | None, after: Entity | None) -> list[Difference]:
    """Each path that differs, with its value before and after (None: absent).

    Lists count as one value: their order matters. So does what lies below a path of
    more than `LONGEST_PATH` characters, which is cut.
    """
    return [
        (path, _none_if_absent(old), _none_if_absent(new))
        for path, old, new in _walk(_raw(before), _raw(after), "")
        if path not in DERIVED
    ]


def changed_paths(before: Entity | None, after: Entity | None) -> list[str]:
    """The dotted paths that differ."""
    return [path for path, _, _ in differences(before, after)]


def _raw(entity: Entity | None) -> EntityJson:
    return {} if entity is None else entity.raw


def _none_if_absent(value: Any) -> Any:
    return None if value is _ABSENT else value


def _walk(
    before: Mapping[str, Any], after: Mapping[str, Any], prefix: str
) -> Iterator[Difference]:
    for key in sorted({*before, *after}):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        path = f"{prefix}{key}"
        if old == new:
            continue
        if len(path) <= LONGEST_PATH and (_is_object(old) or _is_object(new)):
            old_fields = old if _is_object(old) else {}
            new_fields = new if _is_object(new) else {}
            inner_differences = list(_walk(old_fields, new_fields, f"{path}."))
            if inner_differences:
                yield from inner_differences
                continue
        yield path[:LONGEST_PATH], old, new


def _is_object(value: Any) -> bool:
    """Whether a value has fields of its own; a reference stands for a text."""
    return isinstance(value, Mapping) and reference_in(value) is None


def relation_steps(
    before: tuple[StoredRelation, ...], after: tuple[StoredRelation, ...]
) -> tuple[list[StoredRelation], list[StoredRelation]]:
    """The relations that were added, and those that were removed."""
    old, new = set(before), set(after)
    return [r for r in after if r not in old], [r for r in before if r not in new]
