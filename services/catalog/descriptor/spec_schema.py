"""Checks specs by a JSON Schema, and names in plain words the field and its rule."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind

from services.catalog.descriptor.fields import no_string
from shared.contracts.errors import Invalid

#: What each type of JSON is called in a rule.
_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "object": "an object",
}
#: Where a schema may describe further fields of the same object.
_BRANCHES = ("then", "else")
Path = tuple[str | int, ...]


class SpecSchema:
    """The schema of a kind's spec; it may not lead elsewhere.

    Raises:
        Invalid: if it is no JSON Schema.
    """

    def __init__(self, schema: Mapping[str, Any], label: str) -> None:
        try:
            self._validator = Draft202012Validator(dict(schema), offline=True)
        except (ValidationError, ValueError) as error:
            raise Invalid(f"{label}: is no JSON Schema: {error}") from error
        self._places = {
            name: place for place, name in enumerate(dict.fromkeys(_fields(schema)))
        }

    def problems(self, spec: Mapping[str, Any]) -> list[str]:
        """What breaks the rules, each as `field: rule`, in the order of the fields."""
        try:
            problems = [_problem(error) for error in self._validator.iter_errors(spec)]
        except ValueError:
            # No JSON at all: the size and form of the whole entity are checked later.
            return []
        problems.sort(key=self._place)
        return [
            f"{'.'.join(['spec', *map(str, path)])}: {rule}" for path, rule in problems
        ]

    def _place(self, problem: tuple[Path, str]) -> int:
        path, _ = problem
        return self._places.get(str(path[0]), len(self._places)) if path else -1


def _fields(schema: Any) -> Iterator[str]:
    """The names of fields in the order in which a schema describes them."""
    if isinstance(schema, Mapping):
        yield from dict.fromkeys(
            [*schema.get("properties", ()), *schema.get("required", ())]
        )
        for branch in _BRANCHES:
            yield from _fields(schema.get(branch))


def _problem(error: ValidationError) -> tuple[Path, str]:
    """The path of a field, and the rule that it breaks."""
    path: Path = tuple(error.instance_path)
    match error.kind:
        case ValidationErrorKind.Required(name):
            return (*path, name), "is required"
        case ValidationErrorKind.AnyOf([[first, *_], *_]):
            # Of several forms the first is the usual one.
            return _problem(first)
    return path, _rule(error)


def _rule(error: ValidationError) -> str:
    match error.kind:
        case ValidationErrorKind.Type(["string"]):
            return no_string(error.instance)
        case ValidationErrorKind.Type(types):
            names = [_TYPES.get(name, f"a {name}") for name in types]
            return f"must be {' or '.join(names)}"
        case ValidationErrorKind.MinLength(1):
            return "must not be empty"
        case ValidationErrorKind.MinItems(limit):
            return f"must have {limit} at least"
        case ValidationErrorKind.Enum(options):
            return f"must be one of {', '.join(map(str, options))}"
    return error.message
