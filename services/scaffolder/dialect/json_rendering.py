"""Renders the expressions within JSON: step inputs, conditions and outputs.

An expression that cannot be rendered is left as its own text (Backstage does so, and
templates rely on it), and listed as a failure; only exceeding a limit ends the run.
"""

import re
from collections.abc import Callable as Function
from typing import Any, NamedTuple

from services.scaffolder.dialect.failure import TemplateLimitError, TemplateRenderError
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.dialect.scope import Names
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.dialect.values import UNDEFINED, Callable, Record
from shared.contracts.errors import Invalid

_SECONDS = 10.0
_ITERATIONS = 1000
#: The failures of one rendering that are listed; the characters of a name in a field.
_MOST_FAILURES = 20
_LONGEST_NAME = 100
_EACH_NAME = re.compile(r"\beach\b")
_STATUS = re.compile(r"\b(?:always|failure)\b")


class ExpressionFailure(NamedTuple):
    """A text that was left as it is, its field and why."""

    field: str
    source: str
    reason: str


def rendered(
    dialect: TemplateDialect,
    value: Any,
    context: Names,
    trace: list[str] | None = None,
    *,
    seed: int | None = None,
    field: str = "",
    failures: list[ExpressionFailure] | None = None,
) -> Any:
    """A JSON value with its expressions replaced; undefined members are dropped.

    `trace` collects the texts of the expressions, in order, `failures` what could not
    be rendered: a value at `field`, or a member below it. Renderings with one `seed`
    make the same random choices.

    Raises:
        TemplateLimitError: if it takes too much work.
    """
    budget = RenderingBudget(seconds=_SECONDS, seed=seed)

    def text(source: str, place: str) -> Any:
        try:
            return dialect.value(source, context, budget=budget, trace=trace)
        except TemplateLimitError as error:
            raise error.with_message(f"{place}: {error.message}") from error.__cause__
        except TemplateRenderError as error:
            if failures is not None and len(failures) < _MOST_FAILURES:
                failures.append(ExpressionFailure(place, source, error.reason))
            return source

    return _mapped(value, text, field)


def _mapped(value: Any, text: Function[[str, str], Any], field: str) -> Any:
    if isinstance(value, str):
        return text(value, field)
    if isinstance(value, list):
        items = [_mapped(v, text, f"{field}[{index}]") for index, v in enumerate(value)]
        return [None if item is UNDEFINED else item for item in items]
    if isinstance(value, dict):
        members = {
            key: _mapped(item, text, f"{field}.{str(key)[:_LONGEST_NAME]}")
            for key, item in value.items()
        }
        return {key: item for key, item in members.items() if item is not UNDEFINED}
    return value


def has_template(dialect: TemplateDialect, value: Any) -> bool:
    """Whether any text within `value` has something to render."""
    if isinstance(value, str):
        return dialect.is_template(value)
    if isinstance(value, list):
        return any(has_template(dialect, item) for item in value)
    if isinstance(value, dict):
        return any(has_template(dialect, item) for item in value.values())
    return False


class StatusFunctions:
    """`always()` and `failure()`, for one step's condition.

    A condition that calls one of them decides for itself after an earlier failure.
    """

    def __init__(self, *, has_failed: bool) -> None:
        self.has_failed = has_failed
        self.were_called = False

    def by_name(self) -> dict[str, Callable]:
        """The functions as expressions read them."""
        return {
            "always": Callable("always", lambda _: self._answer(value=True)),
            "failure": Callable("failure", lambda _: self._answer(self.has_failed)),
        }

    def _answer(self, value: bool) -> bool:
        self.were_called = True
        return value


def condition_holds(value: Any) -> bool:
    """Whether a rendered `if` lets its step run; an empty list does not."""
    if value is UNDEFINED or value is None:
        return False
    if isinstance(value, dict):
        return True
    return bool(value)


def names_each(condition: Any) -> bool:
    """Whether an `if` depends on the iteration of `each`."""
    return isinstance(condition, str) and _EACH_NAME.search(condition) is not None


def names_status_function(condition: Any) -> bool:
    """Whether an `if` may let its step run after an earlier failure."""
    return isinstance(condition, str) and _STATUS.search(condition) is not None


def _described(value: Any) -> str:
    if value is UNDEFINED or value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    return "a text" if isinstance(value, str) else "a number"


def iterations(iterated: Any) -> list[Record]:
    """The iterations of an `each`: key and value of every item or member.

    Raises:
        Invalid: if it is neither an array nor an object, or has too many.
    """
    if isinstance(iterated, dict):
        pairs = list(iterated.items())
    elif isinstance(iterated, list):
        pairs = [(str(number), value) for number, value in enumerate(iterated)]
    else:
        raise Invalid(
            "each: it must be, or render to, an array or an object, not "
            f"{_described(iterated)}"
        )
    if len(pairs) > _ITERATIONS:
        raise Invalid(f"each: over the limit of {_ITERATIONS} iterations")
    return [{"key": key, "value": value} for key, value in pairs]
