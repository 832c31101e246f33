"""A budget limits the work that one piece of foreign input may cause.

The code that walks the input pays before each step, so work stops at the limit.
"""

import time
from dataclasses import dataclass, field

from shared.contracts.errors import Invalid

#: The clock is read once in so many payments.
_CLOCK_EVERY = 256


class BudgetExceeded(Invalid):
    """The input needs more work than its budget allows."""


@dataclass(slots=True)
class Budget:
    """The remaining amount of each resource; None is unlimited.

    `label` names the input in errors. `seconds` is processor time of the calling
    thread, so a busy machine does not make the work fail.
    """

    label: str
    seconds: float | None = None
    nodes: int | None = None
    bytes: int | None = None
    depth: int | None = None
    _end: float | None = field(default=None, init=False)
    _payments: int = field(default=0, init=False)
    _is_late: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if self.seconds is not None:
            self._end = time.thread_time() + self.seconds

    def pay_nodes(self, count: int = 1) -> None:
        """Take `count` steps from the budget.

        Raises:
            BudgetExceeded: if fewer are left, or the time is used up.
        """
        if self.nodes is not None:
            self.nodes -= count
            if self.nodes < 0:
                raise BudgetExceeded(f"{self.label}: too many elements")
        self._payments += 1
        # Once its time is up, code that goes on in parts is stopped at each step.
        if self._is_late or self._payments % _CLOCK_EVERY == 0:
            self.check_time()

    def pay_bytes(self, count: int) -> None:
        """Take `count` bytes of input or output from the budget.

        Raises:
            BudgetExceeded: if fewer are left.
        """
        if self.bytes is not None:
            self.bytes -= count
            if self.bytes < 0:
                raise BudgetExceeded(f"{self.label}: too large")

    def check_depth(self, depth: int) -> None:
        """Raise BudgetExceeded if `depth` is over the limit."""
        if self.depth is not None and depth > self.depth:
            raise BudgetExceeded(f"{self.label}: nested deeper than {self.depth}")

    def check_time(self) -> None:
        """Raise BudgetExceeded if the time is used up."""
        if self._end is not None and time.thread_time() > self._end:
            self._is_late = True
            raise BudgetExceeded(f"{self.label}: takes longer than {self.seconds:g} s")
