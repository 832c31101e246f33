"""Evaluates expressions: a walk over Jinja2's nodes; no Python code is made.

Names, items and methods come from the given JSON values and closed tables only, so a
template cannot reach an attribute of a Python object, whatever it writes.
"""

from collections.abc import Callable as Function
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes

from services.scaffolder.dialect import arithmetic
from services.scaffolder.dialect.calling import Call, Operation, perform
from services.scaffolder.dialect.checks import passes
from services.scaffolder.dialect.failure import TemplateRenderError, ValueFailure
from services.scaffolder.dialect.limits import RenderingBudget, check_operand
from services.scaffolder.dialect.methods import find_method, get_item
from services.scaffolder.dialect.methods_list import MUTATORS
from services.scaffolder.dialect.scope import Names, NameScope
from services.scaffolder.dialect.values import (
    UNDEFINED,
    Callable,
    Cycler,
    Keywords,
    Record,
    add,
    is_nullish,
    length,
    less,
    less_or_equal,
    loose_equal,
    strict_equal,
    text,
    truthy,
    type_name,
)
from shared.guards import text_search

_RESERVED = frozenset(("constructor", "prototype", "__proto__"))


@dataclass(frozen=True, slots=True)
class Library:
    """The filters and functions that a template may use."""

    filters: Mapping[str, Operation]
    python_words: bool = False
    extra: Names = field(default_factory=dict)


class Evaluation:
    """Evaluates the expressions of one rendering.

    With `copies_context` the template changes copies of the context's values.
    """

    def __init__(
        self,
        context: Names,
        library: Library,
        budget: RenderingBudget,
        *,
        copies_context: bool = True,
    ) -> None:
        self.context = context
        self.library = library
        self.budget = budget
        self.copies_context = copies_context
        self.scope = NameScope(is_top=True)
        #: The names that the template sets outside of loops and macros.
        self.top_names: Record = {}
        self._context_copies: Record = {}
        self.globals: Record = {
            "range": Callable("range", self._range),
            "cycler": Callable("cycler", lambda call: Cycler(list(call.args))),
            "joiner": Callable("joiner", _joiner),
            **library.extra,
        }

    def evaluate(self, node: nodes.Node) -> Any:
        """The value of one expression.

        Raises:
            TemplateRenderError: if it fails, naming line and column.
        """
        self.budget.spend()
        try:
            return _EXPRESSIONS[type(node)](self, node)
        except ValueFailure as failure:
            raise TemplateRenderError(
                str(failure),
                line=int(node.lineno),
                column=getattr(node.lineno, "column", 1),
            ) from failure

    def name(self, name: str) -> Any:
        """The value of a name: in scopes, top names, the context, then globals."""
        if name in _RESERVED:
            raise ValueFailure(f'Template name "{name}" is reserved')
        value = self.scope.get(name)
        if value is not UNDEFINED:
            return value
        if name in self.top_names:
            return self.top_names[name]
        if name in self.context:
            return self._copy_of(name) if self.copies_context else self.context[name]
        return self.globals.get(name, UNDEFINED)

    def _copy_of(self, name: str) -> Any:
        """A copy of a value of the context, which the template may change."""
        if name not in self._context_copies:
            self._context_copies[name] = _copied(self.context[name], self.budget)
        return self._context_copies[name]

    def lookup(self, subject: Any, key: Any) -> Any:
        """A member of a value: an item, a length, or a method bound to it."""
        if isinstance(key, str):
            self.budget.read(len(key))
            if key in _RESERVED:
                raise ValueFailure(f'Template name "{key}" is reserved')
            if key == "length" and isinstance(subject, (str, list)):
                return length(subject) if isinstance(subject, str) else len(subject)
            if isinstance(subject, Cycler):
                return _cycler_member(subject, key)
        member = UNDEFINED if is_nullish(subject) else get_item(subject, key)
        if member is not UNDEFINED or not isinstance(key, str):
            return member
        python_words = self.library.python_words
        operation = find_method(subject, key, python_words=python_words)
        if operation is None:
            return UNDEFINED
        if isinstance(subject, list) and key in MUTATORS and not self.copies_context:
            raise ValueFailure(
                f'"{key}" changes a list: call it by name, as in list.{key}(…)'
            )
        return Callable(key, _bound(key, operation, subject))

    def call(self, function: Any, call: Call, name: str) -> Any:
        """The result of calling a value.

        Raises:
            ValueFailure: if it cannot be called.
        """
        if not isinstance(function, Callable):
            raise ValueFailure(
                f'Template value "{name}" resolved to {type_name(function)} '
                "and cannot be called"
            )
        if not function.is_macro and any(
            isinstance(argument, Callable) for argument in call.args
        ):
            raise ValueFailure("Callable values cannot be arguments")
        self.budget.enter()
        try:
            return function.call(call)
        finally:
            self.budget.leave()

    def arguments(self, node: nodes.Call | nodes.Filter) -> list[Any]:
        args = [self.evaluate(arg) for arg in node.args]
        if node.kwargs:
            pairs = {str(pair.key): self.evaluate(pair.value) for pair in node.kwargs}
            args.append(Keywords(pairs))
        return args

    def filtered(self, node: nodes.Filter, value: Any) -> Any:
        """A filter's result for a value."""
        operation = self.library.filters.get(node.name)
        if operation is None:
            raise ValueFailure(f'Unknown template filter "{node.name}"')
        call = Call(value, self.arguments(node), self.budget)
        try:
            return perform(node.name, operation, call)
        except ValueFailure as failure:
            raise ValueFailure(
                f'Filter "{node.name}" failed for {type_name(value)} input: {failure}'
            ) from failure

    def _range(self, call: Call) -> list[Any]:
        first, last = (arithmetic.integer(call.arg(n, 0)) for n in (0, 1))
        if len(call.args) < 2:
            first, last = 0, first
        step = arithmetic.integer(call.arg(2, 1)) or 1
        numbers = range(first, last, step)
        self.budget.spend(len(numbers))
        return list(numbers)


def _bound(name: str, operation: Operation, subject: Any) -> Operation:
    def called(call: Call) -> Any:
        return perform(name, operation, Call(subject, call.args, call.budget))

    return called


def _copied(value: Any, budget: RenderingBudget) -> Any:
    """A copy of a JSON value; its members are paid for."""
    if isinstance(value, list):
        budget.spend(len(value) + 1)
        return [_copied(item, budget) for item in value]
    if isinstance(value, dict):
        budget.spend(len(value) + 1)
        return {key: _copied(item, budget) for key, item in value.items()}
    return value


def _cycler_member(cycler: Cycler, key: str) -> Any:
    if key == "current":
        return cycler.current
    members: dict[str, Function[[], Any]] = {"next": cycler.next, "reset": cycler.reset}
    member = members.get(key)
    return UNDEFINED if member is None else Callable(key, lambda _: member())


def _joiner(call: Call) -> Callable:
    glue = call.arg(0, ",")
    used = iter([""])
    return Callable("joiner", lambda _: next(used, glue))


def _name_of(node: nodes.Node) -> str:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{_name_of(node.node)}.{node.attr}"
    return "expression"


def _call(self: Evaluation, node: nodes.Call) -> Any:
    function = self.evaluate(node.node)
    call = Call(None, self.arguments(node), self.budget)
    return self.call(function, call, _name_of(node.node))


def _condition(self: Evaluation, node: nodes.CondExpr) -> Any:
    if truthy(self.evaluate(node.test)):
        return self.evaluate(node.expr1)
    return "" if node.expr2 is None else self.evaluate(node.expr2)


def _and(self: Evaluation, node: nodes.And) -> Any:
    left = self.evaluate(node.left)
    return self.evaluate(node.right) if truthy(left) else left


def _or(self: Evaluation, node: nodes.Or) -> Any:
    left = self.evaluate(node.left)
    return left if truthy(left) else self.evaluate(node.right)


def _add(self: Evaluation, node: nodes.Add) -> Any:
    return add(self.evaluate(node.left), self.evaluate(node.right))


def _concat(self: Evaluation, node: nodes.Concat) -> str:
    parts = [text(self.evaluate(part)) for part in node.nodes]
    self.budget.write(sum(map(len, parts)))
    return "".join(parts)


def _compare(self: Evaluation, node: nodes.Compare) -> bool:
    operand = node.ops[0]
    left, right = self.evaluate(node.expr), self.evaluate(operand.expr)
    for side in (left, right):
        if isinstance(side, str):
            self.budget.read(len(side))
        elif isinstance(side, (list, dict)):
            self.budget.spend(len(side))
    return _COMPARISONS[operand.op](left, right)


def _contains(needle: Any, container: Any) -> bool:
    if isinstance(container, str):
        searched = text(needle)
        for one in (searched, container):
            check_operand(one, "in")
        return text_search.find_first(container, searched) >= 0
    if isinstance(container, list):
        return any(strict_equal(item_, needle) for item_ in container)
    if isinstance(container, dict):
        return text(needle) in container
    raise ValueFailure("Membership requires an array, record, or string")


def _dict(self: Evaluation, node: nodes.Dict) -> Record:
    record: Record = {}
    for pair in node.items:
        key = text(self.evaluate(pair.key))
        if key in _RESERVED:
            raise ValueFailure(f'Template name "{key}" is reserved')
        record[key] = self.evaluate(pair.value)
    return record


def _getitem(self: Evaluation, node: nodes.Getitem) -> Any:
    subject = self.evaluate(node.node)
    if isinstance(node.arg, nodes.Slice):
        return _sliced(self, subject, node.arg)
    return self.lookup(subject, self.evaluate(node.arg))


def _sliced(self: Evaluation, subject: Any, node: nodes.Slice) -> list[Any]:
    bounds = [
        UNDEFINED if part is None else self.evaluate(part)
        for part in (node.start, node.stop, node.step)
    ]
    step = 1 if is_nullish(bounds[2]) else arithmetic.integer(bounds[2])
    if step == 0:
        raise ValueFailure("Slice step must have finite non-zero numeric coercion")
    ends = [None if is_nullish(end) else arithmetic.integer(end) for end in bounds[:2]]
    if not isinstance(subject, (str, list)):
        return []
    self.budget.spend(len(subject))
    items = list(subject)
    return items[slice(ends[0], ends[1], step)]


def _binary(operation: Function[[Any, Any], Any]) -> Function[[Evaluation, Any], Any]:
    return lambda self, node: operation(
        self.evaluate(node.left), self.evaluate(node.right)
    )


def _test(self: Evaluation, node: nodes.Test) -> bool:
    args = [self.evaluate(arg) for arg in node.args or ()]
    call = Call(self.evaluate(node.node), args, self.budget)
    return bool(perform(node.name, lambda tested: passes(node.name, tested), call))


_COMPARISONS: dict[str, Function[[Any, Any], bool]] = {
    "==": loose_equal,
    "!=": lambda left, right: not loose_equal(left, right),
    "===": strict_equal,
    "!==": lambda left, right: not strict_equal(left, right),
    "<": less,
    "<=": less_or_equal,
    ">": lambda left, right: less(right, left),
    ">=": lambda left, right: less_or_equal(right, left),
    "in": _contains,
}
_EXPRESSIONS: dict[type[nodes.Node], Function[[Evaluation, Any], Any]] = {
    nodes.Add: _add,
    nodes.And: _and,
    nodes.Call: _call,
    nodes.Compare: _compare,
    nodes.Concat: _concat,
    nodes.CondExpr: _condition,
    nodes.Const: lambda _, node: node.value,
    nodes.Dict: _dict,
    nodes.Div: _binary(arithmetic.divide),
    nodes.Filter: lambda self, node: self.filtered(node, self.evaluate(node.node)),
    nodes.FloorDiv: _binary(arithmetic.floor_divide),
    nodes.Getattr: lambda self, node: self.lookup(self.evaluate(node.node), node.attr),
    nodes.Getitem: _getitem,
    nodes.List: lambda self, node: [self.evaluate(part) for part in node.items],
    nodes.Mod: _binary(arithmetic.modulo),
    nodes.Mul: _binary(arithmetic.multiply),
    nodes.Name: lambda self, node: self.name(node.name),
    nodes.Neg: lambda self, node: arithmetic.negate(self.evaluate(node.node)),
    nodes.Not: lambda self, node: not truthy(self.evaluate(node.node)),
    nodes.Or: _or,
    nodes.Pos: lambda self, node: arithmetic.positive(self.evaluate(node.node)),
    nodes.Pow: _binary(arithmetic.power),
    nodes.Sub: _binary(arithmetic.subtract),
    nodes.Test: _test,
}
