"""Help for answers that are written as YAML: which keys are asked for, an example.

Anybody may have written the schema: its size, its depth and its texts are bounded.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.portal.forms.checks import EXAMPLES
from services.portal.forms.fields import type_of
from services.portal.forms.model import FormField, Schema
from shared.contracts.entity import list_of, mapping_of
from shared.contracts.errors import Invalid
from shared.guards.budgets import Budget, BudgetExceeded
from shared.guards.json_pointers import value_at
from shared.guards.trees import check_tree
from shared.guards.yaml_text import dump_yaml

MOST_KEYS = 8
LONGEST_KEY = 40
#: Of an example: its values, its levels, its characters.
MOST_VALUES = 40
DEEPEST = 3
LONGEST_EXAMPLE = 600
#: What the help of all fields of a form may cost.
STEPS = 20_000
MOST_REFERENCES = 12
ABSENT = object()


def help_budget() -> Budget:
    """What the help of a form may cost; what is beyond it has none."""
    return Budget("help for YAML", nodes=STEPS)


def with_yaml_help(
    fields: Iterable[FormField], root: Schema, budget: Budget
) -> list[FormField]:
    """The fields, those for YAML with their help; references lead into `root`."""
    return [
        _with_help(field, root, budget) if field.kind == "yaml" else field
        for field in fields
    ]


def _with_help(field: FormField, root: Schema, budget: Budget) -> FormField:
    example = _Example(root, budget)
    try:
        schema = example.resolved(field.schema)
        is_list = type_of(schema) == "array"
        inner = example.resolved(schema.get("items")) if is_list else schema
        return replace(
            field, keys=_keys_text(inner, is_list), example=example.text(schema)
        )
    except BudgetExceeded:
        return field


def _keys_text(schema: Schema, is_list: bool) -> str:
    """The keys in words, and which of them an answer must have."""
    required = list_of(schema.get("required"))
    names = list(mapping_of(schema.get("properties")))
    named = [
        f"{str(name)[:LONGEST_KEY]}{' (required)' if name in required else ''}"
        for name in names[:MOST_KEYS]
    ]
    if not named:
        return ""
    rest = len(names) - len(named)
    more = f" and {rest} more" if rest else ""
    return f"{'Keys of each item' if is_list else 'Keys'}: {', '.join(named)}{more}."


@dataclass(slots=True)
class _Example:
    """An example of an answer; `values_left` is how many values it may still have."""

    root: Schema
    budget: Budget
    values_left: int = MOST_VALUES

    def resolved(self, schema: object) -> Schema:
        """The schema that references lead to, with one of its alternatives."""
        plain = dict(mapping_of(schema))
        self.budget.pay_nodes(1 + _size(plain))
        for _ in range(MOST_REFERENCES):
            pointer = plain.pop("$ref", None)
            parts = [*list_of(plain.pop("allOf", None))]
            for key in ("oneOf", "anyOf"):
                parts += list_of(plain.pop(key, None))[:1]
            if isinstance(pointer, str) and pointer.startswith("#/"):
                parts.append(value_at(self.root, pointer[1:]))
            if not parts:
                break
            for part in map(mapping_of, parts[:MOST_KEYS]):
                self.budget.pay_nodes(_size(plain) + _size(part))
                plain = _joined(plain, part)
        return plain

    def text(self, schema: Schema) -> str:
        """The example as YAML; "" if it would be long."""
        value = self._value(schema, 0)
        if value is ABSENT or not isinstance(value, dict | list) or not value:
            return ""
        try:
            text = dump_yaml(value, blocks=False).rstrip()
        except Invalid:
            return ""
        return text if len(text) <= LONGEST_EXAMPLE else ""

    def _value(self, schema: Schema, depth: int) -> Any:
        self.values_left -= 1
        if self.values_left < 0 or depth > DEEPEST:
            return ABSENT
        if (example := _value_named_by(schema)) is not ABSENT:
            return example
        kind = type_of(schema)
        if "properties" in schema or kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            item = self._value(self.resolved(schema.get("items")), depth + 1)
            return ABSENT if item is ABSENT else [item]
        return _scalar(schema, kind)

    def _object(self, schema: Schema, depth: int) -> Any:
        properties = mapping_of(schema.get("properties"))
        required = list_of(schema.get("required"))
        names = sorted(properties, key=lambda name: name not in required)[:MOST_KEYS]
        if not names and isinstance(schema.get("additionalProperties"), Mapping):
            properties, names = {"name": schema["additionalProperties"]}, ["name"]
        values = {
            str(name)[:LONGEST_KEY]: self._value(
                self.resolved(properties[name]), depth + 1
            )
            for name in names
        }
        example = {name: value for name, value in values.items() if value is not ABSENT}
        return example or ABSENT


def _size(schema: Schema) -> int:
    """How much work it is to look at the schema's own rules."""
    lists = ("properties", "required", "allOf", "oneOf", "anyOf", "enum", "examples")
    values = (schema[name] for name in lists if name in schema)
    return len(schema) + sum(
        len(value) for value in values if isinstance(value, Mapping | list)
    )


def _joined(schema: Mapping[str, Any], part: Schema) -> dict[str, Any]:
    """Both schemas as one, the first one's rules before those of the part."""
    both = {**part, **schema}
    for key in ("properties", "required"):
        if key in part and key in schema:
            both[key] = (
                {**mapping_of(schema[key]), **mapping_of(part[key])}
                if key == "properties"
                else [*list_of(schema[key]), *list_of(part[key])]
            )
    return both


def _value_named_by(schema: Schema) -> Any:
    """A small value that the schema itself names."""
    candidates = [schema[key] for key in ("const", "default") if key in schema]
    for key in ("examples", "enum"):
        candidates += list_of(schema.get(key))[:1]
    for value in candidates:
        try:
            check_tree(value, label="value", nodes=10, depth=DEEPEST, text=100)
        except Invalid:
            continue
        if value is not None:
            return value
    return ABSENT


def _scalar(schema: Schema, kind: str) -> Any:
    if kind == "boolean":
        return True
    if kind in {"integer", "number"}:
        least = schema.get("minimum")
        is_number = isinstance(least, int | float) and math.isfinite(least)
        return least if is_number else 1
    return EXAMPLES.get(str(schema.get("format")), "text")
