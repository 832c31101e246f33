"""What all readers of an entity may read of the sources of its docs (ADR 18).

A build has no reader whose rights count: it reads with the portal's own rights, and
everybody who may see the entity reads the result.
"""

from collections.abc import Collection, Sequence

from services.techdocs.ports import DocsCatalog
from shared.contracts.errors import Unavailable


class BuildRights:
    """The rights for one build: what the catalog answered, and whether it still does.

    A push reaches techdocs and the catalog at once, so a build may begin before the
    catalog has read what is hidden now.
    """

    def __init__(self, catalog: DocsCatalog, ref: str) -> None:
        self._catalog = catalog
        self._ref = ref
        self._closed: dict[str, bool] = {}
        self._hidden: dict[str, bool] = {}
        self._has_hidden: bool | None = None

    @property
    def matter(self) -> bool:
        """Whether what was read may change without a commit."""
        return bool(self._closed) or bool(self._has_hidden)

    async def closed(self, locations: Sequence[str]) -> Collection[str]:
        """Those of some places that not all readers may read."""
        closed = frozenset(await self._catalog.closed_locations(locations, self._ref))
        self._closed |= {location: location in closed for location in locations}
        return closed

    async def hidden(self, locations: Sequence[str]) -> Collection[str]:
        """Those of the files of the docs' own source that are hidden from some."""
        hidden = await self._hidden_now(locations)
        self._hidden |= {location: location in hidden for location in locations}
        return hidden

    async def _hidden_now(self, locations: Sequence[str]) -> Collection[str]:
        if self._has_hidden is None and locations:
            # Most sources have nothing hidden: one location tells.
            first = await self._catalog.hidden_files(locations[:1], self._ref)
            self._has_hidden = first.has_hidden
        if not self._has_hidden:
            return ()
        return (await self._catalog.hidden_files(locations, self._ref)).locations

    async def require_current(self) -> None:
        """Raise Unavailable if the catalog does not give the same answers any more."""
        latest = BuildRights(self._catalog, self._ref)
        if self._closed:
            await latest.closed(list(self._closed))
        await latest.hidden(list(self._hidden))
        if self._closed != latest._closed or self._hidden != latest._hidden:
            raise Unavailable("Not all readers may read the same files as before")
