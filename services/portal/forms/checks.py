"""Errors of the answers in words, each for the field that it is shown at."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from services.portal.forms.fields import NAME_PATTERN, NAME_WORDS, key_of
from services.portal.forms.model import FormField, Path, Schema, Values
from shared.contracts.entity import list_of, mapping_of
from shared.contracts.errors import Invalid
from shared.guards.budgets import Budget
from shared.guards.schemas import Violation, find_violations

NEEDED = "Required."
TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "array": "a list",
    "object": "an object",
    "string": "a text",
}
MOST_ERRORS = 100
#: Errors of one answer, such as of the items of a list.
MOST_LINES = 4
#: Formats as they are written.
EXAMPLES = {
    "date": "2024-12-31",
    "time": "12:30:00Z",
    "date-time": "2024-12-31T12:30:00Z",
    "email": "name@example.com",
    "uri": "https://example.com",
}
InnerPath = tuple[str | int, ...]


def errors_in(
    schema: Schema,
    fields: list[FormField],
    values: Values,
    budget: Budget,
) -> dict[Path, str]:
    """The first thing that is wrong with each field, by the field's path."""
    secrets = {field.path for field in fields if field.kind == "secret"}
    limits = {field.path: field.schema for field in fields if field.kind != "choice"}
    plain = _with_field_rules(schema, limits)
    try:
        violations = find_violations(plain, values, checks_formats=True, budget=budget)
    except Invalid as error:
        return {(): cannot_check(error.message)}
    lines_by_path: dict[Path, list[str]] = {}
    # Answers of which only parts are wrong: several of the parts are named.
    inside: set[Path] = set()
    places = places_of(fields)
    for violation in violations[:MOST_ERRORS]:
        path, inner = place_of(violation, places)
        if path in secrets:
            continue
        text = f"{words_of_place(inner)}{violation_text(violation)}"
        lines = lines_by_path.setdefault(path, [])
        if not lines and inner:
            inside.add(path)
        if not lines or (inner and path in inside and text not in lines):
            lines.append(text)
    return {path: _few(lines) for path, lines in lines_by_path.items()}


def _few(lines: list[str]) -> str:
    """The first lines, and how many more there are."""
    rest = len(lines) - MOST_LINES
    return "\n".join(lines[:MOST_LINES] + ([f"And {rest} more."] if rest > 0 else []))


def type_faults(fields: Iterable[FormField]) -> Iterator[str]:
    """The types of questions and of their items that JSON Schema does not have."""
    for field in fields:
        for schema in (field.schema, mapping_of(field.schema.get("items"))):
            kind = schema.get("type")
            for name in kind if isinstance(kind, list) else [kind]:
                if name is not None and name not in [*TYPES, "null"]:
                    yield f"unknown type {str(name)[:80]!r} of {field.path[-1]}"


def cannot_check(reason: str) -> str:
    """What is wrong with the template, for the person who fills its form."""
    return f"The template's own form cannot be checked: {reason}"


def _with_field_rules(
    schema: Schema, limits: Mapping[Path, Schema], path: Path = ()
) -> dict[str, Any]:
    """The schema with the rules that fields add (names of entities, for one)."""
    plain = dict(schema)
    if "properties" in plain:
        plain["properties"] = {
            name: limits.get((*path, name))
            or _with_field_rules(part, limits, (*path, name))
            for name, part in plain["properties"].items()
        }
    return plain


def places_of(fields: Iterable[FormField]) -> dict[Path, Path]:
    """Where errors of each answer are said; those of an object at its first choice."""
    places: dict[Path, Path] = {}
    for field in fields:
        places.setdefault(field.path, field.place)
    return places


def place_of(
    violation: Violation, places: Mapping[Path, Path]
) -> tuple[Path, InnerPath]:
    """The question that is answered wrongly, and where in its answer."""
    place = violation.path
    if violation.keyword == "required":
        place = (*place, str(violation.detail))
    if violation.keyword == "dependencies":
        place = (*place, str(violation.detail[0]))
    for length in range(len(place), 0, -1):
        path = tuple(map(str, place[:length]))
        if path in places:
            return places[path], place[length:]
    return tuple(map(str, place)), place


def words_of_place(inner: InnerPath) -> str:
    """A place inside an answer, in front of what is wrong there."""
    parts = [f"item {part + 1}" if isinstance(part, int) else part for part in inner]
    if inner and isinstance(inner[0], int):
        parts[0] = f"Item {inner[0] + 1}"
    return f"{', '.join(parts)}: " if parts else ""


def violation_text(violation: Violation) -> str:
    """The rule that was broken, for the person who typed."""
    limit = violation.argument
    if violation.keyword == "type":
        kinds = limit if isinstance(limit, list) else [limit]
        named = [TYPES.get(str(kind), str(kind)) for kind in kinds if kind != "null"]
        return f"This must be {' or '.join(named)}."
    if violation.keyword == "additionalProperties" and violation.argument is False:
        names = ", ".join(map(str, violation.detail[:MOST_LINES]))
        return f"The template does not ask for this: {names}."
    return TEXTS[violation.keyword](limit) if violation.keyword in TEXTS else REFUSED


def _length(limit: Any) -> str:
    return NEEDED if limit == 1 else f"At least {limit} characters, please."


def _demanded(words: str) -> Callable[[Any], str]:
    """Says which answers are demanded by alternatives that only demand some."""

    def text(branches: Any) -> str:
        parts = [mapping_of(branch) for branch in list_of(branches)]
        names = [" and ".join(map(str, list_of(p.get("required")))) for p in parts]
        return f"{words}: {', '.join(names)}." if all(names) else REFUSED

    return text


def _format(name: Any) -> str:
    example = EXAMPLES.get(str(name), "")
    return f"This is no {name}{f' such as {example}' if example else ''}."


REFUSED = "This is not one of the forms that the template accepts."

TEXTS: Mapping[str, Callable[[Any], str]] = {
    "required": lambda _: NEEDED,
    "minLength": _length,
    "maxLength": lambda limit: f"At most {limit} characters, please.",
    "pattern": lambda limit: (
        NAME_WORDS if limit == NAME_PATTERN else f"Must match {limit}"
    ),
    "enum": lambda _: "Choose one of the values that are offered.",
    "anyOf": _demanded("Answer at least one of these"),
    "oneOf": _demanded("Answer exactly one of these"),
    "const": lambda limit: f"This must be “{key_of(limit)}”.",
    "minimum": lambda limit: f"This must be {limit} or more.",
    "maximum": lambda limit: f"This must be {limit} or less.",
    "exclusiveMinimum": lambda limit: f"This must be more than {limit}.",
    "exclusiveMaximum": lambda limit: f"This must be less than {limit}.",
    "multipleOf": lambda limit: f"This must be a multiple of {limit}.",
    "minItems": lambda limit: f"Choose at least {limit}.",
    "maxItems": lambda limit: f"Choose at most {limit}.",
    "minProperties": lambda limit: f"This needs at least {limit} entries.",
    "maxProperties": lambda limit: f"This takes at most {limit} entries.",
    "dependencies": lambda _: NEEDED,
    "uniqueItems": lambda _: "Something stands here twice.",
    "format": _format,
}
