"""What a run works with, and its twin: the same as people may see it.

Secrets are kept from people by rendering twice, the second time with `***` in place of
every secret. The second result cannot hold anything of a secret, whatever a template
does with it: filters, slices, loops over its letters, conditions on it. What the two
results do not have in common is secret, and the redactor learns it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.scaffolder.dialect import json_rendering
from services.scaffolder.dialect.failure import (
    TemplateLimitError,
    TemplateRenderError,
)
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.dialect.scope import Names
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.secrets.redaction import MASK, Redactor, derived


@dataclass(frozen=True, slots=True)
class Twins:
    """A value as the run uses it, and as people may see it.

    `has_fragments` tells that pieces of secrets are in it that are too short to be
    masked within a longer text.
    """

    real: Any
    public: Any
    has_fragments: bool = False

    @classmethod
    def of(cls, value: Any) -> "Twins":
        """A value that holds no secret."""
        return cls(value, value)

    @property
    def are_one(self) -> bool:
        """Whether there is nothing to keep from people."""
        return self.real is self.public

    def under(self, name: str) -> "Twins":
        """Both as the only member of an object."""
        real = {name: self.real}
        return Twins(real, real if self.are_one else {name: self.public})

    def with_names(self, names: "Twins") -> "Twins":
        """Both contexts with more names in them."""
        real = {**self.real, **names.real}
        if self.are_one and names.are_one:
            return Twins.of(real)
        return Twins(real, {**self.public, **names.public})


def rendered(
    dialect: TemplateDialect, value: Any, context: Twins, redactor: Redactor
) -> Twins:
    """A JSON value rendered both ways; what differs is learned by the redactor.

    Raises:
        TemplateLimitError: if it takes too much work.
    """
    if context.are_one:
        return Twins.of(json_rendering.rendered(dialect, value, context.real))
    trace: list[str] = []
    public_trace: list[str] = []
    real = json_rendering.rendered(dialect, value, context.real, trace, seed=1)
    try:
        public = json_rendering.rendered(
            dialect, value, context.public, public_trace, seed=1
        )
    except TemplateLimitError:
        public = MASK
    pieces = derived(trace, public_trace)
    redactor.learn(real, public, pieces)
    return Twins(real, public, redactor.has_fragments(real, public, pieces))


@dataclass(frozen=True, slots=True)
class LearningDialect:
    """A dialect for files: what their expressions make of secrets is learned."""

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


def rounds(iterated: Twins) -> Sequence[Twins]:
    """The rounds of an `each`: key and value of every item or member.

    Raises:
        Invalid: if it is neither an array nor an object, or has too many.
    """
    real = json_rendering.rounds(iterated.real)
    if iterated.are_one:
        return [Twins.of(each) for each in real]
    public = json_rendering.rounds(iterated.public) if _alike(iterated) else []
    if len(public) != len(real):
        public = [{"key": MASK, "value": MASK} for _ in real]
    return [Twins(*pair) for pair in zip(real, public, strict=True)]


def _alike(iterated: Twins) -> bool:
    real, public = iterated.real, iterated.public
    return isinstance(public, type(real)) and len(public) == len(real)
