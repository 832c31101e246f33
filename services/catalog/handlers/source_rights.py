"""Whether a source may be read on behalf of somebody: asked before it is (ADR 18).

The portal reads with credentials of its own, which open more than one reader may see.
"""

import posixpath
from collections.abc import Callable, Collection
from dataclasses import dataclass

from services.catalog.handlers.known import Known
from services.catalog.handlers.source_index import SourceIndex
from services.catalog.ingest.candidates import RESTRICTED, VISIBILITY
from services.catalog.model import LocationRef, Place, Root
from services.catalog.ports import Sources

VISIBILITY_PATH = f"metadata.annotations.{VISIBILITY}"
#: Who wants a root that an operator's configuration names or finds.
CONFIGURED = ("config", "git:")
Sees = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class SourceReader:
    """On whose behalf sources are read.

    `sees` says whether an entity (its ref) opens its source to them; None: they may
    read every source. `explores`: they may read where nothing comes from yet.
    """

    sees: Sees | None
    explores: bool


class SourceRights:
    """Answers from the index of sources.

    A repository that only entities come from which the reader may not see is not
    readable, at any path and ref of it. One from which they see all is, at every path
    and ref. Of a mixed one, what lies around the entities that they see, on the default
    branch and the refs that those come from.
    """

    def __init__(self, known: Known, sources: Sources) -> None:
        self._index = SourceIndex(sources.source, known.refs, known.provider)
        known.sources = self._index
        self._known = known
        self._sources = sources

    async def is_readable(
        self, location: LocationRef, reader: SourceReader, *, raw: bool
    ) -> bool:
        """Whether the reader may read there.

        `raw`: they get the files themselves; otherwise only entities, each of which is
        judged by itself.
        """
        place, visible, hidden = await self._sides(location, reader)
        if not hidden:
            return True
        if not place.repository:
            # A web server or this machine: as much of it as its descriptors are about.
            verdict = self._belongs(place, visible, hidden, raw=raw)
            return reader.explores if verdict is None else verdict
        if place.branch not in {"", *(each.branch for each in self._places(visible))}:
            return False
        return bool(visible and self._belongs(place, visible, hidden, raw=raw))

    def _belongs(
        self,
        place: Place,
        visible: Collection[str],
        hidden: Collection[str],
        *,
        raw: bool,
    ) -> bool | None:
        visible_paths = {each.path for each in self._places(visible)}
        hidden_paths = {each.path for each in self._places(hidden)}
        return _lies_around(place.path, visible_paths, hidden_paths, raw=raw)

    async def _sides(
        self, location: LocationRef, reader: SourceReader
    ) -> tuple[Place, frozenset[str], frozenset[str]]:
        """Where a location lies, and the entities of its source: visible and hidden.

        What nobody may explore is hidden, though there is nothing to name.
        """
        place = self._index.place(str(location))
        if reader.sees is None:
            return place, frozenset(), frozenset()
        await self._index.complete()
        refs = self._index.refs(place)
        if not refs:
            return place, refs, frozenset() if reader.explores else frozenset({""})
        visible = frozenset(filter(reader.sees, refs))
        return place, visible, refs - visible

    async def require(
        self, location: LocationRef, reader: SourceReader, *, raw: bool
    ) -> None:
        """Raise what a source raises that is not there, unless it is readable."""
        if not await self.is_readable(location, reader, raw=raw):
            raise await self._sources.missing(location)

    async def require_some(self, location: LocationRef, reader: SourceReader) -> None:
        """The same, unless something of the location's source is readable."""
        place, visible, hidden = await self._sides(location, reader)
        if hidden and not visible and place.repository:
            raise await self._sources.missing(location)

    def source(self, location: str) -> str:
        """The key of the source that a location (its text) lies in."""
        return self._index.place(location).key

    def emitting(self, parent: str) -> frozenset[str]:
        """The sources that a Location entity has entities from."""
        return frozenset(map(self.source, self._known.emitting(parent)))

    def nobody(self) -> SourceReader:
        """The reader of a file that names another source, where no person asks.

        What is restricted opens nothing.
        """
        return SourceReader(self._is_open, explores=True)

    def readers_of(self, ref: str) -> SourceReader:
        """Everybody who may see an entity, as one reader: what all of them may read.

        Of a restricted one those are its owners.
        """
        if self._is_open(ref):
            return self.nobody()
        owners = self._owners(ref)

        def see(other: str) -> bool:
            return self._is_open(other) or bool(
                owners and owners <= self._owners(other)
            )

        return SourceReader(see, explores=True)

    def _owners(self, ref: str) -> frozenset[str]:
        stored = self._known.get(ref)
        if stored is None:
            return frozenset()
        return frozenset(r.target for r in stored.relations if r.type == "ownedBy")

    def _is_open(self, ref: str) -> bool:
        return not self._known.entities.has_value(ref, VISIBILITY_PATH, RESTRICTED)

    def _places(self, refs: Collection[str]) -> list[Place]:
        found = (self._known.provider(ref) for ref in refs)
        return [self._index.place(each) for each in found if each is not None]


class Admission:
    """Which targets one reading of a root may follow into other sources.

    `reader` is on whose behalf it is read; None: nobody's, a push or the scan led here.
    A Location goes on with the sources that it already has entities from.
    """

    def __init__(
        self, rights: SourceRights, root: Root, reader: SourceReader | None
    ) -> None:
        self._rights = rights
        self._root = root
        self._reader = reader or rights.nobody()
        self._by_operator = any(b.startswith(CONFIGURED) for b in root.buckets)
        self._own: dict[str, frozenset[str]] = {}

    async def require(
        self, location: LocationRef, parent: str, origin: LocationRef | None
    ) -> None:
        """Raise what is raised of a source that is not there, unless it may be read.

        `parent` names the location, in the file at `origin`; None: it is the root.
        """
        if self._is_trusted(location, parent, origin):
            return
        await self._rights.require(location, self._reader, raw=False)

    async def is_shown(self, location: LocationRef) -> bool:
        """Whether the reader may see what entities there are in a file."""
        return await self._rights.is_readable(location, self._reader, raw=False)

    async def require_included(self, location: LocationRef, base: LocationRef) -> None:
        """The same for a file that a placeholder in the file at `base` stands for."""
        if self._rights.source(str(location)) != self._rights.source(str(base)):
            await self._rights.require(location, self._reader, raw=True)

    def _is_trusted(
        self, location: LocationRef, parent: str, origin: LocationRef | None
    ) -> bool:
        source = self._rights.source(str(location))
        if origin is None and self._by_operator:
            return True
        if origin is not None and "config" in self._root.buckets:
            return True
        if origin is not None and self._rights.source(str(origin)) == source:
            return True
        return source in self._sources_of(parent)

    def _sources_of(self, parent: str) -> frozenset[str]:
        if parent not in self._own:
            self._own[parent] = self._rights.emitting(parent)
        return self._own[parent]


def _lies_around(
    path: str, visible: Collection[str], hidden: Collection[str], *, raw: bool
) -> bool | None:
    """Whether a path belongs to the entities whose descriptors are `visible` paths.

    The nearest folder above it with a descriptor decides; None if there is none. Never
    files that hidden ones come from.
    """
    if raw and any(_is_below(other, path) for other in hidden):
        return False
    if path in hidden and path not in visible:
        return False
    own = {posixpath.dirname(other) for other in visible}
    foreign = {posixpath.dirname(other) for other in hidden}
    for folder in _folders(path):
        if folder in own:
            return True
        if folder in foreign:
            return False
    return None


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _folders(path: str) -> list[str]:
    """A path and the folders above it, the nearest first, up to the root ("")."""
    folders = [path]
    while folders[-1]:
        folders.append(posixpath.dirname(folders[-1]))
    return folders
