"""The hook for plugin packages, used by the built-in actions too.

A package adds actions with an entry point of the group `callboard.scaffolder` that
names a module (or object) with a function `scaffolder_actions` marked `@hookimpl`.
"""

from collections.abc import Iterable

import pluggy

from services.scaffolder.actions.action import Action

PROJECT = "callboard.scaffolder"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def scaffolder_actions() -> Iterable[Action]:  # type: ignore[empty-body]
    """The actions that a package adds."""
