"""Decides the conditions of a schema for the answers so far.

`allOf`, `if/then/else`, `dependencies` and `oneOf` become plain properties and required
names, which is all that a form can show.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from services.portal.forms.model import Schema, Values
from shared.contracts.entity import list_of, mapping_of
from shared.guards.budgets import Budget
from shared.guards.json_pointers import value_at
from shared.guards.schemas import NotASchema, is_valid

DEEPEST = 12
CONDITIONS = frozenset(
    {"allOf", "anyOf", "oneOf", "if", "then", "else", "$ref"}
    | {"dependencies", "dependentSchemas", "dependentRequired"}
)


@dataclass(slots=True)
class ConditionContext:
    """What the parts of one schema share while its conditions are decided.

    `root` is the whole schema, `budget` what deciding may cost. `faults` says what is
    wrong with conditions that are no schemas.
    """

    root: Schema
    budget: Budget
    faults: list[str] = field(default_factory=list)


def without_conditions(
    schema: Schema, values: Values, context: ConditionContext, depth: int = 0
) -> dict[str, Any]:
    """The schema without conditions, for these values.

    Raises:
        BudgetExceeded: if the schema asks for too much work.
    """
    schema = _resolve(schema, context)
    plain: dict[str, Any] = {k: v for k, v in schema.items() if k not in CONDITIONS}
    plain["properties"] = dict(mapping_of(schema.get("properties")))
    plain["required"] = [str(name) for name in list_of(schema.get("required"))]
    context.budget.pay_nodes(1 + len(plain["properties"]) + len(plain["required"]))
    if depth > DEEPEST:
        return plain
    for after, part in _parts(schema, values, context):
        more = without_conditions(part, values, context, depth + 1)
        context.budget.pay_nodes(len(plain["properties"]) + len(plain["required"]))
        _merge(plain, more, after)
    for name, part in plain["properties"].items():
        inner = _resolve(mapping_of(part), context)
        if is_object(inner):
            below = mapping_of(values.get(name))
            plain["properties"][name] = without_conditions(
                inner, below, context, depth + 1
            )
        else:
            plain["properties"][name] = dict(inner)
    return plain


def is_object(schema: Schema) -> bool:
    """Whether the schema asks for several things under one name."""
    return "properties" in schema or (
        schema.get("type") == "object" and bool(CONDITIONS & schema.keys())
    )


def controllers(schema: Schema, depth: int = 0) -> frozenset[str]:
    """Names at the top of the schema on whose answers other questions depend."""
    names: set[str] = set()
    if not schema or depth > DEEPEST:
        return frozenset()
    for key in ("dependencies", "dependentSchemas", "dependentRequired"):
        names |= {str(name) for name in mapping_of(schema.get(key))}
    tests = [mapping_of(schema.get("if"))]
    tests += [
        mapping_of(branch)
        for key in ("oneOf", "anyOf")
        for branch in list_of(schema.get(key))
    ]
    for test in tests:
        names |= {str(name) for name in mapping_of(test.get("properties"))}
        names |= {str(name) for name in list_of(test.get("required"))}
    inner = [schema.get("then"), schema.get("else"), *list_of(schema.get("allOf"))]
    inner += list(mapping_of(schema.get("dependencies")).values())
    for part in inner:
        names |= controllers(mapping_of(part), depth + 1)
    return frozenset(names)


def _parts(
    schema: Schema, values: Values, context: ConditionContext
) -> Iterator[tuple[str, Schema]]:
    """The parts that apply now, each with the name of the question that added it."""
    yield from (("", mapping_of(part)) for part in list_of(schema.get("allOf")))
    if "if" in schema:
        is_met = accepts(mapping_of(schema["if"]), values, context)
        yield "", mapping_of(schema.get("then" if is_met else "else"))
    for key in ("dependencies", "dependentSchemas", "dependentRequired"):
        for name, needs in mapping_of(schema.get(key)).items():
            if name in values:
                for part in _parts_of_answer(str(name), needs, values, context):
                    yield str(name), part
    for key in ("oneOf", "anyOf"):
        branches = [mapping_of(branch) for branch in list_of(schema.get(key))]
        if any("properties" in branch or "required" in branch for branch in branches):
            yield "", _first_accepting(branches, values, context)


def _parts_of_answer(
    name: str, needs: object, values: Values, context: ConditionContext
) -> Iterator[Schema]:
    """The parts that an answered question adds."""
    if isinstance(needs, list):
        yield {"required": needs}
        return
    schema = _resolve(mapping_of(needs), context)
    branches = [mapping_of(branch) for branch in list_of(schema.get("oneOf"))]
    if not branches:
        yield schema
        return
    yield {key: value for key, value in schema.items() if key != "oneOf"}
    # The branch is chosen by the answer itself, as Backstage's form does.
    for branch in branches:
        properties = dict(mapping_of(branch.get("properties")))
        if accepts(mapping_of(properties.pop(name, None)), values[name], context):
            yield {**branch, "properties": properties}
            return


def _first_accepting(
    branches: list[Schema], values: Values, context: ConditionContext
) -> Schema:
    for branch in branches:
        if accepts({**branch, "required": []}, values, context):
            return branch
    return branches[0]


def accepts(schema: Schema, value: object, context: ConditionContext) -> bool:
    """Whether a schema takes a value; one that is itself wrong takes nothing."""
    try:
        return is_valid(schema, value, root=context.root, budget=context.budget)
    except NotASchema as error:
        if error.message not in context.faults:
            context.faults.append(error.message)
        return False


def _merge(target: dict[str, Any], part: Schema, after: str) -> None:
    """Adds a part; new questions come right after the one that added them."""
    added = dict(part["properties"])
    properties: dict[str, Any] = {}
    for name, schema in target["properties"].items():
        properties[name] = {**schema, **mapping_of(added.pop(name, None))}
        if name == after:
            fresh = [new for new in added if new not in target["properties"]]
            properties |= {new: added.pop(new) for new in fresh}
    target["properties"] = {**properties, **added}
    target["required"] = list(dict.fromkeys([*target["required"], *part["required"]]))
    for key, value in part.items():
        if key == "ui:order" or key not in target:
            target[key] = value


def _resolve(schema: Schema, context: ConditionContext) -> Schema:
    for _ in range(DEEPEST):
        pointer = schema.get("$ref")
        if not isinstance(pointer, str) or not pointer.startswith("#/"):
            return schema
        target = value_at(context.root, pointer[1:])
        context.budget.pay_nodes(1 + len(schema) + len(mapping_of(target)))
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**mapping_of(target), **rest}
    return schema
