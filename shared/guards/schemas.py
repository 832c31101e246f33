"""Validates values by foreign schemas of JSON Schema draft 7.

A schema works like a program: it may refer to itself, double its work at every level
and contain patterns. Therefore each step is paid from a budget, references stay inside
the document, nothing is fetched, and an error repeats no value.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.contracts.errors import Invalid
from shared.guards.budgets import Budget
from shared.guards.schema_keywords import KEYWORDS
from shared.guards.schema_run import NotASchema, Path, ValidationRun, Violation
from shared.guards.trees import check_tree

__all__ = ["NotASchema", "Path", "Violation", "find_violations", "is_valid"]

_SCHEMA_NODES = 50_000
_SCHEMA_DEPTH = 80
_SCHEMA_TEXT = 2_000_000
_INSTANCE_NODES = 200_000
_INSTANCE_DEPTH = 100
_STEPS = 400_000
_SECONDS = 1.0
_VIOLATION_LIMIT = 1_000


def find_violations(
    schema: Any,
    instance: Any,
    *,
    root: Any = None,
    checks_formats: bool = False,
    budget: Budget | None = None,
) -> list[Violation]:
    """The rules that `instance` breaks, in the order of the schema.

    Args:
        schema: The schema, an object or a truth value.
        instance: The value that is checked.
        root: The document that references refer to; by default the schema itself.
        checks_formats: Whether `format` is checked or ignored.
        budget: The budget of a larger task that the check belongs to.

    Raises:
        NotASchema: if the schema is invalid, or refers to another document.
        BudgetExceeded: if the check takes too much work.
        Invalid: if the instance is too large.
    """
    check_tree(instance, label="value", nodes=_INSTANCE_NODES, depth=_INSTANCE_DEPTH)
    run = _start(schema, root, checks_formats, budget)
    violations: list[Violation] = []
    for violation in _schema_errors(run.check(schema, instance, ())):
        violations.append(violation)
        if len(violations) == _VIOLATION_LIMIT:
            break
    return violations


def is_valid(
    schema: Any, instance: Any, *, root: Any = None, budget: Budget | None = None
) -> bool:
    """Whether the schema accepts the value; raises as `find_violations` does."""
    run = _start(schema, root, False, budget)
    return next(_schema_errors(run.check(schema, instance, ())), None) is None


def _start(
    schema: Any, root: Any, checks_formats: bool, budget: Budget | None
) -> ValidationRun:
    root = schema if root is None else root
    if budget is None:
        # A caller with its own budget has checked the size.
        _check_size(root)
        budget = Budget("schema", seconds=_SECONDS, nodes=_STEPS)
    return ValidationRun(root, budget, KEYWORDS, checks_formats=checks_formats)


def _check_size(schema: Any) -> None:
    if not isinstance(schema, Mapping | bool):
        raise NotASchema("it must be an object")
    try:
        check_tree(
            schema,
            label="schema",
            nodes=_SCHEMA_NODES,
            depth=_SCHEMA_DEPTH,
            text=_SCHEMA_TEXT,
        )
    except Invalid as error:
        raise NotASchema(error.message.removeprefix("schema: ")) from error


def _schema_errors(violations: Iterator[Violation]) -> Iterator[Violation]:
    """Pass the violations on; an error from a wrong type is the schema's fault."""
    try:
        yield from violations
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise NotASchema(str(error)[:200]) from error
