"""Which names in a template's expressions lead to nothing: steps and parameters.

`steps.ID` of no earlier step, and `parameters.NAME` that no page of the form asks for.
A run takes them as empty. What cannot be judged is left out: names that an expression
computes, and those that it gives a default or a test.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.templates.expression_syntax import (
    DIALECT,
    LONGEST_TEXT,
    MOST_TEXTS,
    SECONDS,
    STEP_FIELDS,
    texts_of,
)

MOST_PROBLEMS = 20
_LONGEST_NAME = 100
_INDEX = re.compile(r"\[(\d+)\]")
_MARK = re.compile("steps|parameters")


class _Place(NamedTuple):
    """A text of a template with the ids of the steps that ran before it."""

    path: str
    text: str
    step_ids: Collection[str]


def name_problems(
    spec: Mapping[str, Any], parameters: Collection[str] | None
) -> list[str]:
    """The names that lead to nothing, each as `field: rule`.

    `parameters` are the names that the form asks for; None: they are not checked.
    """
    budget = RenderingBudget(seconds=SECONDS)
    problems: dict[str, None] = {}
    every_id = _step_ids(spec)
    for number, place in enumerate(_places(spec, every_id)):
        if number == MOST_TEXTS or len(problems) >= MOST_PROBLEMS:
            break
        try:
            budget.check_time()
        except TemplateRenderError:
            break
        for name, key in _names(place.text):
            problem = _problem(name, key, place, every_id, parameters)
            if problem is not None:
                problems[f"{place.path}: {problem}"] = None
    return list(problems)[:MOST_PROBLEMS]


def _step_ids(spec: Mapping[str, Any]) -> list[str]:
    """The ids of all steps, as a run has them."""
    steps = spec.get("steps")
    return [
        str((isinstance(step, Mapping) and step.get("id")) or f"step-{number}")
        for number, step in enumerate(steps if isinstance(steps, list) else (), 1)
    ]


def _places(spec: Mapping[str, Any], every_id: list[str]) -> Iterator[_Place]:
    steps = spec.get("steps")
    for number, step in enumerate(steps if isinstance(steps, list) else ()):
        if isinstance(step, Mapping):
            for part in STEP_FIELDS:
                for path, text in texts_of(step.get(part), part):
                    path_of_step = f"spec.steps.{number}.{_dotted(path)}"
                    yield _Place(path_of_step, text, every_id[:number])
    for path, text in texts_of(spec.get("output"), ""):
        yield _Place(f"spec.output.{_dotted(path)}", text, every_id)


def _dotted(path: str) -> str:
    """The path of a field as descriptors' problems have it: `a.0` for `a[0]`."""
    return _INDEX.sub(r".\1", path)


def _names(text: str) -> list[tuple[str, str]]:
    if len(text) > LONGEST_TEXT or not _MARK.search(text):
        return []
    try:
        return DIALECT.lookups(text)
    except TemplateRenderError:
        # `expression_errors` names it.
        return []


def _problem(
    name: str,
    key: str,
    place: _Place,
    every_id: Collection[str],
    parameters: Collection[str] | None,
) -> str | None:
    """Why a name leads to nothing at a place; None: it may lead to something."""
    label = key[:_LONGEST_NAME]
    if name == "parameters" and parameters is not None and key not in parameters:
        return f"the form asks for no parameter {label!r}, so it is empty"
    if name == "steps" and key not in place.step_ids:
        if key in every_id:
            return f"the step {label!r} has not run there, so its output is empty"
        return f"no step has the id {label!r}, so its output is empty"
    return None
