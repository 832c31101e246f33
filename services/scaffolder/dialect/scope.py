"""The scopes of a template's names: Nunjucks' frames."""

from collections.abc import Mapping
from typing import Any

from services.scaffolder.dialect.values import UNDEFINED, Record

#: The values that expressions know, by name.
Names = Mapping[str, Any]


class NameScope:
    """One frame of names.

    `set` writes to the frame that already has the name, as far up as the nearest
    isolated one; a new name belongs to the frame where it is set.
    """

    __slots__ = ("is_top", "isolated", "names", "parent")

    def __init__(
        self,
        parent: "NameScope | None" = None,
        *,
        isolated: bool = False,
        is_top: bool = False,
    ) -> None:
        self.names: Record = {}
        self.parent = parent
        self.isolated = isolated
        self.is_top = is_top

    def get(self, name: str) -> Any:
        scope: NameScope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return UNDEFINED

    def set(self, name: str, value: Any) -> None:
        scope: NameScope | None = self
        while scope is not None:
            if name in scope.names:
                scope.names[name] = value
                return
            scope = None if scope.isolated else scope.parent
        self.names[name] = value
