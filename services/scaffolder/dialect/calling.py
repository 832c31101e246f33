"""How filters, tests, methods and functions receive what they are called with."""

from collections.abc import Callable as Function
from dataclasses import dataclass, field
from typing import Any

from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.limits import RenderingBudget, check_operand
from services.scaffolder.dialect.values import UNDEFINED, empty


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
        if empty(self.value) or self.value is False:
            return ""
        if not isinstance(self.value, str):
            raise ValueFailure("Filter input must be a string")
        return self.value

    def afford(self, size: int) -> None:
        """Check that a text of this size can be paid for, before it is made.

        Raises:
            TemplateLimitError: if it cannot.
        """
        self.budget.afford(size)

    def afford_items(self, count: int) -> None:
        """Pay for so many items of a list that is about to be made.

        Raises:
            TemplateLimitError: if they are too many.
        """
        self.budget.spend(count)


Operation = Function[[Call], Any]
#: Operations that look at one item of a list or text, however long it is.
_QUICK = frozenset(
    (
        *("at", "d", "default", "first", "get", "last", "length"),
        *("pick", "pop", "push", "safe", "string"),
    )
)


def performed(name: str, operation: Operation, call: Call) -> Any:
    """The result of an operation, paid for: what it reads, and what it makes.

    Before it starts, the value and the arguments are paid for by their length, and a
    text that is too long for one call is refused. A result that is longer than what it
    is made of is checked by the operation itself, before it is made (`afford`).

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
    made = operation(call)
    if isinstance(made, str):
        budget.write(len(made))
    elif isinstance(made, (list, dict)) and made is not call.value:
        budget.spend(len(made))
    return made
