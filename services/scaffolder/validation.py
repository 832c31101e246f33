"""JSON Schema: of parameters, secrets and action inputs, with messages for people.

Draft 7, as templates are written for. Messages follow npm's `jsonschema`, whose answers
clients of the scaffolder read. Patterns are JavaScript's and cannot run away.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError, UnknownType, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from services.scaffolder.dialect import patterns
from services.scaffolder.dialect.failure import TemplateLimitError, ValueFailure
from services.scaffolder.dialect.values import Pattern
from shared.contracts.errors import Invalid

Problem = dict[str, Any]
_MOST = 100
#: What the validator raises for a schema that is none, depending on what is wrong.
_BROKEN = (SchemaError, UnknownType, Unresolvable, TypeError, AttributeError)


def _pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"does not match pattern {pattern!r}")


def _pattern_properties(
    validator: Any, members: Mapping[str, Any], instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, schema in members.items():
        for key, value in instance.items():
            if _matches(pattern, key):
                yield from validator.descend(value, schema, path=key)


def _matches(pattern: str, text: str) -> bool:
    try:
        return bool(patterns.spans(Pattern(pattern, "u"), text, 1)[0])
    except (ValueFailure, TemplateLimitError) as error:
        raise Invalid(f"pattern: {pattern!r} cannot be used: {error}") from error


_Validator = extend(
    Draft7Validator, {"pattern": _pattern, "patternProperties": _pattern_properties}
)


def problems(schema: Mapping[str, Any], instance: Any) -> list[Problem]:
    """What is wrong with `instance`, one entry for each broken rule.

    Raises:
        Invalid: if the schema itself is none.
    """
    try:
        validator = _Validator(schema, registry=Registry())
        found = sorted(
            validator.iter_errors(instance),
            key=lambda error: list(map(str, error.path)),
        )
    except _BROKEN as error:
        raise Invalid(f"schema: it is no JSON Schema: {error}") from error
    except RecursionError as error:
        raise Invalid("schema: it refers to itself without an end") from error
    return [_problem(error) for error in found[:_MOST]]


def _problem(error: ValidationError) -> Problem:
    keyword = str(error.validator)
    place = "instance" + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path
    )
    message = _message(error)
    return {
        "path": list(error.path),
        "property": place,
        "message": message,
        "schema": error.schema,
        "instance": error.instance,
        "name": keyword,
        "argument": _argument(error),
        "stack": f"{place} {message}",
    }


def _missing(error: ValidationError) -> str:
    names: Iterable[str] = error.validator_value
    missing = [name for name in names if name not in error.instance]
    # One error for each missing name, and the message alone tells which.
    return next((name for name in missing if repr(name) in error.message), "")


def _extra(error: ValidationError) -> list[str]:
    known = error.schema.get("properties", {})
    return [name for name in error.instance if name not in known]


def _argument(error: ValidationError) -> Any:
    if error.validator == "required":
        return _missing(error)
    if error.validator == "additionalProperties":
        return next(iter(_extra(error)), None)
    if error.validator == "type":
        value = error.validator_value
        return value if isinstance(value, list) else [value]
    return error.validator_value


def _message(error: ValidationError) -> str:
    make = _MESSAGES.get(str(error.validator))
    return make(error) if make else error.message


def _types(error: ValidationError) -> str:
    value = error.validator_value
    return ",".join(value) if isinstance(value, list) else str(value)


def _listed(error: ValidationError) -> str:
    return ",".join(str(value) for value in error.validator_value)


_MESSAGES: dict[str, Callable[[ValidationError], str]] = {
    "required": lambda error: f'requires property "{_missing(error)}"',
    "type": lambda error: f"is not of a type(s) {_types(error)}",
    "enum": lambda error: f"is not one of enum values: {_listed(error)}",
    "const": lambda error: f"does not exactly match {error.validator_value!r}",
    "pattern": lambda error: f'does not match pattern "{error.validator_value}"',
    "minLength": lambda error: (
        f"does not meet minimum length of {error.validator_value}"
    ),
    "maxLength": lambda error: (
        f"does not meet maximum length of {error.validator_value}"
    ),
    "minimum": lambda error: (
        f"must be greater than or equal to {error.validator_value}"
    ),
    "maximum": lambda error: f"must be less than or equal to {error.validator_value}",
    "minItems": lambda error: (
        f"does not meet minimum length of {error.validator_value}"
    ),
    "maxItems": lambda error: (
        f"does not meet maximum length of {error.validator_value}"
    ),
    "additionalProperties": lambda error: (
        ", ".join(
            f'is not allowed to have the additional property "{name}"'
            for name in _extra(error)
        )
        or error.message
    ),
}


def check_input(action_id: str, schema: Mapping[str, Any], given: Any) -> None:
    """Check an action's input.

    Raises:
        Invalid: naming every broken rule.
    """
    found = problems(schema, given)
    if found:
        told = ", ".join(problem["stack"] for problem in found)
        raise Invalid(f"Invalid input passed to action {action_id}, {told}")
