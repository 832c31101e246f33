"""Entities cut down to some fields, as bytes: pages request the same cuts often."""

from collections import OrderedDict

CUTS = 32
"""Different sets of fields that are remembered; the least used makes room."""

MOST_BYTES = 100_000_000
"""Bytes remembered over all cuts; the least used makes room."""

PIECE_BYTES = 150
"""What a piece takes beside its own bytes."""


class Projections:
    """For each set of fields, the bytes of the entities that were cut so."""

    def __init__(self) -> None:
        self._cuts: OrderedDict[tuple[str, ...], dict[int, bytes]] = OrderedDict()
        self._bytes = 0

    def cut(self, fields: tuple[str, ...]) -> dict[int, bytes]:
        """What is remembered of one set of fields, to read from."""
        bodies = self._cuts.get(fields)
        if bodies is not None:
            self._cuts.move_to_end(fields)
        else:
            self._cuts[fields] = bodies = {}
        if len(self._cuts) > CUTS:
            self._drop_oldest()
        return bodies

    def remember(self, fields: tuple[str, ...], entity: int, body: bytes) -> None:
        """Remembers an entity's piece of a set of fields that `cut` was asked for."""
        bodies = self._cuts.get(fields)
        if bodies is None:
            return
        self._forget(bodies, entity)
        bodies[entity] = body
        self._bytes += len(body) + PIECE_BYTES
        while self._bytes > MOST_BYTES:
            self._drop_oldest()

    def forget(self, entity: int) -> None:
        """Forgets an entity's pieces: it changed, or a neighbour did."""
        for bodies in self._cuts.values():
            self._forget(bodies, entity)

    def _forget(self, bodies: dict[int, bytes], entity: int) -> None:
        body = bodies.pop(entity, None)
        if body is not None:
            self._bytes -= len(body) + PIECE_BYTES

    def _drop_oldest(self) -> None:
        _, bodies = self._cuts.popitem(last=False)
        self._bytes -= sum(map(len, bodies.values())) + PIECE_BYTES * len(bodies)
