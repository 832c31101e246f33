"""Entities cut down to some fields, as bytes: pages request the same cuts often."""

from collections import OrderedDict

CUTS = 32
"""Different sets of fields that are remembered; the least used makes room."""

CHUNKS = 300_000
"""Pieces remembered over all cuts: a few hundred bytes each."""


class Projections:
    """For each set of fields, the bytes of the entities that were cut so."""

    def __init__(self) -> None:
        self._cuts: OrderedDict[tuple[str, ...], dict[int, bytes]] = OrderedDict()

    def cut(self, fields: tuple[str, ...]) -> dict[int, bytes]:
        """What is remembered of one set of fields, to read from and to add to."""
        bodies = self._cuts.get(fields)
        if bodies is not None:
            self._cuts.move_to_end(fields)
        else:
            self._cuts[fields] = bodies = {}
        if len(self._cuts) > CUTS:
            self._cuts.popitem(last=False)
        if sum(len(cut) for cut in self._cuts.values()) > CHUNKS:
            self._cuts.clear()
            self._cuts[fields] = bodies = {}
        return bodies

    def forget(self, entity: int) -> None:
        """Forgets an entity's pieces: it changed, or a neighbour did."""
        for bodies in self._cuts.values():
            bodies.pop(entity, None)
