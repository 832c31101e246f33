"""One validation of a value by a JSON Schema: traversal, budget and references."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from shared.contracts.errors import Invalid
from shared.guards.budgets import Budget
from shared.guards.json_pointers import ABSENT, value_at
from shared.guards.patterns import NotAPattern, compile_pattern

#: The location of a value in the instance.
Path = tuple[str | int, ...]
_DEPTH_LIMIT = 200
_PATTERN_SECONDS = 0.1
#: So many characters of a text count as one step of matching it.
_STEP_CHARACTERS = 200


class NotASchema(Invalid):
    """The schema is invalid, or it refers to another document."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"schema: it is no JSON Schema: {reason}")


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a value breaks.

    `keyword` is the rule and `argument` its value in the schema; `detail` is the name
    or the index concerned, where there is one. `keyword` is empty if the schema is
    `false` and so accepts no value.
    """

    path: Path
    keyword: str
    argument: Any
    instance: Any
    schema: Any
    detail: Any = None


#: Checks one keyword; takes the run, its argument, the instance, the schema, the path.
Keyword = Callable[
    ["ValidationRun", Any, Any, Mapping[str, Any], Path], Iterator[Violation]
]


@dataclass(slots=True)
class ValidationRun:
    """The state of one validation, which all keywords share."""

    root: Any
    budget: Budget
    keywords: Mapping[str, Keyword]
    checks_formats: bool = False
    _depth: int = 0
    _anchors: dict[str, Any] | None = field(default=None)

    def check(self, schema: Any, instance: Any, path: Path) -> Iterator[Violation]:
        """Every rule of `schema` that `instance` breaks."""
        self.budget.pay_nodes()
        if schema is True:
            return
        if schema is False:
            yield Violation(path, "", False, instance, schema)
            return
        if not isinstance(schema, Mapping):
            raise NotASchema("a schema must be an object")
        self._depth += 1
        try:
            if self._depth > _DEPTH_LIMIT:
                raise NotASchema("it refers to itself without an end")
            if "$ref" in schema:
                # Draft 7 ignores every keyword beside `$ref`.
                yield from self.check(self.target(schema["$ref"]), instance, path)
                return
            for name, argument in schema.items():
                keyword = self.keywords.get(name)
                if keyword is not None:
                    self.budget.pay_nodes()
                    yield from keyword(self, argument, instance, schema, path)
        finally:
            self._depth -= 1

    def accepts(self, schema: Any, instance: Any) -> bool:
        """Whether `instance` breaks no rule."""
        return next(self.check(schema, instance, ()), None) is None

    def matches(self, pattern: Any, text: str) -> bool:
        """Whether a JavaScript pattern matches anywhere in `text`."""
        if not isinstance(pattern, str):
            raise NotASchema("a pattern must be a text")
        self.budget.pay_nodes(1 + len(text) // _STEP_CHARACTERS)
        try:
            is_match = compile_pattern(pattern).matches(text, seconds=_PATTERN_SECONDS)
        except NotAPattern as error:
            raise NotASchema(f"pattern: {error.message}") from error
        self.budget.check_time()
        return is_match

    def target(self, reference: Any) -> Any:
        """The schema that `$ref` refers to.

        Raises:
            NotASchema: if it is not in the document.
        """
        if not isinstance(reference, str):
            raise NotASchema("$ref must be a text")
        if not reference.startswith("#"):
            raise NotASchema(
                f"$ref {reference[:200]!r} leads to another document; only references "
                "into the schema itself (#/…) are followed"
            )
        pointer = reference[1:]
        self.budget.pay_nodes(pointer.count("/"))
        is_pointer = pointer[:1] in {"", "/"}
        schema = value_at(self.root, pointer) if is_pointer else self._anchored(pointer)
        if schema is ABSENT:
            raise NotASchema(f"$ref {reference[:200]!r} leads nowhere")
        return schema

    def _anchored(self, name: str) -> Any:
        """The schema whose `$id` is `#name`."""
        if self._anchors is None:
            self._anchors = {}
            pending = [self.root]
            while pending:
                self.budget.pay_nodes()
                value = pending.pop()
                if isinstance(value, Mapping):
                    self._anchors.setdefault(str(value.get("$id")), value)
                    pending.extend(value.values())
                elif isinstance(value, list):
                    pending.extend(value)
        return self._anchors.get(f"#{unquote(name)}", ABSENT)
