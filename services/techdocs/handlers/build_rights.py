"""What all readers of an entity may read of the sources of its docs (ADR 18).

A build has no reader whose rights count: it reads with the portal's own rights, and
everybody who may see the entity reads the result.
"""

from collections.abc import Collection, Sequence

from services.techdocs.model import Documented
from services.techdocs.ports import DocsCatalog
from shared.contracts.errors import Unavailable

#: Characters of the longest location that the catalog can be asked for.
LONGEST_LOCATION = 8_192


class BuildRights:
    """The rights for one build: what the catalog answered, and whether it still does.

    A push reaches techdocs and the catalog at once, so a build may begin before the
    catalog has read what is hidden now. `has_hidden`: the docs' source has files that
    not all readers may read, among the docs or not; None: that is not known yet.
    """

    def __init__(self, catalog: DocsCatalog, ref: str) -> None:
        self._catalog = catalog
        self._ref = ref
        self._source = ""
        self._closed: dict[str, bool] = {}
        self._hidden: dict[str, bool] = {}
        self.has_hidden: bool | None = None

    @property
    def matter(self) -> bool:
        """Whether what was read may change without a commit."""
        return bool(self._closed) or bool(self.has_hidden)

    def may_have_shown_more(self, record: Documented) -> bool:
        """Whether a site from before may show what not all its readers may see now.

        It was made before the rights changed, or when its source had nothing hidden.
        """
        if self.has_hidden is None:
            return record.rights_changed
        return self.has_hidden and (record.rights_changed or record.looked is not None)

    async def begin(self, location: str) -> None:
        """Ask whether the source that a location is in has anything hidden."""
        self._source = location
        answer = await self._catalog.hidden_files([location], self._ref)
        self.has_hidden = answer.has_hidden

    async def closed(self, locations: Sequence[str]) -> Collection[str]:
        """Those of some places that not all readers may read."""
        closed = frozenset(await self._catalog.closed_locations(locations, self._ref))
        self._closed |= {location: location in closed for location in locations}
        return closed

    async def hidden(self, locations: Sequence[str]) -> Collection[str]:
        """Those of the files of the docs' own source that are hidden from some."""
        unknown = [item for item in locations if item not in self._hidden]
        if unknown and self.has_hidden is None:
            await self.begin(unknown[0])
        if unknown and not self.has_hidden:
            self._hidden |= dict.fromkeys(unknown, False)
        elif unknown:
            named = list(filter(_is_text, unknown))
            answer = await self._catalog.hidden_files(named, self._ref)
            self._hidden |= dict.fromkeys(unknown, True)
            self._hidden |= {item: item in answer.locations for item in named}
        return {location for location in locations if self._hidden[location]}

    async def require_current(self) -> None:
        """Raise Unavailable if the catalog does not give the same answers any more."""
        latest = BuildRights(self._catalog, self._ref)
        if self._source:
            await latest.begin(self._source)
        if self._closed:
            await latest.closed(list(self._closed))
        await latest.hidden(list(self._hidden))
        if self._closed != latest._closed or self._hidden != latest._hidden:
            raise Unavailable("Not all readers may read the same files as before")


def _is_text(location: str) -> bool:
    """Whether a location is text, and short enough; another one counts as hidden."""
    try:
        location.encode()
    except UnicodeEncodeError:
        return False
    return len(location) <= LONGEST_LOCATION
