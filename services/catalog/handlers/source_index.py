"""Which entities come from which source: a repository, a web server, this machine.

Not the Location entities that stand for registrations: those exist before anything
was read, so that a registration alone would make a source somebody's own.
"""

import asyncio
from collections.abc import Callable, Iterable

from services.catalog.model import LocationRef, Place, parse_location
from shared.contracts.errors import Invalid

#: So many entities are looked at before others get their turn: some milliseconds.
CHUNK = 100
REMEMBERED_PLACES = 5_000


class SourceIndex:
    """Refs by source; built when it is first asked, and current from then on.

    `locate` says where a location lies, `refs` are all entities, and `provider` is the
    text of the location that provides one; None: no location emits it.
    """

    def __init__(
        self,
        locate: Callable[[LocationRef], Place],
        refs: Callable[[], Iterable[str]],
        provider: Callable[[str], str | None],
    ) -> None:
        self._locate = locate
        self._all = refs
        self._provider = provider
        self._refs: dict[str, set[str]] = {}
        self._places: dict[str, Place] = {}
        self._lock = asyncio.Lock()
        self._is_complete = False
        self._is_current = False

    async def complete(self) -> None:
        """Take in what was there before anybody asked."""
        if self._is_complete:
            return
        async with self._lock:
            self._is_current = True
            # What changes meanwhile is told by `add` and `discard`.
            for count, ref in enumerate(list(self._all()), 1):
                location = self._provider(ref)
                if location is not None:
                    self.add(ref, location)
                if count % CHUNK == 0:
                    await asyncio.sleep(0)
            self._is_complete = True

    def add(self, ref: str, location: str) -> None:
        """An entity comes from a location now."""
        if self._is_current:
            self._refs.setdefault(self.place(location).key, set()).add(ref)

    def discard(self, ref: str, location: str) -> None:
        """It does so no longer."""
        if not self._is_current:
            return
        key = self.place(location).key
        refs = self._refs.get(key, set())
        refs.discard(ref)
        if not refs:
            self._refs.pop(key, None)

    def refs(self, place: Place) -> frozenset[str]:
        """The entities that come from the source that a place is in."""
        return frozenset(self._refs.get(place.key, ()))

    def place(self, location: str) -> Place:
        """Where a location (its text) lies."""
        place = self._places.get(location)
        if place is None:
            try:
                place = self._locate(parse_location(location))
            except Invalid:
                place = Place("", location, "", "")
            if len(self._places) >= REMEMBERED_PLACES:
                self._places.clear()
            self._places[location] = place
        return place
