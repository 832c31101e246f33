"""Which expressions of a template cannot work: the step, the field and why.

They cannot be parsed, or name a filter, test, function or method that does not exist.

A run leaves such an expression as its own text, as Backstage does, so that the mistake
shows late, in the files that the run wrote. A check names it before the run. Texts
without `${{` are not checked: other languages write `{%` and `{#` too.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from services.scaffolder.dialect.failure import (
    TemplateLimitError,
    TemplateRenderError,
    UnknownWordError,
)
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.templates.filters import template_filters

#: The texts of one check; the rest of a larger template is not checked.
MOST_TEXTS = 5_000
LONGEST_TEXT = 20_000
SECONDS = 2.0
MOST_ERRORS = 20
UNPARSABLE, UNKNOWN = "cannot be parsed", "cannot be evaluated"
_DEPTH = 100
_LONGEST_CACHED = 1_000
STEP_FIELDS = ("if", "each", "input")
#: What the `if` of a step may call.
_STATUS_FUNCTIONS = ("always", "failure")
DIALECT = TemplateDialect({own.name: own.run for own in template_filters()})


class ExpressionError(NamedTuple):
    """An expression that cannot work; `step` is "" for one of the output.

    `fails_run`: a run fails there; otherwise it takes the expression as plain text.
    """

    step: str
    field: str
    reason: str
    problem: str = UNPARSABLE
    fails_run: bool = False

    @property
    def message(self) -> str:
        """The error as a sentence for the template's author."""
        place = f"step {self.step}" if self.step else "output"
        return f"{place}, {self.field}: the expression {self.problem}: {self.reason}"


def expression_errors(
    spec: Any, *, budget: RenderingBudget | None = None
) -> list[ExpressionError]:
    """The expressions of a template's `spec` that cannot work, in their order.

    Ends early, without an error, where the budget does.
    """
    budget = budget or RenderingBudget(seconds=SECONDS)
    errors: list[ExpressionError] = []
    for number, (step, field, text) in enumerate(_expressions(spec)):
        if number == MOST_TEXTS or len(errors) == MOST_ERRORS:
            break
        try:
            budget.check_time()
        except TemplateLimitError:
            break
        if len(text) > LONGEST_TEXT:
            continue
        functions = _STATUS_FUNCTIONS if field == "if" else ()
        check = _mistake if len(text) > _LONGEST_CACHED else _cached
        mistake = check(text, functions)
        if mistake is not None:
            errors.append(ExpressionError(step, field, *mistake))
    return errors


def _expressions(spec: Any) -> Iterator[tuple[str, str, str]]:
    """Step, field and text of everything that a run renders."""
    if not isinstance(spec, Mapping):
        return
    steps = spec.get("steps")
    for number, step in enumerate(steps if isinstance(steps, list) else (), 1):
        if isinstance(step, Mapping):
            name = str(step.get("id") or f"step-{number}")
            for part in STEP_FIELDS:
                for field, text in texts_of(step.get(part), part):
                    yield name, field, text
    for field, text in texts_of(spec.get("output"), ""):
        yield "", field, text


def texts_of(value: Any, field: str, depth: int = _DEPTH) -> Iterator[tuple[str, str]]:
    """The texts with expressions in a value, each with its field."""
    if isinstance(value, str):
        if "${{" in value:
            yield field, value
    elif depth and isinstance(value, Mapping):
        for key, part in value.items():
            yield from texts_of(part, f"{field}.{key}".lstrip("."), depth - 1)
    elif depth and isinstance(value, list):
        for index, part in enumerate(value):
            yield from texts_of(part, f"{field}[{index}]", depth - 1)


def _mistake(text: str, functions: tuple[str, ...]) -> tuple[str, str, bool] | None:
    """Why a text cannot work, its problem and whether a run fails; None: it works."""
    try:
        DIALECT.check(text, functions)
    except TemplateLimitError as error:
        return f"{error.reason}; a run fails there", UNPARSABLE, True
    except TemplateRenderError as error:
        problem = UNKNOWN if isinstance(error, UnknownWordError) else UNPARSABLE
        place = f"line {error.line}, column {error.column}"
        return f"{place}: {error.reason}; a run takes it as plain text", problem, False
    return None


_cached = lru_cache(maxsize=2_048)(_mistake)
