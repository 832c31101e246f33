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


def validation_text(errors: Sequence[Mapping[str, Any]]) -> str:
    """The message for the first error."""
    return _sentence(errors[0])[:LONGEST]


def _sentence(error: Mapping[str, Any]) -> str:
    location, kind = error["loc"], error["type"]
    path = _path(location)
    if kind == "missing":
        if len(location) == 1:
            return f"{path} must be object"
        return f"{_path(location[:-1])} must have required property '{location[-1]}'"
    if kind in {"int_type", "int_parsing"}:
        # Backstage's bodies have numbers, its queries have integers.
        return f"{path} must be {'number' if location[0] == 'body' else 'integer'}"
    if kind in RULES:
        rule = RULES[kind].format_map(error.get("ctx", {}))
        return f"{path} {rule.replace(chr(39), '')}"
    return f"{path}: {error['msg'].removeprefix('Value error, ')}"


def _path(place: Sequence[Any]) -> str:
    return "/".join(["request", *map(str, place)])
