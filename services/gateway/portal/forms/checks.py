"""What is wrong with the answers, said at the field in words."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from jsonschema import Draft7Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError

from services.gateway.portal.forms.model import Field, Path

NEEDED = "This is needed."
TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "array": "a list",
    "object": "an object",
    "string": "a text",
}
MOST_ERRORS = 100


def errors_in(
    schema: Mapping[str, Any], fields: list[Field], values: Mapping[str, Any]
) -> dict[Path, str]:
    """The first thing that is wrong with each field, by the field's path."""
    secrets = {field.path for field in fields if field.kind == "secret"}
    limits = {field.path: field.schema for field in fields}
    found: dict[Path, str] = {}
    try:
        errors = Draft7Validator(
            _plain(schema, limits), format_checker=FormatChecker()
        ).iter_errors(values)
        for number, error in enumerate(errors):
            path = _place(error)
            if path not in secrets:
                found.setdefault(path, said(error))
            if number == MOST_ERRORS:
                break
    except (SchemaError, re.error, RecursionError, TypeError, ValueError) as problem:
        found[()] = f"The template's own form cannot be checked: {problem}"
    return found


def _plain(
    schema: Mapping[str, Any], limits: Mapping[Path, Mapping[str, Any]], path: Path = ()
) -> dict[str, Any]:
    """The schema with the rules that fields add (names of entities, for one)."""
    plain = dict(schema)
    if "properties" in plain:
        plain["properties"] = {
            name: limits.get((*path, name)) or _plain(each, limits, (*path, name))
            for name, each in plain["properties"].items()
        }
    return plain


def _place(error: ValidationError) -> Path:
    path = tuple(str(part) for part in error.absolute_path if not isinstance(part, int))
    if error.validator == "required":
        match = re.match(r"'(.+)' is a required property", error.message)
        return (*path, match[1]) if match else path
    return path


def said(error: ValidationError) -> str:
    """The rule that was broken, for the person who typed."""
    limit = error.validator_value
    if error.validator == "required":
        return NEEDED
    if error.validator == "type":
        kinds = limit if isinstance(limit, list) else [limit]
        named = [TYPES.get(str(each), str(each)) for each in kinds if each != "null"]
        return f"This must be {' or '.join(named)}."
    worded = SAID.get(str(error.validator))
    return worded(limit) if worded else error.message


def _length(limit: Any) -> str:
    return NEEDED if limit == 1 else f"At least {limit} characters, please."


SAID: Mapping[str, Callable[[Any], str]] = {
    "minLength": _length,
    "maxLength": lambda limit: f"At most {limit} characters, please.",
    "pattern": lambda limit: f"This does not have the form that is asked for: {limit}",
    "enum": lambda _: "Choose one of the values that are offered.",
    "const": lambda limit: f"This must be {limit}.",
    "minimum": lambda limit: f"This must be {limit} or more.",
    "maximum": lambda limit: f"This must be {limit} or less.",
    "exclusiveMinimum": lambda limit: f"This must be more than {limit}.",
    "exclusiveMaximum": lambda limit: f"This must be less than {limit}.",
    "multipleOf": lambda limit: f"This must be a multiple of {limit}.",
    "minItems": lambda limit: f"Choose at least {limit}.",
    "maxItems": lambda limit: f"Choose at most {limit}.",
    "uniqueItems": lambda _: "Something stands here twice.",
    "format": lambda limit: f"This is no {limit}.",
}
