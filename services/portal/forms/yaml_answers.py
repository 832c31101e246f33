"""Lists and objects that are answered as YAML, read as their schema says.

A scalar is a text where the schema asks for a text, as it was written: `1.10` is a
version and no number, `True` a word.
What was not answered gets its default, as each question of a form does.
"""

import json
from collections.abc import Mapping
from typing import Any

from services.portal.forms.conditions import (
    CONDITIONS,
    ConditionContext,
    is_object,
    without_conditions,
)
from services.portal.forms.model import Schema
from shared.contracts.entity import list_of, mapping_of
from shared.contracts.errors import CallboardError
from shared.guards.json_pointers import value_at
from shared.guards.yaml_scalars import WrittenBoolean, WrittenNumber, resolve
from shared.guards.yaml_text import FIELD, load_yaml

DEEPEST = 20
#: So many characters of a default count as one element of the form.
TEXT_WEIGHT = 64
#: What the defaults of one object cost besides, in steps of a check.
OBJECT_STEPS = 10
#: Types of JSON Schema by Python's, for scalars that YAML does not read as texts.
SCALAR_TYPES: Mapping[type, frozenset[str]] = {
    bool: frozenset({"boolean"}),
    WrittenBoolean: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"integer", "number"}),
    WrittenNumber: frozenset({"integer", "number"}),
}


def yaml_value(text: str, schema: Schema, context: ConditionContext) -> Any:
    """The value that the text says in YAML; what is none stays a text.

    Raises:
        BudgetExceeded: if the schema asks for too much work.
    """
    try:
        value = load_yaml(
            text, label="answer", limits=FIELD, keep_written="numbers and booleans"
        )
    except CallboardError:
        return text
    return value_by_schema(value, schema, context)


def value_by_schema(
    value: Any, schema: Schema, context: ConditionContext, depth: int = 0
) -> Any:
    """The value as its schema reads it, with the defaults of what it leaves out.

    Raises:
        BudgetExceeded: if the schema asks for too much work.
    """
    context.budget.pay_nodes()
    if depth > DEEPEST:
        return _without_spelling(value)
    if isinstance(value, Mapping):
        return _object(value, _decided(schema, value, context), context, depth)
    decided = _decided(schema, {}, context)
    if isinstance(value, list):
        items = decided.get("items")
        rest = decided.get("additionalItems") if isinstance(items, list) else items
        listed = items if isinstance(items, list) else []
        return [
            value_by_schema(
                item,
                mapping_of(listed[index] if index < len(listed) else rest),
                context,
                depth + 1,
            )
            for index, item in enumerate(value)
        ]
    return _scalar(value, decided)


def _object(
    value: Mapping[str, Any],
    schema: Schema,
    context: ConditionContext,
    depth: int,
    refs: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    properties = mapping_of(schema.get("properties"))
    additional = mapping_of(schema.get("additionalProperties"))
    answers = {
        name: value_by_schema(
            item, mapping_of(properties.get(name, additional)), context, depth + 1
        )
        for name, item in value.items()
    }
    context.budget.pay_nodes(len(properties))
    required = list_of(schema.get("required"))
    for name, part in properties.items():
        if name not in answers:
            default = _default(mapping_of(part), context, depth + 1, refs)
            if default is None and name in required:
                is_empty = is_object(_resolved(mapping_of(part), context))
                default = {} if is_empty else None
            if default is not None:
                answers[name] = default
    return answers


def _default(
    schema: Schema, context: ConditionContext, depth: int, refs: frozenset[str]
) -> Any:
    """What stands for an answer that is missing; None for nothing.

    Each copy of a default is paid for by its length: there is one for each item. A
    schema of `refs`, which contains itself, has no defaults within itself.
    """
    pointer = str(schema.get("$ref") or "")
    if pointer in refs:
        return None
    refs |= {pointer} if pointer else frozenset()
    decided = _decided(schema, {}, context)
    default = decided.get("default")
    if default is not None:
        length = len(json.dumps(default, default=str))
        context.budget.pay_nodes(1 + length // TEXT_WEIGHT)
    if depth > DEEPEST or not (isinstance(default, Mapping) or default is None):
        return default
    if default is None and "properties" not in decided:
        return None
    context.budget.pay_nodes(OBJECT_STEPS)
    return _object(mapping_of(default), decided, context, depth, refs) or default


def _decided(
    schema: Schema, value: Mapping[str, Any], context: ConditionContext
) -> Schema:
    """The schema without conditions, for this value alone."""
    schema = _resolved(schema, context)
    if not CONDITIONS & schema.keys():
        return schema
    own = ConditionContext(context.root, context.budget, faults=context.faults)
    return without_conditions(schema, _without_spelling(value), own)


def _resolved(schema: Schema, context: ConditionContext) -> Schema:
    """The schema that a `$ref` leads to; what it contains keeps its own."""
    for _ in range(DEEPEST):
        pointer = schema.get("$ref")
        if not isinstance(pointer, str) or not pointer.startswith("#/"):
            break
        target = mapping_of(value_at(context.root, pointer[1:]))
        context.budget.pay_nodes(1 + len(schema) + len(target))
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**target, **rest}
    return schema


def _scalar(value: Any, schema: Schema) -> Any:
    """A scalar; its text as it was written, where only a text is accepted."""
    types = SCALAR_TYPES.get(value.__class__)
    plain = _without_spelling(value)
    if types is None:
        return plain
    text = _spelling(value)
    kind = schema.get("type")
    kinds = frozenset(map(str, kind if isinstance(kind, list) else [kind]))
    if kind is None:
        choices = list_of(schema.get("enum"))
        choices = [schema["const"]] if "const" in schema else choices
        return text if text in choices and plain not in choices else plain
    return text if "string" in kinds and not types & kinds else plain


def _spelling(value: Any) -> str:
    """A scalar as it was written; of a default, which is JSON, as JSON writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    is_written = isinstance(value, WrittenBoolean | WrittenNumber)
    return value.text if is_written else str(value)


def _without_spelling(value: Any) -> Any:
    """The value of YAML as JSON has it."""
    if isinstance(value, Mapping):
        return {name: _without_spelling(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_spelling(item) for item in value]
    if isinstance(value, WrittenBoolean):
        return bool(value)
    return resolve(value.text) if isinstance(value, WrittenNumber) else value
