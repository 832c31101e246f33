"""What a schema asks for, given the answers so far: its conditions decided.

`allOf`, `if/then/else`, `dependencies` and `oneOf` become plain properties and required
names, which is all that a form can show.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.portal.forms.model import Values
from shared.guards.budgets import Budget
from shared.guards.json_pointers import value_at
from shared.guards.schemas import NotASchema, is_valid

DEEPEST = 12
CONDITIONS = frozenset(
    {"allOf", "anyOf", "oneOf", "if", "then", "else", "$ref"}
    | {"dependencies", "dependentSchemas", "dependentRequired"}
)


@dataclass(slots=True)
class Deciding:
    """What the parts of one schema share while its conditions are decided.

    `root` is the whole schema, `budget` what deciding may cost. `faults` are the
    conditions that are no schemas, by what is wrong with them.
    """

    root: Mapping[str, Any]
    budget: Budget
    faults: list[str] = field(default_factory=list)


def decided(
    schema: Mapping[str, Any], values: Values, deciding: Deciding, depth: int = 0
) -> dict[str, Any]:
    """The schema without conditions, for these values.

    Raises:
        BudgetExceeded: if the schema asks for too much work.
    """
    schema = _followed(schema, deciding)
    found: dict[str, Any] = {k: v for k, v in schema.items() if k not in CONDITIONS}
    found["properties"] = dict(_mapping(schema.get("properties")))
    found["required"] = [str(each) for each in _list(schema.get("required"))]
    deciding.budget.pay_nodes(1 + len(found["properties"]) + len(found["required"]))
    if depth > DEEPEST:
        return found
    for after, part in _parts(schema, values, deciding):
        more = decided(part, values, deciding, depth + 1)
        deciding.budget.pay_nodes(len(found["properties"]) + len(found["required"]))
        _merge(found, more, after)
    for name, each in found["properties"].items():
        inner = _followed(_mapping(each), deciding)
        if is_object(inner):
            below = _mapping(values.get(name))
            found["properties"][name] = decided(inner, below, deciding, depth + 1)
        else:
            found["properties"][name] = dict(inner)
    return found


def is_object(schema: Mapping[str, Any]) -> bool:
    """Whether the schema asks for several things under one name."""
    return "properties" in schema or (
        schema.get("type") == "object" and bool(CONDITIONS & schema.keys())
    )


def controllers(schema: Mapping[str, Any], depth: int = 0) -> frozenset[str]:
    """Names at the top of the schema on whose answers other questions depend."""
    found: set[str] = set()
    if not schema or depth > DEEPEST:
        return frozenset()
    for key in ("dependencies", "dependentSchemas", "dependentRequired"):
        found |= {str(name) for name in _mapping(schema.get(key))}
    tests = [_mapping(schema.get("if"))]
    tests += [
        _mapping(each) for key in ("oneOf", "anyOf") for each in _list(schema.get(key))
    ]
    for test in tests:
        found |= {str(name) for name in _mapping(test.get("properties"))}
        found |= {str(name) for name in _list(test.get("required"))}
    inner = [schema.get("then"), schema.get("else"), *_list(schema.get("allOf"))]
    inner += list(_mapping(schema.get("dependencies")).values())
    for each in inner:
        found |= controllers(_mapping(each), depth + 1)
    return frozenset(found)


def _parts(
    schema: Mapping[str, Any], values: Values, deciding: Deciding
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What belongs to the schema now, each with the question that brought it."""
    yield from (("", _mapping(each)) for each in _list(schema.get("allOf")))
    if "if" in schema:
        branch = "then" if accepts(_mapping(schema["if"]), values, deciding) else "else"
        yield "", _mapping(schema.get(branch))
    for key in ("dependencies", "dependentSchemas", "dependentRequired"):
        for name, needs in _mapping(schema.get(key)).items():
            if name in values:
                for part in _needed(str(name), needs, values, deciding):
                    yield str(name), part
    for key in ("oneOf", "anyOf"):
        branches = [_mapping(each) for each in _list(schema.get(key))]
        if any("properties" in each or "required" in each for each in branches):
            yield "", _first_accepting(branches, values, deciding)


def _needed(
    name: str, needs: object, values: Values, deciding: Deciding
) -> Iterator[Mapping[str, Any]]:
    """What an answered question brings with it."""
    if isinstance(needs, list):
        yield {"required": needs}
        return
    schema = _followed(_mapping(needs), deciding)
    branches = [_mapping(each) for each in _list(schema.get("oneOf"))]
    if not branches:
        yield schema
        return
    yield {key: value for key, value in schema.items() if key != "oneOf"}
    # The branch is chosen by the answer itself, as Backstage's form does.
    for branch in branches:
        own = _mapping(_mapping(branch.get("properties")).get(name))
        if accepts(own, values[name], deciding):
            rest = {
                k: v for k, v in _mapping(branch.get("properties")).items() if k != name
            }
            yield {**branch, "properties": rest}
            return


def _first_accepting(
    branches: list[Mapping[str, Any]], values: Values, deciding: Deciding
) -> Mapping[str, Any]:
    for branch in branches:
        if accepts({**branch, "required": []}, values, deciding):
            return branch
    return branches[0]


def accepts(schema: Mapping[str, Any], value: object, deciding: Deciding) -> bool:
    """Whether a schema takes a value; one that is itself wrong takes nothing."""
    try:
        return is_valid(schema, value, root=deciding.root, budget=deciding.budget)
    except NotASchema as error:
        if error.message not in deciding.faults:
            deciding.faults.append(error.message)
        return False


def _merge(found: dict[str, Any], part: Mapping[str, Any], after: str) -> None:
    """Adds a part; new questions come right after the one that brought them."""
    added = dict(part["properties"])
    properties: dict[str, Any] = {}
    for name, each in found["properties"].items():
        properties[name] = {**each, **_mapping(added.pop(name, None))}
        if name == after:
            fresh = [new for new in added if new not in found["properties"]]
            properties |= {new: added.pop(new) for new in fresh}
    found["properties"] = {**properties, **added}
    found["required"] = list(dict.fromkeys([*found["required"], *part["required"]]))
    for key, value in part.items():
        if key == "ui:order" or key not in found:
            found[key] = value


def _followed(schema: Mapping[str, Any], deciding: Deciding) -> Mapping[str, Any]:
    for _ in range(DEEPEST):
        pointer = schema.get("$ref")
        if not isinstance(pointer, str) or not pointer.startswith("#/"):
            return schema
        target = value_at(deciding.root, pointer[1:])
        deciding.budget.pay_nodes(1 + len(schema) + len(_mapping(target)))
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**_mapping(target), **rest}
    return schema


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
