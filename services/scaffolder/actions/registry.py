"""The actions that templates may use: the built-in ones and those of plugins."""

from collections.abc import Iterable, Sequence

import pluggy

from services.scaffolder import actions
from services.scaffolder.actions import hookspecs
from services.scaffolder.actions.action import Action
from shared.contracts.errors import Conflict, NotFound


class Registry:
    """Actions by id.

    Raises:
        Conflict: if two have the same id.
    """

    def __init__(self, registered: Iterable[Action]) -> None:
        self._by_id: dict[str, Action] = {}
        for action in registered:
            if action.id in self._by_id:
                raise Conflict(f"Two packages have an action with ID '{action.id}'")
            self._by_id[action.id] = action

    def get(self, action_id: str) -> Action:
        """The action.

        Raises:
            NotFound: if there is none of this id.
        """
        action = self._by_id.get(action_id)
        if action is None:
            raise NotFound(
                f"Template action with ID '{action_id}' is not registered; "
                f"known are {', '.join(sorted(self._by_id))}"
            )
        return action

    def all(self) -> Sequence[Action]:
        """Every action, by id."""
        return [self._by_id[key] for key in sorted(self._by_id)]


def load(extra: Iterable[object] = ()) -> Registry:
    """The built-in actions, those of installed plugins, and those of `extra`."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(actions.BuiltIn())
    manager.load_setuptools_entrypoints(hookspecs.PROJECT)
    for plugin in extra:
        manager.register(plugin)
    groups = manager.hook.scaffolder_actions()
    return Registry(action for group in groups for action in group)
