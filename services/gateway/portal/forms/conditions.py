"""What a schema asks for, given the answers so far: its conditions decided.

`allOf`, `if/then/else`, `dependencies` and `oneOf` become plain properties and required
names, which is all that a form can show.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError

from services.gateway.portal.forms.model import Values

DEEPEST = 12
CONDITIONS = frozenset(
    {"allOf", "anyOf", "oneOf", "if", "then", "else", "$ref"}
    | {"dependencies", "dependentSchemas", "dependentRequired"}
)


def decided(
    schema: Mapping[str, Any],
    values: Values,
    root: Mapping[str, Any] | None = None,
    depth: int = 0,
) -> dict[str, Any]:
    """The schema without conditions, for these values."""
    root = schema if root is None else root
    schema = _followed(schema, root)
    found: dict[str, Any] = {k: v for k, v in schema.items() if k not in CONDITIONS}
    found["properties"] = dict(_mapping(schema.get("properties")))
    found["required"] = [str(each) for each in _list(schema.get("required"))]
    if depth > DEEPEST:
        return found
    for after, part in _parts(schema, values, root):
        _merge(found, decided(part, values, root, depth + 1), after)
    for name, each in found["properties"].items():
        inner = _followed(_mapping(each), root)
        if is_object(inner):
            below = _mapping(values.get(name))
            found["properties"][name] = decided(inner, below, root, depth + 1)
        else:
            found["properties"][name] = dict(_checkable(inner))
    return found


def is_object(schema: Mapping[str, Any]) -> bool:
    """Whether the schema asks for several things under one name."""
    return "properties" in schema or (
        schema.get("type") == "object" and bool(CONDITIONS & schema.keys())
    )


def controllers(schema: Mapping[str, Any], depth: int = 0) -> frozenset[str]:
    """Names at the top of the schema on whose answers other questions depend."""
    found: set[str] = set()
    if not schema or depth > DEEPEST:
        return frozenset()
    for key in ("dependencies", "dependentSchemas", "dependentRequired"):
        found |= {str(name) for name in _mapping(schema.get(key))}
    tests = [_mapping(schema.get("if"))]
    tests += [
        _mapping(each) for key in ("oneOf", "anyOf") for each in _list(schema.get(key))
    ]
    for test in tests:
        found |= {str(name) for name in _mapping(test.get("properties"))}
        found |= {str(name) for name in _list(test.get("required"))}
    inner = [schema.get("then"), schema.get("else"), *_list(schema.get("allOf"))]
    inner += list(_mapping(schema.get("dependencies")).values())
    for each in inner:
        found |= controllers(_mapping(each), depth + 1)
    return frozenset(found)


def _parts(
    schema: Mapping[str, Any], values: Values, root: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What belongs to the schema now, each with the question that brought it."""
    yield from (("", _mapping(each)) for each in _list(schema.get("allOf")))
    if "if" in schema:
        branch = "then" if accepts(_mapping(schema["if"]), values, root) else "else"
        yield "", _mapping(schema.get(branch))
    for key in ("dependencies", "dependentSchemas", "dependentRequired"):
        for name, needs in _mapping(schema.get(key)).items():
            if name in values:
                for part in _needed(str(name), needs, values, root):
                    yield str(name), part
    for key in ("oneOf", "anyOf"):
        branches = [_mapping(each) for each in _list(schema.get(key))]
        if any("properties" in each or "required" in each for each in branches):
            yield "", _first_accepting(branches, values, root)


def _needed(
    name: str, needs: object, values: Values, root: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """What an answered question brings with it."""
    if isinstance(needs, list):
        yield {"required": needs}
        return
    schema = _followed(_mapping(needs), root)
    branches = [_mapping(each) for each in _list(schema.get("oneOf"))]
    if not branches:
        yield schema
        return
    yield {key: value for key, value in schema.items() if key != "oneOf"}
    # The branch is chosen by the answer itself, as Backstage's form does.
    for branch in branches:
        own = _mapping(_mapping(branch.get("properties")).get(name))
        if accepts(own, values[name], root):
            rest = {
                k: v for k, v in _mapping(branch.get("properties")).items() if k != name
            }
            yield {**branch, "properties": rest}
            return


def _first_accepting(
    branches: list[Mapping[str, Any]], values: Values, root: Mapping[str, Any]
) -> Mapping[str, Any]:
    for branch in branches:
        if accepts({**branch, "required": []}, values, root):
            return branch
    return branches[0]


def accepts(schema: Mapping[str, Any], value: object, root: Mapping[str, Any]) -> bool:
    """Whether a schema takes a value; one that is itself wrong takes nothing."""
    whole = {**schema, "definitions": root.get("definitions", {})}
    try:
        return bool(Draft7Validator(whole).is_valid(value))
    except (SchemaError, re.error, RecursionError, TypeError, ValueError):
        return False


def _merge(found: dict[str, Any], part: Mapping[str, Any], after: str) -> None:
    """Adds a part; new questions come right after the one that brought them."""
    added = dict(part["properties"])
    properties: dict[str, Any] = {}
    for name, each in found["properties"].items():
        properties[name] = {**each, **_mapping(added.pop(name, None))}
        if name == after:
            fresh = [new for new in added if new not in found["properties"]]
            properties |= {new: added.pop(new) for new in fresh}
    found["properties"] = {**properties, **added}
    found["required"] += [
        each for each in part["required"] if each not in found["required"]
    ]
    for key, value in part.items():
        if key == "ui:order" or key not in found:
            found[key] = value


def _followed(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(DEEPEST):
        pointer = schema.get("$ref")
        if not isinstance(pointer, str) or not pointer.startswith("#/"):
            return schema
        target: object = root
        for step in pointer[2:].split("/"):
            target = _mapping(target).get(step.replace("~1", "/").replace("~0", "~"))
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**_mapping(target), **rest}
    return schema


def _checkable(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without a pattern that Python cannot read: the scaffolder has the last word."""
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        try:
            re.compile(pattern)
        except re.error:
            return {key: value for key, value in schema.items() if key != "pattern"}
    return schema


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
