"""What a reader may see, and what of it points to something they may not see."""

from collections import OrderedDict

import orjson
from pyroaring import BitMap

from services.catalog.query.conditions import Conditions
from services.catalog.readmodel import ReadModel

REMEMBERED = 256
"""Different conditions whose entities are remembered until something changes."""

FEW_HIDDEN = 2_000
"""Up to so many hidden entities, their neighbours are found beforehand."""


class ReaderScope:
    """The entities that a reader may see; `visible` None stands for all of them.

    `key` is equal where the same entities are visible for the same reason.
    `conditions` are those of the decision; None: it was a plain yes.
    """

    __slots__ = ("_hidden", "_model", "_near_hidden", "conditions", "key", "visible")

    def __init__(
        self,
        model: ReadModel,
        visible: BitMap | None,
        key: bytes,
        conditions: Conditions | None = None,
    ) -> None:
        self._model = model
        self.conditions = conditions
        self._hidden = None if visible is None else model.live - visible
        # Seeing all that is there is as good as being allowed everything.
        self.visible = visible if self._hidden else None
        self.key = key if self._hidden else b""
        self._near_hidden: BitMap | None = None

    def holds(self, entity: int) -> bool:
        """Whether an entity may be seen."""
        return self.visible is None or entity in self.visible

    def hides(self, ref: str) -> bool:
        """Whether there is such an entity and it may not be seen."""
        if self.visible is None:
            return False
        entity = self._model.ids.get(ref)
        return entity is not None and entity not in self.visible

    def is_near_hidden(self, entity: int) -> bool:
        """Whether an entity's relations may name something that is hidden."""
        if self.visible is None or self._hidden is None:
            return False
        if len(self._hidden) > FEW_HIDDEN:
            return True
        if self._near_hidden is None:
            self._near_hidden = self._neighbours(self._hidden)
        return entity in self._near_hidden

    def _neighbours(self, hidden: BitMap) -> BitMap:
        neighbours = BitMap()
        for record in self._model.existing(hidden):
            neighbours.update(self._model.adjacency.neighbours(record.ref))
            for relation in record.stored.relations:
                neighbour = self._model.ids.get(relation.target)
                if neighbour is not None:
                    neighbours.add(neighbour)
        return neighbours


def everything(model: ReadModel) -> ReaderScope:
    """The scope of those who may see all."""
    return ReaderScope(model, None, b"")


class Scopes:
    """The scope for each set of conditions, remembered while nothing changes."""

    def __init__(self, model: ReadModel) -> None:
        self._model = model
        self._everything = everything(model)
        self._state: OrderedDict[bytes, ReaderScope] = OrderedDict()
        self._revision = -1

    def everything(self) -> ReaderScope:
        """The scope of those who may see all."""
        return self._everything

    def find(self, conditions: Conditions) -> ReaderScope | None:
        """The remembered scope, None when it must be made."""
        if self._revision != self._model.revision.value:
            self._state.clear()
            self._revision = self._model.revision.value
        return self._state.get(orjson.dumps(conditions))

    def remember(self, conditions: Conditions, visible: BitMap) -> ReaderScope:
        """The scope that conditions were found to mean."""
        key = orjson.dumps(conditions)
        scope = self._state[key] = ReaderScope(self._model, visible, key, conditions)
        if len(self._state) > REMEMBERED:
            self._state.popitem(last=False)
        return scope
