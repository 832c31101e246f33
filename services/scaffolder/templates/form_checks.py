"""What is wrong with the schemas of a template's form: the field and the rule.

The form and the scaffolder read parts of a schema when somebody fills it in, so that a
mistake shows late. A check names it before. Words beside JSON Schema's (`ui:field`) and
those that only describe (`title`, `examples`) are not checked.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.contracts.errors import Invalid
from shared.guards.budgets import Budget, BudgetExceeded
from shared.guards.patterns import compile_pattern
from shared.guards.schema_keywords import KEYWORDS
from shared.guards.schema_run import NotASchema, ValidationRun
from shared.guards.schema_values import TYPES, is_number
from shared.guards.trees import check_tree

MOST_PROBLEMS = 20
SECONDS = 1.0
_NODES, _DEPTH, _TEXT = 50_000, 80, 2_000_000
#: Of schemas in each other, references followed.
_LEVELS = 150
_LONGEST_PROBLEM = 500


class FormCheck(NamedTuple):
    """The problems of a form, each as `field: rule`, and the names of its answers.

    `names` is None where a form may have answers that its schemas do not name.
    """

    problems: list[str]
    names: frozenset[str] | None


def check_form(spec: Mapping[str, Any]) -> FormCheck:
    """Check the schemas of the pages of a template's form.

    It ends early where its budget does, with what was read until then.
    """
    parameters = spec.get("parameters")
    if not parameters:
        # Without a form, programs alone run the template, with values of their own.
        return FormCheck([], None)
    pages = {"spec.parameters": parameters}
    if isinstance(parameters, list):
        pages = {f"spec.parameters.{n}": page for n, page in enumerate(parameters)}
    checks = _FormChecks()
    try:
        for path, page in pages.items():
            check_tree(page, label=path, nodes=_NODES, depth=_DEPTH, text=_TEXT)
        checks.run(pages)
    except BudgetExceeded:
        return FormCheck(checks.named_problems, None)
    except Invalid as error:
        return FormCheck([error.message], None)
    decorators = ("formDecorators", "EXPERIMENTAL_formDecorators")
    may_have_more = checks.answers.is_open or any(map(spec.get, decorators))
    names = None if may_have_more else frozenset(checks.answers.names)
    return FormCheck(checks.named_problems, names)


@dataclass(slots=True)
class _Answers:
    """The properties of one object that schemas describe, and those that they require.

    `required` maps the path of a name to it. `is_open`: there may be others.
    """

    names: set[str] = field(default_factory=set)
    required: dict[str, str] = field(default_factory=dict)
    is_open: bool = False

    def read(self, schema: Mapping[str, Any], path: str, *, is_condition: bool) -> None:
        """Add what a schema of the object describes and requires."""
        properties, required = schema.get("properties"), schema.get("required")
        self.names.update(
            map(str, properties if isinstance(properties, Mapping) else ())
        )
        if isinstance(required, list) and not is_condition:
            for number, name in enumerate(required):
                self.required[f"{path}.required.{number}"] = str(name)
        self.is_open |= any(map(schema.get, _OPENING))

    def problems(self) -> Iterator[str]:
        """The names that are required and that nothing describes."""
        for path, name in self.required.items():
            if not self.is_open and name not in self.names:
                yield f"{path}: no property {name!r} is described: the form lacks it"


class _FormChecks:
    """One check of a form, whose pages have their answers together."""

    def __init__(self) -> None:
        self.answers = _Answers()
        self._budget = Budget("form", seconds=SECONDS, nodes=_NODES, depth=_LEVELS)
        self._level = 0
        self._problems: dict[str, None] = {}
        self._page: tuple[str, Any] = ("", None)
        #: The references that are being followed.
        self._references: list[tuple[str, str]] = []

    @property
    def named_problems(self) -> list[str]:
        """The first problems; of the others how many there are."""
        problems = list(self._problems)
        if len(problems) <= MOST_PROBLEMS:
            return problems
        more = len(problems) - MOST_PROBLEMS
        return [*problems[:MOST_PROBLEMS], f"and {more:,} more"]

    def run(self, pages: Mapping[str, Any]) -> None:
        """Check all pages."""
        for path, page in pages.items():
            if page is not None:
                self._page = (path, page)
                self._check(page, path, self.answers)
        self._add(self.answers.problems())

    def _check(
        self, schema: Any, path: str, answers: _Answers, *, is_condition: bool = False
    ) -> None:
        """Check a schema of the object that `answers` are of."""
        self._budget.pay_nodes()
        if isinstance(schema, bool):
            return
        if not isinstance(schema, Mapping):
            self._add([f"{path}: must be a schema, which is an object"])
            return
        self._level += 1
        self._budget.check_depth(self._level)
        if "$ref" in schema:
            # Draft 7 ignores every keyword beside `$ref`.
            self._follow(schema["$ref"], path, answers, is_condition)
        else:
            self._check_keywords(schema, path)
            answers.read(schema, path, is_condition=is_condition)
            self._check_parts(schema, path, answers, is_condition)
        self._level -= 1

    def _check_keywords(self, schema: Mapping[str, Any], path: str) -> None:
        for keyword, value in schema.items():
            rule = _RULES.get(keyword)
            if problem := rule and rule(value):
                self._add([f"{path}.{keyword}: {problem}"])
        self._budget.check_time()

    def _check_parts(
        self,
        schema: Mapping[str, Any],
        path: str,
        answers: _Answers,
        is_condition: bool,
    ) -> None:
        """Check the schemas within a schema: of its object, and of other values."""
        for place, part in _parts(schema, _SAME):
            is_test = is_condition or place in _CONDITIONS
            self._check(part, f"{path}.{place}", answers, is_condition=is_test)
        for place, part in _parts(schema, _INNER):
            inner_answers = _Answers(is_open=place.partition(".")[0] in _OPEN_PARTS)
            self._check(part, f"{path}.{place}", inner_answers)
            self._add(inner_answers.problems())

    def _follow(
        self, reference: Any, path: str, answers: _Answers, is_condition: bool
    ) -> None:
        page_path, page = self._page
        entry = (page_path, str(reference))
        if entry in self._references:
            answers.is_open = True
            return
        try:
            target = ValidationRun(page, self._budget, KEYWORDS).target(reference)
        except NotASchema as error:
            problem = error.message.removeprefix("schema: it is no JSON Schema: ")
            self._add([f"{path}.$ref: {problem}"])
            answers.is_open = True
            return
        target_path = page_path + str(reference)[1:].replace("/", ".")
        self._references.append(entry)
        self._check(target, target_path, answers, is_condition=is_condition)
        self._references.pop()

    def _add(self, problems: Iterator[str] | list[str]) -> None:
        for problem in problems:
            is_short = len(problem) <= _LONGEST_PROBLEM
            text = problem if is_short else f"{problem[:_LONGEST_PROBLEM]}…"
            self._problems[text] = None


#: Keywords with which an object may have properties that no schema names.
_OPENING = ("additionalProperties", "patternProperties", "default", "ui:field")
#: Keywords whose schemas are of the same object: lists, single ones, and by name.
_SAME = ("allOf", "anyOf", "oneOf", "if", "then", "else", "not", "dependencies")
_CONDITIONS = ("if", "not")
#: Keywords whose schemas are of other values: they have their own properties.
_INNER = (
    *("properties", "patternProperties", "definitions", "items", "additionalItems"),
    *("additionalProperties", "contains", "propertyNames"),
)
#: Of these, those that require nothing by themselves.
_OPEN_PARTS = ("definitions", "contains", "propertyNames")
_NAMED = frozenset({"properties", "patternProperties", "definitions", "dependencies"})


def _parts(
    schema: Mapping[str, Any], keywords: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """The schemas within a schema, each with its place."""
    for keyword in keywords:
        value = schema.get(keyword)
        if keyword in _NAMED:
            for name, part in value.items() if isinstance(value, Mapping) else ():
                # A list names the properties that another one needs.
                if keyword != "dependencies" or not isinstance(part, list):
                    yield f"{keyword}.{name}", part
        elif isinstance(value, list):
            for number, part in enumerate(value):
                yield f"{keyword}.{number}", part
        elif isinstance(value, Mapping):
            yield keyword, value


def _type_problem(value: Any) -> str | None:
    names = value if isinstance(value, list) else [value]
    if names and all(isinstance(name, str) and name in TYPES for name in names):
        return None
    return f"must be one of {', '.join(TYPES)}, or a list of them"


def _pattern_problem(value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a text"
    try:
        compile_pattern(value)
    except Invalid as error:
        return error.message
    return None


def _must_be(words: str, holds: Callable[[Any], bool]) -> Callable[[Any], str | None]:
    return lambda value: None if holds(value) else f"must be {words}"


def _is_size(value: Any) -> bool:
    is_whole = isinstance(value, int) or (
        isinstance(value, float) and value.is_integer()
    )
    return is_number(value) and is_whole and value >= 0


_NAMES = _must_be(
    "a list of names",
    lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value),
)
_OBJECT = _must_be("an object", lambda value: isinstance(value, Mapping))
_LIST = _must_be("a list", lambda value: isinstance(value, list))
_SCHEMAS = _must_be(
    "a list of schemas", lambda value: isinstance(value, list) and bool(value)
)
_NUMBER = _must_be("a number", is_number)
_SIZE = _must_be("a whole number from 0", _is_size)
#: What is wrong with the value of a keyword, if anything is.
_RULES: Mapping[str, Callable[[Any], str | None]] = {
    "type": _type_problem,
    "pattern": _pattern_problem,
    "required": _NAMES,
    "enum": _LIST,
    **dict.fromkeys(sorted(_NAMED), _OBJECT),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _SCHEMAS),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), _NUMBER),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _SIZE),
    **dict.fromkeys(("minProperties", "maxProperties"), _SIZE),
}
