"""Messages for requests that break the rules of their models, in Backstage's words.

Backstage's routers validate with AJV; its clients and their users know AJV's messages:
`request/body must have required property 'entity'`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

#: Messages by pydantic's type of an error; braces are filled from its context.
RULES: Mapping[str, str] = {
    "bool_parsing": "must be boolean",
    "bool_type": "must be boolean",
    "dict_type": "must be object",
    "greater_than_equal": "must be >= {ge}",
    "int_from_float": "must be integer",
    "less_than_equal": "must be <= {le}",
    "list_type": "must be array",
    "literal_error": "must be {expected}",
    "model_attributes_type": "must be object",
    "model_type": "must be object",
    "string_pattern_mismatch": 'must match pattern "{pattern}"',
    "string_too_long": "must NOT have more than {max_length} characters",
    "string_too_short": "must NOT have fewer than {min_length} characters",
    "string_type": "must be string",
    "too_long": "must have at most {max_length} items",
    "too_short": "must NOT have fewer than {min_length} items",
}
#: Limit of a message, which contains keys of the body.
LONGEST = 500


def validation_text(errors: Sequence[Mapping[str, Any]], body: Any) -> str:
    """The message for the first error of a request with this body."""
    return _sentence(errors[0], body)[:LONGEST]


def _sentence(error: Mapping[str, Any], body: Any) -> str:
    location, kind = error["loc"], error["type"]
    path = _path(location, body, error.get("input"))
    if kind == "missing":
        if len(location) == 1:
            return f"{path} must be object"
        parent = _path(location[:-1], body, None)
        return f"{parent} must have required property '{location[-1]}'"
    if kind in {"int_type", "int_parsing"}:
        # Backstage's bodies have numbers, its queries have integers.
        return f"{path} must be {'number' if location[0] == 'body' else 'integer'}"
    if kind in RULES:
        rule = RULES[kind].format_map(error.get("ctx", {}))
        return f"{path} {rule.replace(chr(39), '')}"
    return f"{path}: {error['msg'].removeprefix('Value error, ')}"


def _path(location: Sequence[Any], body: Any, refused: Any) -> str:
    """The path of a refused value, without pydantic's names of union members."""
    place, *parts = location
    # Parameters are no objects: theirs is one name, and a number in a list.
    value = body if place == "body" else dict.fromkeys(parts[:1])
    names = [place]
    for part in parts:
        if isinstance(part, int):
            is_item = isinstance(value, list) and part < len(value)
            value = value[part] if is_item else None
        elif isinstance(value, Mapping) and part in value and value is not refused:
            value = value[part]
        else:
            continue
        names.append(part)
    return "/".join(["request", *map(str, names)])
