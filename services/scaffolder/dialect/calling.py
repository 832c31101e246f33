"""How filters, tests, methods and functions receive what they are called with."""

from collections.abc import Callable as Function
from dataclasses import dataclass, field
from typing import Any

from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.limits import Budget
from services.scaffolder.dialect.values import UNDEFINED, empty


@dataclass(slots=True)
class Call:
    """One call: the value piped in (or the method's subject) and the arguments.

    Keyword arguments come last in `args`, as one `Keywords`, as Nunjucks passes them.
    """

    value: Any
    args: list[Any] = field(default_factory=list)
    budget: Budget = field(default_factory=Budget)

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

    def made(self, text: str) -> str:
        """`text`, paid for."""
        self.budget.write(len(text))
        return text

    def listed(self, items: list[Any]) -> list[Any]:
        """`items`, paid for."""
        self.budget.spend(len(items))
        return items


Operation = Function[[Call], Any]
