"""A budget ends the work of its input."""

import pytest

from shared.guards.budgets import Budget, BudgetExceeded


def test_a_budget_whose_time_is_up_stays_used_up() -> None:
    """Code that goes on with the next part is stopped at its first step."""
    budget = Budget("text", seconds=0)
    with pytest.raises(BudgetExceeded):
        budget.check_time()
    for _ in range(3):
        with pytest.raises(BudgetExceeded):
            budget.pay_nodes()
