"""Values of a run in two forms: the real one, and the public one without secrets.

Every expression is rendered twice, the second time with `***` in place of each secret.
The second result can hold no part of a secret, whatever the template does with it:
filters, slices, loops over its letters, conditions on it. Where the two results differ,
the real text was made of a secret, and the redactor learns it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from services.scaffolder.dialect import json_rendering
from services.scaffolder.dialect.failure import (
    TemplateLimitError,
    TemplateRenderError,
)
from services.scaffolder.dialect.json_rendering import ExpressionFailure
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.dialect.scope import Names
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.secrets.redaction import MASK, Redactor, derived


@dataclass(frozen=True, slots=True)
class DualValue:
    """A value as the run uses it, and its public form, which people may see.

    `has_fragments`: it holds pieces of secrets that are too short to be masked within a
    longer text.
    """

    real: Any
    public: Any
    has_fragments: bool = False

    @classmethod
    def of(cls, value: Any) -> "DualValue":
        """A value that holds no secret."""
        return cls(value, value)

    @property
    def is_public(self) -> bool:
        """Whether the value holds no secret."""
        return self.real is self.public

    @property
    def secret_names(self) -> list[str]:
        """The members of an object whose value holds a secret."""
        if self.is_public:
            return []
        return [name for name, v in self.real.items() if v != self.public.get(name)]

    def under(self, name: str) -> "DualValue":
        """An object with the value as its only member."""
        real = {name: self.real}
        return DualValue(real, real if self.is_public else {name: self.public})

    def with_names(self, names: "DualValue") -> "DualValue":
        """An object with the members of both."""
        real = {**self.real, **names.real}
        if self.is_public and names.is_public:
            return DualValue.of(real)
        return DualValue(real, {**self.public, **names.public})


def render(
    dialect: TemplateDialect,
    value: Any,
    names: DualValue,
    redactor: Redactor,
    field: str = "",
) -> tuple[DualValue, list[ExpressionFailure]]:
    """A JSON value rendered in both forms; the redactor learns where they differ.

    The failures leave out expressions that name a value with secrets in it: even
    whether they fail would reveal a part of one.

    Raises:
        TemplateLimitError: if it takes too much work.
    """
    failures: list[ExpressionFailure] = []
    render_form = partial(json_rendering.rendered, dialect, value, field=field)
    if names.is_public:
        return DualValue.of(render_form(names.real, failures=failures)), failures
    trace: list[str] = []
    public_trace: list[str] = []
    real = render_form(names.real, trace, seed=1, failures=failures)
    try:
        public = render_form(names.public, public_trace, seed=1)
    except TemplateLimitError:
        public = MASK
    pieces = derived(trace, public_trace)
    redactor.learn(real, public, pieces)
    has_fragments = redactor.has_fragments(real, public, pieces)
    dual_value = DualValue(real, public, has_fragments)
    return dual_value, without(failures, names.secret_names)


def without(
    failures: Iterable[ExpressionFailure], names: Iterable[str]
) -> list[ExpressionFailure]:
    """The failures of expressions that name none of `names`."""
    return [
        failure
        for failure in failures
        if not any(name in failure.source for name in names)
    ]


@dataclass(frozen=True, slots=True)
class LearningDialect:
    """A dialect for files; the redactor learns what they make of secrets."""

    dialect: TemplateDialect
    public: Names
    redactor: Redactor

    def text(self, source: str, context: Names) -> str:
        """The whole template as text.

        Raises:
            TemplateRenderError: if it cannot be rendered, naming line and column.
        """
        if not self.dialect.is_template(source):
            return source
        trace: list[str] = []
        public_trace: list[str] = []
        real = self.dialect.text(
            source, context, budget=RenderingBudget(seed=1), trace=trace
        )
        public = self._public(source, public_trace)
        self.redactor.learn(real, public, derived(trace, public_trace))
        return real

    def _public(self, source: str, trace: list[str]) -> str:
        budget = RenderingBudget(seed=1)
        try:
            return self.dialect.text(source, self.public, budget=budget, trace=trace)
        except TemplateRenderError:
            return MASK


def iterations(iterated: DualValue) -> Sequence[DualValue]:
    """The iterations of an `each`: key and value of every item or member.

    Raises:
        Invalid: if it is neither an array nor an object, or has too many.
    """
    real = json_rendering.iterations(iterated.real)
    if iterated.is_public:
        return [DualValue.of(iteration) for iteration in real]
    public = (
        json_rendering.iterations(iterated.public) if _has_one_shape(iterated) else []
    )
    if len(public) != len(real):
        public = [{"key": MASK, "value": MASK} for _ in real]
    return [DualValue(*pair) for pair in zip(real, public, strict=True)]


def _has_one_shape(iterated: DualValue) -> bool:
    """Whether both forms are of one type and one length."""
    real, public = iterated.real, iterated.public
    return isinstance(public, type(real)) and len(public) == len(real)
