"""Decides the conditions of a schema for the answers so far.

`allOf`, `if/then/else`, `dependencies` and `oneOf` become plain properties and required
names, which is all that a form can show. Alternatives with questions of their own are
a choice; those that only demand answers are kept as a rule.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.portal.forms.alternatives import (
    DEEPEST,
    Choice,
    choice_name,
    most_answered,
)
from services.portal.forms.form_size import FormSize
from services.portal.forms.model import Path, Schema, Values
from shared.contracts.entity import list_of, mapping_of
from shared.guards.budgets import Budget, BudgetExceeded
from shared.guards.json_pointers import ABSENT, value_at
from shared.guards.numbers import whole_number
from shared.guards.schemas import NotASchema, is_valid

CONDITIONS = frozenset(
    {"allOf", "anyOf", "oneOf", "if", "then", "else", "$ref"}
    | {"dependencies", "dependentSchemas", "dependentRequired"}
)
#: The keywords by which an answer chooses a branch.
TESTS = frozenset({"const", "enum"})
#: Sets of alternatives on one page.
MOST_CHOICES = 100
#: Conditions that are no schemas, each as often as it is checked.
MOST_FAILED_CHECKS = 20
#: What an alternative is called in the choice, and not what its object is called.
TEXTS = frozenset({"title", "description"})


@dataclass(slots=True)
class ConditionContext:
    """What the parts of one schema share while its conditions are decided.

    `root` is the whole schema, `budget` what deciding may cost. `faults` says what is
    wrong with conditions that are no schemas. `chosen` holds the numbers of the chosen
    alternatives by the choice's name, `answered` the paths of answers; `choices` are
    those that were met. An object's choices count from `first_number`.
    """

    root: Schema
    budget: Budget
    chosen: Values = field(default_factory=dict)
    answered: frozenset[Path] = frozenset()
    first_number: int = 0
    choices: list[Choice] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    failed_checks: int = 0
    size: FormSize = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begins to decide the schema anew, for other answers."""
        self.choices.clear()
        self.size = FormSize(self.budget)

    def add_fault(self, reason: str) -> None:
        """Adds what makes the schema none, once."""
        if reason not in self.faults:
            self.faults.append(reason)


def without_conditions(
    schema: Schema,
    values: Values,
    context: ConditionContext,
    depth: int = 0,
    path: Path = (),
) -> dict[str, Any]:
    """The schema without conditions, for these values; `path` is where it stands.

    Raises:
        BudgetExceeded: if the schema asks for too much work.
    """
    plain = _with_parts(schema, values, context, path)
    for name, part in plain["properties"].items():
        inner = _resolve(mapping_of(part), context)
        if is_object(inner) and depth <= DEEPEST:
            below = mapping_of(values.get(name))
            plain["properties"][name] = without_conditions(
                inner, below, context, depth + 1, (*path, str(name))
            )
            continue
        context.size.add_question()
        plain["properties"][name] = (
            _as_yaml(inner) if is_object(inner) else _with_items(inner, context)
        )
    return plain


def _with_parts(
    schema: Schema,
    values: Values,
    context: ConditionContext,
    path: Path,
    depth: int = 0,
) -> dict[str, Any]:
    """The object and its parts as one; what its properties ask is not decided yet."""
    schema = _resolve(schema, context)
    properties = mapping_of(schema.get("properties"))
    required = list_of(schema.get("required"))
    lists = (list_of(schema.get(key)) for key in ("allOf", "oneOf", "anyOf"))
    context.size.add_part(len(properties) + len(required) + sum(map(len, lists)))
    plain: dict[str, Any] = {k: v for k, v in schema.items() if k not in CONDITIONS}
    plain["properties"] = dict(properties)
    plain["required"] = [str(name) for name in required]
    if depth > DEEPEST:
        return plain
    plain["allOf"] = list(_demands(schema))
    for after, part in _parts(schema, values, context, path):
        more = _with_parts(part, values, context, path, depth + 1)
        _merge(plain, more, after, context)
    plain["required"] = list(dict.fromkeys(plain["required"]))
    return plain


def _as_yaml(schema: Schema) -> dict[str, Any]:
    """An object that is too deep for questions of its own: one asks for all of it."""
    rules = CONDITIONS | {"properties", "required"}
    plain = {name: value for name, value in schema.items() if name not in rules}
    return {**plain, "type": "object"}


def _with_items(schema: Schema, context: ConditionContext) -> dict[str, Any]:
    """The schema, that of its items without a reference: it decides the control."""
    items = schema.get("items")
    if isinstance(items, Mapping) and "$ref" in items:
        return {**schema, "items": _resolve(items, context)}
    return dict(schema)


def is_object(schema: Schema) -> bool:
    """Whether the schema asks for several things under one name."""
    return (
        "properties" in schema
        or (schema.get("type") == "object" and bool(CONDITIONS & schema.keys()))
        or any(
            "properties" in mapping_of(branch)
            for key in ("oneOf", "anyOf")
            for branch in list_of(schema.get(key))
        )
    )


def controllers(schema: Schema, depth: int = 0) -> frozenset[str]:
    """Names at the top of the schema on whose answers other questions depend."""
    names: set[str] = set()
    if not schema or depth > DEEPEST:
        return frozenset()
    for key in ("dependencies", "dependentSchemas", "dependentRequired"):
        names |= {str(name) for name in mapping_of(schema.get(key))}
    tests = [mapping_of(schema.get("if"))]
    tests += [test for _, branches in _branches(schema) for test in branches]
    for test in tests:
        names |= {str(name) for name in mapping_of(test.get("properties"))}
        names |= {str(name) for name in list_of(test.get("required"))}
    inner = [schema.get("then"), schema.get("else"), *list_of(schema.get("allOf"))]
    inner += list(mapping_of(schema.get("dependencies")).values())
    for part in inner:
        names |= controllers(mapping_of(part), depth + 1)
    return frozenset(names)


def _branches(schema: Schema) -> Iterator[tuple[str, list[Schema]]]:
    """The keyword and the branches of each set of alternatives."""
    for key in ("oneOf", "anyOf"):
        if branches := [mapping_of(branch) for branch in list_of(schema.get(key))]:
            yield key, branches


def _demands(schema: Schema) -> Iterator[Schema]:
    """Alternatives that ask nothing: which answers are demanded of each other."""
    for key, branches in _branches(schema):
        keys = {name for branch in branches for name in branch}
        if "required" in keys and not {"properties", "$ref"} & keys:
            yield {key: branches}


def _parts(
    schema: Schema, values: Values, context: ConditionContext, path: Path
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
    for key, branches in _branches(schema):
        resolved = [_resolve(branch, context) for branch in branches]
        if any("properties" in branch for branch in resolved):
            yield "", _alternative(schema, key, resolved, values, context, path)


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


def _alternative(
    schema: Schema,
    keyword: str,
    branches: list[Schema],
    values: Values,
    context: ConditionContext,
    path: Path,
) -> Schema:
    """The alternative that applies: the chosen one, else the best one that accepts.

    Branches about a question of the object itself follow its answer: no choice.

    Raises:
        BudgetExceeded: if the page has too many choices.
    """
    accepting = (
        number
        for number, branch in enumerate(branches)
        if accepts({**branch, "required": []}, values, context)
    )
    own_names = mapping_of(schema.get("properties")).keys()
    if any(own_names & mapping_of(part.get("properties")).keys() for part in branches):
        first = next(accepting, None)
        if first is None:
            return branches[0]
        return _without_tests(branches[first], own_names)
    before = sum(choice.path == path for choice in context.choices)
    number = context.first_number + before
    text = str(context.chosen.get(choice_name(path, number)) or "")
    index = whole_number(text, limit=len(branches) - 1) if text else None
    if index is None:
        index = most_answered(
            branches, set(accepting), path, context.answered, context.budget
        )
    # The title of a whole page stands above its questions already.
    title = str(schema.get("title") or path[-1]) if path else ""
    context.choices.append(Choice(path, number, title, branches, index, keyword))
    if len(context.choices) > MOST_CHOICES:
        raise BudgetExceeded(f"the form: more than {MOST_CHOICES} oneOf and anyOf")
    context.size.add_question()
    return {k: v for k, v in branches[index].items() if k not in TEXTS}


def _without_tests(branch: Schema, names: Collection[str]) -> Schema:
    """The branch without the values that chose it: other answers choose another."""
    properties = {
        name: {
            key: value for key, value in mapping_of(part).items() if key not in TESTS
        }
        if name in names
        else part
        for name, part in mapping_of(branch.get("properties")).items()
    }
    return {**branch, "properties": properties}


def accepts(schema: Schema, value: object, context: ConditionContext) -> bool:
    """Whether a schema takes a value; one that is itself wrong takes nothing.

    Raises:
        NotASchema: if too many of the form's schemas are wrong: each costs its check.
    """
    try:
        return is_valid(schema, value, root=context.root, budget=context.budget)
    except NotASchema as error:
        context.add_fault(error.message)
        context.failed_checks += 1
        if context.failed_checks > MOST_FAILED_CHECKS:
            raise
        return False


def _merge(
    target: dict[str, Any], part: Schema, after: str, context: ConditionContext
) -> None:
    """Adds a part; new questions come right after the one that added them."""
    properties: dict[str, Any] = target["properties"]
    fresh: dict[str, Any] = {}
    for name, schema in part["properties"].items():
        added = _resolve(mapping_of(schema), context)
        if name in properties:
            properties[name] = {**mapping_of(properties[name]), **added}
        else:
            fresh[name] = added
    if fresh and after in properties:
        context.budget.pay_nodes(len(properties))
        target["properties"] = _with_names_after(properties, fresh, after)
    else:
        properties |= fresh
    target["required"] += part["required"]
    target["allOf"] += part.get("allOf", ())
    for key, value in part.items():
        if key == "ui:order" or key not in target:
            target[key] = value


def _with_names_after(
    properties: Mapping[str, Any], fresh: Mapping[str, Any], after: str
) -> dict[str, Any]:
    """The properties, fresh ones after the one of this name."""
    joined: dict[str, Any] = {}
    for name, schema in properties.items():
        joined[name] = schema
        if name == after:
            joined |= fresh
    return joined


def _resolve(schema: Schema, context: ConditionContext) -> Schema:
    for _ in range(DEEPEST):
        pointer = schema.get("$ref")
        if not isinstance(pointer, str):
            return schema
        if not pointer.startswith("#/"):
            if not pointer.startswith("#"):
                context.add_fault(f"$ref {pointer[:200]!r} leads to another document")
            return schema
        target = value_at(context.root, pointer[1:])
        if target is ABSENT:
            context.add_fault(f"$ref {pointer[:200]!r} leads nowhere")
        context.size.add_target(target)
        context.budget.pay_nodes(1 + len(schema) + len(mapping_of(target)))
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**mapping_of(target), **rest}
    return schema
