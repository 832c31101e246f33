"""DualValue of what the scaffolder needs from outside."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.scaffolder.model import Initiator
from shared.contracts.entity import Entity
from shared.contracts.errors import Conflict, Unavailable


class DictCatalog:
    """Entities by ref; `hidden` are seen by nobody, `away` answers nobody."""

    def __init__(self) -> None:
        self.by_ref: dict[str, Entity] = {}
        self.hidden: set[str] = set()
        self.locations: dict[str, list[dict[str, Any]]] = {}
        self.registered: list[str] = []
        self.initiators: list[Initiator] = []
        self.away = False
        #: The beginnings of locations that nobody may read.
        self.restricted: set[str] = set()
        self.read: list[tuple[str, Initiator]] = []

    async def unreadable(
        self, locations: Sequence[str], asker: Initiator
    ) -> Collection[str]:
        self.read += [(location, asker) for location in locations]
        return {
            location
            for location in locations
            if any(location.startswith(prefix) for prefix in self.restricted)
        }

    def add(self, *entities: Mapping[str, Any]) -> None:
        for entity in map(Entity, entities):
            self.by_ref[str(entity.ref)] = entity

    async def entity(self, ref: str, asker: Initiator) -> Entity | None:
        self.initiators.append(asker)
        if self.away:
            raise Unavailable("The catalog does not answer")
        return None if ref in self.hidden else self.by_ref.get(ref)

    async def entities(
        self, refs: Sequence[str], asker: Initiator
    ) -> Sequence[Entity | None]:
        return [await self.entity(ref, asker) for ref in refs]

    async def register(
        self, url: str, asker: Initiator, *, dry_run: bool = False
    ) -> Sequence[Entity]:
        self.initiators.append(asker)
        if self.away:
            raise Unavailable("The catalog does not answer")
        if not dry_run:
            if url in self.registered:
                raise Conflict(f"Location {url} is registered already")
            self.registered.append(url)
            # As the catalog's own answer: only a dry run names entities.
            return []
        return [Entity(item) for item in self.locations.get(url, [])]
