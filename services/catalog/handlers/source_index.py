"""Which targets of Location entities lie in which source: a repository, a web server.

Only targets that entities come from count. A registration exists before anything is
read: if it counted, registering a source would be enough to gain access to it.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable

from services.catalog.handlers.refused_files import RefusedFiles
from services.catalog.handlers.source_branches import SlashedBranches
from services.catalog.model import (
    LocationRef,
    RepositoryPath,
    RootLocation,
    parse_location,
)
from shared.contracts.errors import CallboardError
from shared.guards.turns import in_turns

REMEMBERED_PLACES = 5_000
#: A Location entity, and a location that it has entities from.
Target = tuple[str, str]


class SourceIndex:
    """Targets and their places by source; built at the first use, then kept current.

    `locate` finds the place of a location, `targets` are all targets that entities come
    from, `emitted` are the refs of the entities that come from one target.
    """

    def __init__(
        self,
        locate: Callable[[LocationRef], RepositoryPath],
        targets: Callable[[], Iterable[Target]],
        emitted: Callable[[str, str], Collection[str]],
    ) -> None:
        self._locate = locate
        self._all = targets
        self._emitted = emitted
        self._sources: dict[str, dict[Target, RepositoryPath]] = {}
        self._places: dict[str, RepositoryPath] = {}
        self._lock = asyncio.Lock()
        self._is_complete = False
        self._is_current = False
        self._branches = SlashedBranches()
        self.refused = RefusedFiles(self.place)

    async def complete(self) -> None:
        """Add the targets that existed before the first use."""
        async with self._lock:
            if not self._is_complete:
                await self._take_in()
                self._is_complete = True

    async def _take_in(self) -> None:
        self._is_current = True
        async for target in in_turns(self._all()):
            # What changes meanwhile comes by `add` and `discard`.
            if self._emitted(*target):
                self.add(*target)

    def add(self, parent: str, location: str) -> None:
        """Entities come from a target now."""
        if self._is_current:
            place = self.place(location)
            self._sources.setdefault(place.key, {})[parent, location] = place

    def discard(self, parent: str, location: str) -> None:
        """No entity comes from a target any more."""
        if not self._is_current:
            return
        key = self.place(location).key
        targets = self._sources.get(key, {})
        targets.pop((parent, location), None)
        if not targets:
            self._sources.pop(key, None)

    def add_root(self, root: RootLocation) -> None:
        """Take in a root's state."""
        self.refused.add(root)
        self._branches.add(root)

    def discard_root(self, name: str) -> None:
        """Forget a root's state."""
        self.refused.discard(name)
        self._branches.discard(name)

    def targets(self, place: RepositoryPath) -> list[tuple[Target, RepositoryPath]]:
        """The targets in the source that a place is in, each with its own place."""
        return list(self._sources.get(place.key, {}).items())

    def whole(self, place: RepositoryPath) -> RepositoryPath:
        """A place with its whole branch, as far as something was read from that."""
        return self._branches.whole(place)

    def place(self, location: str) -> RepositoryPath:
        """Where a location (its text) lies; its branch may be open."""
        place = self._places.get(location)
        if place is None:
            try:
                place = self.located(parse_location(location))
            except CallboardError:
                place = RepositoryPath("", location, "", "")
            if len(self._places) >= REMEMBERED_PLACES:
                self._places.clear()
            self._places[location] = place
        return place

    def located(self, location: LocationRef) -> RepositoryPath:
        """Where a location lies, which is not remembered."""
        try:
            return self._locate(location)
        except CallboardError:
            return RepositoryPath("", str(location), "", "")
