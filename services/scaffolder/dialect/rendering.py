"""Renders templates: a walk over their statements."""

from collections.abc import Callable as Function
from collections.abc import Sequence
from typing import Any

from jinja2 import nodes

from services.scaffolder.dialect import json_text
from services.scaffolder.dialect.calling import Call
from services.scaffolder.dialect.evaluation import Evaluation
from services.scaffolder.dialect.failure import TemplateRenderError, ValueFailure
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.dialect.scope import NameScope
from services.scaffolder.dialect.values import (
    UNDEFINED,
    Callable,
    Keywords,
    Record,
    SafeText,
    interpolated_text,
    truthy,
)


class RenderedText:
    """The text written so far; `encoded` is the same with interpolations as JSON."""

    __slots__ = ("encoded", "parts", "size")

    def __init__(self, *, encoding: bool = False) -> None:
        self.parts: list[str] = []
        self.size = 0
        self.encoded: list[str] | None = [] if encoding else None

    def write(self, text: str) -> None:
        self.parts.append(text)
        self.size += len(text)
        if self.encoded is not None:
            self.encoded.append(text)

    def interpolate(self, value: Any, budget: RenderingBudget) -> str:
        """Add a value's text, which is paid for; the text."""
        written = interpolated_text(value)
        budget.write(len(written))
        self.parts.append(written)
        self.size += len(written)
        if self.encoded is not None and value is not UNDEFINED:
            self.encoded.append(json_text.written(value, budget=budget))
        return written

    def text(self) -> str:
        return "".join(self.parts)


class Rendering(Evaluation):
    """Writes one template's text. Made for one use."""

    page: RenderedText
    #: The text of every interpolation in order, if the caller compares renderings.
    trace: list[str] | None = None

    def interpolate(self, value: Any) -> None:
        """Write a value to the page."""
        written = self.page.interpolate(value, self.budget)
        if self.trace is not None:
            self.trace.append(written)

    def render(self, body: Sequence[nodes.Node], page: RenderedText) -> str:
        """The text of `body`, also left on `page`."""
        self.page = page
        self.write(body)
        return page.text()

    def write(self, body: Sequence[nodes.Node]) -> None:
        for node in body:
            self.budget.spend()
            statement = _STATEMENTS.get(type(node))
            if statement is None:
                raise TemplateRenderError(f"Unexpected {type(node).__name__}")
            try:
                statement(self, node)
            except ValueFailure as failure:
                raise TemplateRenderError(
                    str(failure),
                    line=int(node.lineno),
                    column=getattr(node.lineno, "column", 1),
                ) from failure

    def captured(self, body: Sequence[nodes.Node]) -> str:
        """The text of `body`, not written to the page."""
        outer, self.page = self.page, RenderedText()
        self.budget.enter()
        try:
            self.write(body)
            self.budget.write(self.page.size)
            return self.page.text()
        finally:
            self.budget.leave()
            self.page = outer

    def within(self, scope: NameScope, body: Sequence[nodes.Node]) -> str:
        """The text of `body` with the names of another scope."""
        outer, self.scope = self.scope, scope
        try:
            return self.captured(body)
        finally:
            self.scope = outer

    def assign(self, name: str, value: Any) -> None:
        self.scope.set(name, value)
        if self.scope.is_top:
            self.top_names[name] = value


def _output(self: Rendering, node: nodes.Output) -> None:
    for part in node.nodes:
        if isinstance(part, nodes.TemplateData):
            self.budget.write(len(part.data))
            self.page.write(part.data)
            continue
        self.interpolate(self.evaluate(part))


def _if(self: Rendering, node: nodes.If) -> None:
    self.budget.enter()
    chosen = node.body if truthy(self.evaluate(node.test)) else node.else_
    self.write(chosen)
    self.budget.leave()


def _for(self: Rendering, node: nodes.For) -> None:
    names = [part.name for part in node.target.items]  # type: ignore[attr-defined]
    iterated = self.evaluate(node.iter)
    if isinstance(iterated, (list, str, dict)):
        self.budget.spend(len(iterated))
    items = _items(iterated, len(names))
    self.budget.enter()
    outer, self.scope = self.scope, NameScope(self.scope)
    try:
        for index, item in enumerate(items):
            self.budget.spend(len(names))
            self.scope.names["loop"] = _loop(index, len(items))
            self.scope.names.update(zip(names, _row(item, len(names)), strict=True))
            self.write(node.body)
    finally:
        self.scope = outer
        self.budget.leave()
    if not items:
        self.write(node.else_)


def _items(iterated: Any, width: int) -> Sequence[Any]:
    """The items of a loop with `width` names; its body cannot change them."""
    if isinstance(iterated, list):
        return tuple(iterated)
    if width == 1:
        return iterated if isinstance(iterated, str) else ()
    return tuple(iterated.items()) if isinstance(iterated, dict) else ()


def _row(item: Any, width: int) -> list[Any]:
    """The values of a loop's names for one item."""
    if width == 1:
        return [item]
    row = list(item[:width]) if isinstance(item, (list, tuple, str)) else []
    return row + [UNDEFINED] * (width - len(row))


def _loop(index: int, count: int) -> Record:
    return {
        "index": index + 1,
        "index0": index,
        "revindex": count - index,
        "revindex0": count - index - 1,
        "first": index == 0,
        "last": index == count - 1,
        "length": count,
    }


def _set(self: Rendering, node: nodes.Assign) -> None:
    value = self.evaluate(node.node)
    self.budget.spend(len(node.target.items))  # type: ignore[attr-defined]
    for target in node.target.items:  # type: ignore[attr-defined]
        self.assign(target.name, value)


def _set_block(self: Rendering, node: nodes.AssignBlock) -> None:
    captured = self.within(NameScope(self.scope), node.body)
    for target in node.target.items:  # type: ignore[attr-defined]
        self.assign(target.name, captured)


def _macro(self: Rendering, node: nodes.Macro) -> None:
    function = _macro_function(self, node.args, node.defaults, node.body, None)
    self.assign(node.name, Callable(node.name, function, is_macro=True))


def _macro_function(
    self: Rendering,
    args: list[nodes.Name],
    defaults: list[nodes.Expr],
    body: list[nodes.Node],
    home: NameScope | None,
) -> Function[[Call], SafeText]:
    """The function of a macro: it binds the arguments and renders the body."""
    plain = [arg.name for arg in args[: len(args) - len(defaults)]]
    named = [arg.name for arg in args[len(plain) :]]

    def run(call: Call) -> SafeText:
        positional = list(call.args)
        has_keywords = bool(positional) and isinstance(positional[-1], Keywords)
        keywords = positional.pop() if has_keywords else {}
        scope = NameScope(home, isolated=home is not None)
        scope.names.update(zip(plain, positional, strict=False))
        for name in plain[len(positional) :]:
            scope.names[name] = keywords.get(name, UNDEFINED)
        extra = dict(zip(named, positional[len(plain) :], strict=False))
        if "caller" in keywords:
            scope.names["caller"] = keywords["caller"]
        outer, self.scope = self.scope, scope
        try:
            bound = {**keywords, **extra}
            for name, default in zip(named, defaults, strict=True):
                scope.names[name] = (
                    bound[name] if name in bound else self.evaluate(default)
                )
        finally:
            self.scope = outer
        return SafeText(self.within(scope, body))

    return run


def _call_block(self: Rendering, node: nodes.CallBlock) -> None:
    macro = self.evaluate(node.call.node)
    if not isinstance(macro, Callable) or not macro.is_macro:
        raise ValueFailure("Call blocks can target only template macros")
    args = self.arguments(node.call)
    keywords = args.pop() if args and isinstance(args[-1], Keywords) else Keywords()
    function = _macro_function(self, node.args, node.defaults, node.body, self.scope)
    keywords["caller"] = Callable("caller", function, is_macro=True)
    result = self.call(macro, Call(None, [*args, keywords], self.budget), macro.name)
    self.interpolate(result)


def _filter_block(self: Rendering, node: nodes.FilterBlock) -> None:
    value = self.filtered(node.filter, self.captured(node.body))
    self.interpolate(value)


def _switch(self: Rendering, node: nodes.With) -> None:
    self.scope.names[node.targets[0].name] = self.evaluate(  # type: ignore[attr-defined]
        node.values[0]
    )
    self.write(node.body)


_STATEMENTS: dict[type[nodes.Node], Function[[Rendering, Any], None]] = {
    nodes.Assign: _set,
    nodes.AssignBlock: _set_block,
    nodes.Block: lambda self, node: self.write(node.body),
    nodes.CallBlock: _call_block,
    nodes.FilterBlock: _filter_block,
    nodes.For: _for,
    nodes.If: _if,
    nodes.Macro: _macro,
    nodes.Output: _output,
    nodes.With: _switch,
}
