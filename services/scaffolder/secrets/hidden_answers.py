"""The secret answers of a form, which clients send among the other answers.

Fields of `ui:field: Secret` and `ui:widget: password`, wherever in the schema. An
answer is known by the name of its property. Where a schema holds for properties that it
does not name, those names are taken from the answers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.scaffolder.model import Answers, Schema
from services.scaffolder.secrets.redaction import MASK, texts
from shared.guards.budgets import Budget
from shared.guards.json_pointers import value_at
from shared.guards.patterns import compile_pattern

_HINTS = (("field", "Secret"), ("widget", "password"))
#: What holds schemas that apply only where a `$ref` leads to them.
_DEFINITIONS = frozenset(("definitions", "$defs"))
#: What gives schemas to names, and what gives one to the names that are left.
_NAMING = frozenset(("properties", "patternProperties"))
_FOR_OTHER_NAMES = frozenset(("additionalProperties", "unevaluatedProperties"))
#: The work of comparing names with patterns.
_MATCH_SECONDS, _MOST_MATCHES = 1.0, 100_000


def secret_names(pages: Iterable[Schema], answers: Answers) -> frozenset[str]:
    """The names of all properties that are secrets, at any depth.

    Raises:
        Invalid: if a pattern of names is none, or comparing them takes too long.
    """
    forms = [_FormPage(page) for page in pages]
    names: set[str] = set()
    for form in forms:
        names |= form.named_secrets()
        names |= form.matching_secrets(answers)
        further_names = [page.own_names() for page in forms if page is not form]
        names |= form.unnamed_secrets(answers).difference(*further_names)
    return frozenset(names)


def masked(value: Any, names: frozenset[str]) -> Any:
    """A JSON value with `***` under these names; an answer of stars stays as it is."""
    if isinstance(value, list):
        return [masked(item, names) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: MASK if key in names and _is_given(item) else masked(item, names)
        for key, item in value.items()
    }


def secret_texts(value: Any, names: frozenset[str]) -> Iterator[str]:
    """The texts under these names."""
    if isinstance(value, list):
        for item in value:
            yield from secret_texts(item, names)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key in names and _is_given(item):
                yield from texts(item)
            else:
                yield from secret_texts(item, names)


def _is_given(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip("*"))
    return value is not None and value not in ([], {})


def _names_in(value: Any) -> frozenset[str]:
    """The names of all members in a JSON value."""
    names: set[str] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            names |= item.keys()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return frozenset(names)


@dataclass(slots=True)
class _FormPage:
    """The schemas of a page, each by its identity, and what leads to each of them.

    `parents` are the schemas of the same answer that a schema is a part of, `named`
    the names in `properties` and `patterns` those in `patternProperties`, with the
    schema of each.
    """

    root: Schema
    parents: dict[int, list[int]] = field(default_factory=dict)
    named: list[tuple[str, int]] = field(default_factory=list)
    patterns: list[tuple[str, int]] = field(default_factory=list)
    secret: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        waiting: list[Any] = [self.root]
        self.parents[id(self.root)] = []
        while waiting:
            schema = waiting.pop()
            if isinstance(schema, Mapping) and _is_secret(schema):
                self.secret.add(id(schema))
            for part, applies in self._parts(schema):
                is_new = id(part) not in self.parents
                parents = self.parents.setdefault(id(part), [])
                if applies:
                    parents.append(id(schema))
                if is_new:
                    waiting.append(part)
        self._spread()

    def _parts(self, schema: Any) -> Iterator[tuple[Any, bool]]:
        """The parts of a schema, and whether each applies to the same answer."""
        if isinstance(schema, list):
            yield from ((part, True) for part in schema if _may_be_schema(part))
        if not isinstance(schema, Mapping):
            return
        for key, part in schema.items():
            if key == "$ref":
                target = _target(part, self.root)
                if target is not None:
                    yield target, True
            elif key in _NAMING and isinstance(part, Mapping):
                members = self.named if key == "properties" else self.patterns
                for name, member in part.items():
                    if _may_be_schema(member):
                        members.append((str(name), id(member)))
                        # The name stands for a whole answer: its object is none.
                        yield member, False
            elif _may_be_schema(part):
                yield part, key not in _DEFINITIONS

    def _spread(self) -> None:
        """Mark every schema that a secret one is a part of."""
        waiting = list(self.secret)
        while waiting:
            for parent in self.parents[waiting.pop()]:
                if parent not in self.secret:
                    self.secret.add(parent)
                    waiting.append(parent)

    def named_secrets(self) -> set[str]:
        """The names in `properties` that are secrets."""
        return {name for name, schema in self.named if schema in self.secret}

    def matching_secrets(self, answers: Answers) -> set[str]:
        """The names of answers that `patternProperties` make secrets."""
        patterns = [name for name, schema in self.patterns if schema in self.secret]
        names = _names_in(answers) if patterns else ()
        budget = Budget("patternProperties", _MATCH_SECONDS, _MOST_MATCHES)
        matching: set[str] = set()
        for pattern in map(compile_pattern, patterns):
            for name in names:
                budget.pay_nodes()
                if pattern.matches(name):
                    matching.add(name)
                budget.check_time()
        return matching

    def unnamed_secrets(self, answers: Answers) -> set[str]:
        """The names of answers that are secrets although the schema names none.

        What stands beside `properties`, such as `additionalProperties`, is for other
        names; anything else holds for all names.
        """
        if id(self.root) not in self.secret:
            return set()
        secret_parts = {
            key
            for key, part in self.root.items()
            if key not in _NAMING | _DEFINITIONS and id(part) in self.secret
        }
        names_are_left = secret_parts and secret_parts <= _FOR_OTHER_NAMES
        return answers.keys() - (self.own_names() if names_are_left else set())

    def own_names(self) -> set[str]:
        """The names in the page's own `properties`."""
        properties = self.root.get("properties")
        return set(properties) if isinstance(properties, Mapping) else set()


def _may_be_schema(part: Any) -> bool:
    return isinstance(part, Mapping | list)


def _target(ref: Any, root: Schema) -> Any:
    """The schema that a `$ref` within the document leads to; None if there is none."""
    if ref == "#":
        return root
    if not isinstance(ref, str) or not ref.startswith("#/"):
        return None
    target = value_at(root, ref[1:])
    return target if isinstance(target, Mapping) else None


def _is_secret(schema: Schema) -> bool:
    options = schema.get("ui:options")
    inner = options if isinstance(options, Mapping) else {}
    return any(
        hint in (schema.get(f"ui:{name}"), inner.get(name)) for name, hint in _HINTS
    )
