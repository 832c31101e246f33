"""The interface of the dialect: a template's text in, a value or a text out."""

from collections.abc import Container, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.scaffolder.dialect import (
    filters_list,
    filters_number,
    filters_text,
    json_text,
)
from services.scaffolder.dialect.calling import Operation
from services.scaffolder.dialect.evaluation import Library
from services.scaffolder.dialect.failure import (
    TemplateLimitError,
    TemplateRenderError,
    UnknownWordError,
    ValueFailure,
)
from services.scaffolder.dialect.lexing import Delimiters, Lexer
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.dialect.lookups import lookups
from services.scaffolder.dialect.methods_list import MUTATES
from services.scaffolder.dialect.rendering import RenderedText, Rendering
from services.scaffolder.dialect.scope import Names
from services.scaffolder.dialect.statements import TemplateParser
from services.scaffolder.dialect.unknown_words import unknown_words
from services.scaffolder.dialect.values import UNDEFINED, is_number, text

_CACHED = 256
#: Longer templates are parsed each time: parsed ones take a hundred times the memory.
_LONGEST_CACHED = 2_000
BUILT_IN: dict[str, Operation] = {
    **filters_text.FILTERS,
    **filters_list.FILTERS,
    **filters_number.FILTERS,
}


class DialectEnvironment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox with this dialect's lexer and parser in place of its own.

    Its templates are walked, never compiled to Python.
    """

    def __init__(self, delimiters: Delimiters, *, python_words: bool) -> None:
        super().__init__()
        self.delimiters = delimiters
        self.python_words = python_words

    def _tokenize(
        self,
        source: str,
        name: str | None,
        filename: str | None = None,
        state: str | None = None,
    ) -> TokenStream:
        del state
        return TokenStream(Lexer(source, self.delimiters).tokens(), name, filename)

    def _parse(
        self, source: str, name: str | None, filename: str | None
    ) -> nodes.Template:
        parser = TemplateParser(self, source, name, filename)
        parser.python_words = self.python_words
        return parser.parse()


class TemplateDialect:
    """A configuration of the dialect: filters, delimiters and whitespace rules.

    It may be used from several threads; it caches parsed templates.
    """

    def __init__(
        self,
        filters: Mapping[str, Operation] | None = None,
        *,
        cookiecutter: bool = False,
        trim_blocks: bool = False,
        lstrip_blocks: bool = False,
        extra: Names | None = None,
    ) -> None:
        own = dict(filters or {})
        if cookiecutter:
            own["jsonify"] = filters_number.dump
        self._library = Library({**BUILT_IN, **own}, cookiecutter, dict(extra or {}))
        variable = "{{" if cookiecutter else "${{"
        self._delimiters = Delimiters(variable, trim_blocks, lstrip_blocks)
        self._environment = DialectEnvironment(
            self._delimiters, python_words=cookiecutter
        )
        self._marks = (variable, "{%", "{#")
        self._parsed = lru_cache(maxsize=_CACHED)(self._parse)

    def is_template(self, source: str) -> bool:
        """Whether the text has anything to render."""
        return any(mark in source for mark in self._marks)

    def check(self, source: str, functions: Container[str] = ()) -> None:
        """Parse a template without rendering it; `functions` are known besides its own.

        Raises:
            UnknownWordError: if it uses a filter, test, function or method that does
                not exist.
            TemplateRenderError: if it cannot be parsed, naming line and column.
        """
        if not self.is_template(source):
            return
        filters = self._library.filters
        for node, reason in unknown_words(self._parse(source), filters, functions):
            column = getattr(node.lineno, "column", 1)
            raise UnknownWordError(reason, line=int(node.lineno), column=column)

    def lookups(self, source: str) -> list[tuple[str, str]]:
        """The names that a template reads of its context, with their first keys.

        Raises:
            TemplateRenderError: if it cannot be parsed.
        """
        return lookups(self._parse(source))

    def text(
        self,
        source: str,
        context: Names,
        *,
        budget: RenderingBudget | None = None,
        trace: list[str] | None = None,
    ) -> str:
        """The whole template as text; `trace` as for `value`.

        Raises:
            TemplateRenderError: if it cannot be rendered, naming line and column.
        """
        if not self.is_template(source):
            return source
        body = self._body(source)
        return self._rendered(source, body, context, RenderedText(), budget, trace)

    def value(
        self,
        source: str,
        context: Names,
        *,
        budget: RenderingBudget | None = None,
        trace: list[str] | None = None,
    ) -> Any:
        """The value of a template; `UNDEFINED` where there is none.

        A sole interpolation keeps its JSON type. The text of a sole block is read as
        JSON if it is JSON (`{% if x %}5{% endif %}` is 5). All else is text. `trace`
        collects the texts of all interpolations, in order.

        Raises:
            TemplateRenderError: if it cannot be rendered.
        """
        if not self.is_template(source):
            return source
        body = self._body(source)
        parts = [
            part
            for node in body
            for part in (node.nodes if isinstance(node, nodes.Output) else [node])
        ]
        if len(parts) != 1 or isinstance(parts[0], nodes.TemplateData):
            page = RenderedText()
            written = self._rendered(source, body, context, page, budget, trace)
            return written or UNDEFINED
        page = RenderedText(encoding=True)
        if isinstance(parts[0], nodes.Expr):
            return self._alone(source, parts[0], context, budget, trace)
        rendered = self._rendered(source, body, context, page, budget, trace)
        encoded = "".join(page.encoded or ())
        if not encoded:
            return UNDEFINED
        try:
            return json_text.read(encoded)
        except (ValueError, RecursionError):
            return rendered

    def _body(self, source: str) -> list[nodes.Node]:
        parse = self._parsed if len(source) <= _LONGEST_CACHED else self._parse
        return parse(source)

    def _alone(
        self,
        source: str,
        expression: nodes.Expr,
        context: Names,
        budget: RenderingBudget | None,
        trace: list[str] | None,
    ) -> Any:
        rendering = self._rendering(source, context, budget)
        try:
            with rendering.budget.in_force():
                value = json_text.plain(rendering.evaluate(expression))
                rendering.budget.check_time()
        except ValueFailure as failure:
            raise TemplateRenderError(str(failure)) from failure
        except RecursionError as error:
            raise TemplateLimitError("the template nests too deeply") from error
        if trace is not None:
            trace.extend(_texts(value))
        return value

    def _rendered(
        self,
        source: str,
        body: list[nodes.Node],
        context: Names,
        page: RenderedText,
        budget: RenderingBudget | None,
        trace: list[str] | None = None,
    ) -> str:
        rendering = self._rendering(source, context, budget)
        rendering.trace = trace
        try:
            with rendering.budget.in_force():
                written = rendering.render(body, page)
                rendering.budget.check_time()
                return written
        except RecursionError as error:
            raise TemplateLimitError("the template nests too deeply") from error

    def _rendering(
        self, source: str, context: Names, budget: RenderingBudget | None
    ) -> Rendering:
        # Methods such as `push` change a list: a copy, made for such templates only.
        copies_context = MUTATES.search(source) is not None
        return Rendering(
            context,
            self._library,
            budget or RenderingBudget(),
            copies_context=copies_context,
        )

    def _parse(self, source: str) -> list[nodes.Node]:
        try:
            return self._environment._parse(source, None, None).body  # noqa: SLF001
        except TemplateSyntaxError as error:
            line = error.lineno
            raise TemplateRenderError(
                error.message or "invalid syntax",
                line=int(line),
                column=getattr(line, "column", 1),
            ) from error
        except RecursionError as error:
            raise TemplateLimitError("the template nests too deeply") from error


def _texts(value: Any) -> Iterator[str]:
    """Every text and number within a value."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) or is_number(value):
        yield text(value)
