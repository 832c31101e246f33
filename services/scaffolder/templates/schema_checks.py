"""JSON Schema: of parameters, secrets and action inputs, with messages for people.

Draft 7, as templates are written for. Messages follow npm's `jsonschema`, whose answers
clients of the scaffolder read. Anybody may have written a schema: it is checked within
the limits of `shared.guards.schemas`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict

from services.scaffolder.model import Schema
from shared.contracts.errors import Invalid
from shared.guards.schemas import Violation, find_violations
from shared.guards.trees import check_tree

_MOST = 100
_LONGEST_VALUE = 1_000


class SchemaProblem(TypedDict):
    """One broken rule, as npm's `jsonschema` tells it; `instance` is the value."""

    path: list[str | int]
    property: str
    message: str
    schema: NotRequired[Any]
    instance: NotRequired[Any]
    name: str
    argument: Any
    stack: str


def problems(schema: Schema, instance: Any) -> list[SchemaProblem]:
    """The rules that `instance` breaks.

    Raises:
        Invalid: if the schema is no JSON Schema, or takes too much work.
    """
    violations = sorted(
        find_violations(schema, instance),
        key=lambda violation: list(map(str, violation.path)),
    )
    return [_problem(violation) for violation in violations[:_MOST]]


def _problem(violation: Violation) -> SchemaProblem:
    place = "instance" + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in violation.path
    )
    message = _message(violation)
    return {
        "path": list(violation.path),
        "property": place,
        "message": message,
        "schema": _repeated(violation.schema),
        "instance": _repeated(violation.instance),
        "name": violation.keyword,
        "argument": _argument(violation),
        "stack": f"{place} {message}",
    }


def _repeated(value: Any) -> Any:
    """A value as an error repeats it; None if it is large."""
    try:
        check_tree(value, label="value", nodes=1_000, text=10_000)
    except Invalid:
        return None
    return value


def _argument(violation: Violation) -> Any:
    if violation.keyword == "required":
        return violation.detail
    if violation.keyword == "additionalProperties":
        return violation.detail[0]
    if violation.keyword == "type":
        value = violation.argument
        return value if isinstance(value, list) else [value]
    return violation.argument


def _message(violation: Violation) -> str:
    make = _MESSAGES.get(violation.keyword)
    return make(violation) if make else "is not allowed"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"


def _types(violation: Violation) -> str:
    value = violation.argument
    return ",".join(value) if isinstance(value, list) else str(value)


def _listed(violation: Violation) -> str:
    text = ",".join(str(value) for value in violation.argument)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"


def _alternatives(violation: Violation) -> str:
    """The schemas of a list, named as npm's package names them."""
    names = []
    for number, schema in enumerate(violation.argument):
        title = schema.get("title") if isinstance(schema, Mapping) else None
        ref = schema.get("$ref") if isinstance(schema, Mapping) else None
        names.append(
            _json(title) if title else f"<{ref}>" if ref else f"[subschema {number}]"
        )
    return ",".join(names)


def _needed(violation: Violation) -> str:
    missing, present = violation.detail
    return f"property {missing} not found, required by {present}"


def _unexpected(violation: Violation) -> str:
    return ", ".join(
        f'is not allowed to have the additional property "{name}"'
        for name in violation.detail[:_MOST]
    )


def _with(text: str) -> Callable[[Violation], str]:
    """A message that ends with the value of the keyword."""
    return lambda violation: f"{text} {violation.argument}"


_MESSAGES: dict[str, Callable[[Violation], str]] = {
    "required": lambda violation: f'requires property "{violation.detail}"',
    "type": lambda violation: f"is not of a type(s) {_types(violation)}",
    "enum": lambda violation: f"is not one of enum values: {_listed(violation)}",
    "const": lambda violation: (
        f"does not exactly match expected constant: {_json(violation.argument)}"
    ),
    "pattern": lambda violation: f'does not match pattern "{violation.argument}"',
    "format": lambda violation: (
        f"does not conform to the {_json(violation.argument)} format"
    ),
    "minLength": _with("does not meet minimum length of"),
    "maxLength": _with("does not meet maximum length of"),
    "minimum": _with("must be greater than or equal to"),
    "maximum": _with("must be less than or equal to"),
    "exclusiveMinimum": _with("must be strictly greater than"),
    "exclusiveMaximum": _with("must be strictly less than"),
    "multipleOf": _with("is not a multiple of (divisible by)"),
    "minItems": _with("does not meet minimum length of"),
    "maxItems": _with("does not meet maximum length of"),
    "minProperties": _with("does not meet minimum property length of"),
    "maxProperties": _with("does not meet maximum property length of"),
    "uniqueItems": lambda _: "contains duplicate item",
    "contains": lambda _: "must contain an item matching given schema",
    "additionalItems": lambda _: "contains additional items",
    "additionalProperties": _unexpected,
    "dependencies": _needed,
    "anyOf": lambda violation: f"is not any of {_alternatives(violation)}",
    "oneOf": lambda violation: f"is not exactly one from {_alternatives(violation)}",
    "not": lambda _: "is of prohibited type",
}


def check_input(action_id: str, schema: Schema, values: Any) -> None:
    """Check an action's input.

    Raises:
        Invalid: naming every broken rule.
    """
    reasons = ", ".join(problem["stack"] for problem in problems(schema, values))
    if reasons:
        raise Invalid(f"Invalid input passed to action {action_id}, {reasons}")
