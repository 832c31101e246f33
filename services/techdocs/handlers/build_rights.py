"""What all readers of an entity may read of the sources of its docs (ADR 18).

A build has no reader whose rights count: it reads with the portal's own rights, and
everybody who may see the entity reads the result.
"""

from collections.abc import Collection, Sequence

from services.techdocs.model import Documented, PublishedSite, SiteBasis
from services.techdocs.ports import DocsCatalog
from shared.contracts.annotations import TECHDOCS_REF
from shared.contracts.errors import Invalid, Unavailable

#: Characters of the longest location that the catalog can be asked for.
LONGEST_LOCATION = 8_192
CHANGED_MEANWHILE = "Not all readers may read the same files as before"


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
        #: By what the docs' source was read; None: it was not located yet.
        self.basis: SiteBasis | None = None

    @property
    def state(self) -> str | None:
        """The state of the hidden files of the docs' source; None if not known."""
        return self.basis.state if self.basis else None

    @property
    def is_lasting(self) -> bool:
        """Whether the answers stay as long as the state does: none was about links."""
        return not self._closed

    async def shows_more(self, record: Documented) -> bool:
        """Whether a site may show what not all its readers may see now.

        Raises:
            Unavailable: if the catalog does not answer.
        """
        if record.current is None:
            return False
        location = self._location_of(record.current, record.basis)
        if location is None:
            return bool(record.rights_changed)
        # The docs may be elsewhere now than where the site was made from.
        is_same_place = self.basis is not None and self.basis.location == location
        state = self.state if is_same_place else await self._state_of(location)
        return bool(state) and (record.basis is None or state != record.basis.state)

    def _location_of(self, site: PublishedSite, basis: SiteBasis | None) -> str | None:
        """A location in the source that a site was made from."""
        if basis is not None:
            return basis.location
        if site.repository_url:
            # An earlier version made it.
            return f"url:{site.repository_url}"
        return self.basis.location if self.basis else None

    async def begin(self, location: str) -> None:
        """Ask whether the source that a location is in has anything hidden.

        Raises:
            Invalid: if the location is longer than an address may be.
        """
        if not _is_text(location):
            raise Invalid(
                f"{TECHDOCS_REF}: the address of the docs' folder must be text of at "
                f"most {LONGEST_LOCATION} characters"
            )
        self.basis = SiteBasis(location, await self._state_of(location))

    async def closed(self, locations: Sequence[str]) -> Collection[str]:
        """Those of some places that not all readers may read."""
        named = list(filter(_is_text, locations))
        closed = frozenset(await self._catalog.closed_locations(named, self._ref))
        closed |= set(locations).difference(named)
        self._closed |= {location: location in closed for location in locations}
        return closed

    async def hidden(self, locations: Sequence[str]) -> Collection[str]:
        """Those of the files of the docs' own source that are hidden from some."""
        unknown = [item for item in locations if item not in self._hidden]
        if unknown and self.basis is None:
            await self.begin(unknown[0])
        if unknown and not self.state:
            self._hidden |= dict.fromkeys(unknown, False)
        elif unknown:
            named = list(filter(_is_text, unknown))
            answer = await self._catalog.hidden_files(named, self._ref)
            if named and answer.state != self.state:
                raise Unavailable(CHANGED_MEANWHILE)
            self._hidden |= dict.fromkeys(unknown, True)
            self._hidden |= {item: item in answer.locations for item in named}
        return {location for location in locations if self._hidden[location]}

    async def require_current(self) -> None:
        """Raise Unavailable if the catalog does not give the same answers any more."""
        is_current = True
        if self.basis is not None:
            is_current = await self._state_of(self.basis.location) == self.state
        if self._closed and is_current:
            before = dict(self._closed)
            await self.closed(list(before))
            is_current = before == self._closed
        if not is_current:
            raise Unavailable(CHANGED_MEANWHILE)

    async def _state_of(self, location: str) -> str:
        return (await self._catalog.hidden_files([location], self._ref)).state


def _is_text(location: str) -> bool:
    """Whether a location is text, and short enough; another one counts as hidden."""
    try:
        location.encode()
    except UnicodeEncodeError:
        return False
    return len(location) <= LONGEST_LOCATION
