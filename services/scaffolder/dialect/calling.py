"""Calls of filters, tests, methods and functions: their value and arguments, paid."""

from collections.abc import Callable as Function
from dataclasses import dataclass, field
from typing import Any

from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.limits import RenderingBudget, check_operand
from services.scaffolder.dialect.values import UNDEFINED, is_nullish


@dataclass(slots=True)
class Call:
    """One call: the value piped in (or the method's subject) and the arguments.

    Keyword arguments come last in `args`, as one `Keywords`, as Nunjucks passes them.
    """

    value: Any
    args: list[Any] = field(default_factory=list)
    budget: RenderingBudget = field(default_factory=RenderingBudget)

    def arg(self, index: int, default: Any = UNDEFINED) -> Any:
        """The argument at `index`; the default also where it is undefined."""
        value = self.args[index] if index < len(self.args) else UNDEFINED
        return default if value is UNDEFINED else value

    def text(self) -> str:
        """The value as text: empty for null, undefined and false.

        Raises:
            ValueFailure: if it is neither text nor one of these.
        """
        if is_nullish(self.value) or self.value is False:
            return ""
        if not isinstance(self.value, str):
            raise ValueFailure("Filter input must be a string")
        return self.value

    def afford(self, size: int) -> None:
        """Check that the budget allows a text of this size, before it is made.

        Raises:
            TemplateLimitError: if it cannot.
        """
        self.budget.afford(size)

    def afford_items(self, count: int) -> None:
        """Pay for the items of a list, before it is made.

        Raises:
            TemplateLimitError: if they are too many.
        """
        self.budget.spend(count)


Operation = Function[[Call], Any]
#: Operations that read one item at most, however long the list or text is.
_QUICK = frozenset(
    (
        *("at", "d", "default", "first", "get", "last", "length"),
        *("pick", "pop", "push", "safe", "string"),
    )
)


def perform(name: str, operation: Operation, call: Call) -> Any:
    """The result of an operation; the budget pays for what it reads and makes.

    Value and arguments are paid by their length first, and a text that is too long for
    one call is refused. An operation whose result may be longer than its value checks
    the length itself before it makes the result (`afford`).

    Raises:
        TemplateLimitError: if it costs more than the budget allows.
    """
    budget = call.budget
    for value in (call.value, *call.args):
        if isinstance(value, str):
            budget.read(len(value))
        if name in _QUICK:
            continue
        if isinstance(value, str):
            check_operand(value, name)
        elif isinstance(value, (list, dict)):
            budget.spend(len(value))
    result = operation(call)
    if isinstance(result, str):
        budget.write(len(result))
    elif isinstance(result, (list, dict)) and result is not call.value:
        budget.spend(len(result))
    return result
