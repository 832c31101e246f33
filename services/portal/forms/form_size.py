"""How large a form becomes: a schema that refers to itself has no end.

Everything is counted before it is made, so that no more than a limit allows is made.
"""

from dataclasses import dataclass
from typing import Any

from shared.guards.budgets import Budget, BudgetExceeded
from shared.guards.trees import too_many_elements

MOST_QUESTIONS = 500
#: Objects, and parts of objects: `allOf`, branches, conditions that are met.
MOST_PARTS = 2_000
#: Values of what references lead to, each counted as often as it is referred to.
MOST_ELEMENTS = 20_000


@dataclass(slots=True)
class FormSize:
    """What the schema of one page has become while its conditions are decided.

    Each method raises BudgetExceeded at its limit, or if `budget` is used up.
    """

    budget: Budget
    questions: int = 0
    parts: int = 0
    elements: int = 0

    def add_question(self) -> None:
        """Count one question, or one choice among alternatives."""
        self.questions += 1
        if self.questions > MOST_QUESTIONS:
            raise BudgetExceeded(f"the form: more than {MOST_QUESTIONS} questions")
        self.budget.pay_nodes()

    def add_part(self, length: int) -> None:
        """Count one object or one part of an object, which names `length` things."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise BudgetExceeded(f"the form: more than {MOST_PARTS} objects and parts")
        self.budget.pay_nodes(1 + length)

    def add_target(self, target: Any) -> None:
        """Count what a reference leads to as if it stood in the reference's place."""
        pending = [target]
        while pending:
            value = pending.pop()
            self.elements += 1
            if isinstance(value, dict):
                pending.extend(value.values())
            elif isinstance(value, list):
                pending.extend(value)
            if self.elements + len(pending) > MOST_ELEMENTS:
                raise BudgetExceeded(
                    too_many_elements("the form", MOST_ELEMENTS).message
                )
