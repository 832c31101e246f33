"""What counts beside a `$ref`, by the specification that a document follows.

OpenAPI 3.1: all keywords of a schema (JSON Schema 2020-12), and of another object
`summary` and `description`. OpenAPI before it, Swagger and AsyncAPI: nothing. A path
item, and a channel of AsyncAPI 2, have `$ref` among their own fields: there all counts.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from services.portal.definitions.model import words
from services.portal.definitions.schema_words import IDENTITY_FIELDS
from shared.contracts.entity import list_of, mapping_of

_OPENAPI_31 = re.compile(r"3\.[1-9]|[4-9]")
#: Fields of both objects that are joined for each reference, which may be many.
MOST_JOINED = 100
REFERENCE_FIELDS = frozenset({"summary", "description"})
#: Keywords that describe and demand nothing: what stands beside the reference wins.
DESCRIBING = (IDENTITY_FIELDS - {"$ref"}) | {
    *("title", "description", "default", "example", "examples", "deprecated"),
    *("readOnly", "writeOnly", "format", "externalDocs", "xml"),
}


class EveryField(Container[str]):
    """Contains every name."""

    def __contains__(self, _: object) -> bool:
        return True


NO_FIELD: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SiblingRules:
    """The fields that count beside a `$ref`, by what the reference stands for."""

    of_schemas: Container[str] = NO_FIELD
    of_items: Container[str] = NO_FIELD
    of_objects: Container[str] = NO_FIELD

    @classmethod
    def of(cls, root: Mapping[str, Any]) -> "SiblingRules":
        """The rules of the document with this root."""
        if "asyncapi" in root:
            is_old = words(root["asyncapi"]).startswith("2")
            return cls(of_items=EveryField() if is_old else NO_FIELD)
        if _OPENAPI_31.match(words(root.get("openapi"))):
            return cls(EveryField(), EveryField(), REFERENCE_FIELDS)
        return cls(of_items=EveryField())


def join_schemas(
    target: Mapping[str, Any], beside: Mapping[str, Any], *, joins_fields: bool = True
) -> dict[str, Any]:
    """The schema that demands what both demand; what `beside` describes wins.

    What is long, or further inside, is not joined: it becomes a part of `allOf`.
    """
    if not _are_short(target, beside):
        return {
            **beside,
            "allOf": [target, *list_of(beside.get("allOf"))[:MOST_JOINED]],
        }
    whole = {**target, **beside}
    rest: dict[str, Any] = {}
    for key, second in beside.items():
        if key not in target or key in DESCRIBING:
            continue
        first = target[key]
        joined = _joined(key, first, second) if joins_fields else None
        if joined is None:
            rest[key] = first
        else:
            whole[key] = joined
    if rest:
        whole["allOf"] = [rest, *list_of(whole.get("allOf"))[:MOST_JOINED]]
    return whole


def _joined(key: str, first: object, second: object) -> object:
    """The value of a keyword that two schemas have; None if it stays in both."""
    if not _are_short(first, second):
        return None
    if key == "properties":
        return _join_fields(mapping_of(first), mapping_of(second))
    if key == "items" and _are_objects(first, second):
        return join_schemas(mapping_of(first), mapping_of(second), joins_fields=False)
    if key == "required":
        return list(dict.fromkeys(map(words, [*list_of(first), *list_of(second)])))
    if key == "allOf":
        return [*list_of(first), *list_of(second)]
    return None


def _join_fields(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    fields = {**first, **second}
    for name in first.keys() & second.keys():
        if _are_objects(first[name], second[name]):
            fields[name] = join_schemas(first[name], second[name], joins_fields=False)
    return fields


def _are_objects(*values: object) -> bool:
    return all(isinstance(value, Mapping) for value in values)


def _are_short(*values: object) -> bool:
    sizes = [len(value) for value in values if isinstance(value, Mapping | list)]
    return sum(sizes) <= MOST_JOINED
