"""Actions that a package brings."""

import pytest

from services.scaffolder.actions import registry
from services.scaffolder.actions.action import Action, ActionContext
from services.scaffolder.actions.hookspecs import hookimpl
from shared.contracts.errors import (
    Conflict,
)


async def test_a_plugin_adds_an_action() -> None:
    """A package's actions stand beside the built-in ones; ids are unique."""

    async def run(context: ActionContext) -> None:
        context.output("x", 1)

    class Plugin:
        def __init__(self, action_id: str) -> None:
            self.action_id = action_id

        @hookimpl
        def scaffolder_actions(self) -> list[Action]:
            return [Action(self.action_id, "Mine", run, {"type": "object"})]

    assert registry.load([Plugin("acme:do")]).get("acme:do").description == "Mine"
    with pytest.raises(Conflict, match="debug:log"):
        registry.load([Plugin("debug:log")])
