"""Which sources one reading of a root may follow its targets into (ADR 18)."""

from collections.abc import Collection
from dataclasses import replace

from services.catalog.handlers.source_rights import SourceReader, SourceRights
from services.catalog.ingest.location_targets import may_spread
from services.catalog.model import LocationRef, RootLocation
from services.catalog.planning.reading import Target
from services.catalog.ports import HiddenPaths
from shared.guards.turns import in_turns

#: Buckets of roots that the operator's configuration names or discovers.
CONFIGURED = ("config", "git:")


class Admission:
    """Which targets one reading of a root may follow into other sources.

    `reader` is the person it is read for; None for a push or a scan, which may read
    what everybody may see. A Location may always read the files that it already has
    entities from: not their sources, or anybody could have one entity for everybody
    from a source and read all that is hidden there.
    """

    def __init__(
        self, rights: SourceRights, root: RootLocation, reader: SourceReader | None
    ) -> None:
        self._rights = rights
        self._root = root
        self._reader = reader or rights.nobody()
        #: What is wrong with a location's own files does not keep it from them.
        self._own_reader = replace(self._reader, root=root.name, views={})
        self._by_operator = any(b.startswith(CONFIGURED) for b in root.providers)
        self._sources_by_parent: dict[str, frozenset[str]] = {}
        self._closed_locations = {file.location for file in root.closed.values()}

    async def require(self, target: Target) -> None:
        """Raise the error of a missing source unless the target may be read."""
        if self._is_trusted(target):
            return
        reader = self._reader_of(target)
        await self._rights.require(target.location, reader, raw=False)

    async def require_spread(self, target: Target) -> None:
        """The same for a target that may be a pattern, before its matches are listed.

        A pattern goes on where its Location has entities from the source, as each of
        its matches needs a right of its own.
        """
        if may_spread(target.location.target):
            source = self._rights.source(str(target.location))
            if source in await self._sources_of(target.parent):
                return
        await self.require(target)

    def is_named_from(self, location: LocationRef, ref: str) -> bool:
        """Whether a Location entity's name is free, or has its place in this file."""
        return self._rights.provider(ref) in (None, str(location))

    async def is_shown(self, location: LocationRef) -> bool:
        """Whether the reader may see what entities there are in a file."""
        return await self._rights.is_readable(location, self._reader, raw=False)

    async def hidden_paths(
        self, target: Target, *, is_dry_run: bool
    ) -> HiddenPaths | None:
        """What tells which places are hidden that links of a target lead to.

        None: none of them, where their own addresses may be written as well.
        """
        # A dry run shows its reader what it reads, so nothing of it is trusted.
        if not is_dry_run and self._is_trusted(target):
            return None
        reader = self._reader if is_dry_run else self._reader_of(target)
        return self._rights.hidden_paths(target.location, reader, raw=False)

    async def visible(
        self, locations: Collection[LocationRef], target: Target, *, is_dry_run: bool
    ) -> list[LocationRef]:
        """The matches of a pattern that its reader may know of."""
        if not is_dry_run and self._is_written_freely(target):
            return list(locations)
        return [
            location
            async for location in in_turns(locations)
            if (not is_dry_run and self._was_read(location, target.parent))
            or await self.is_shown(location)
        ]

    async def admit_included(
        self, location: LocationRef, base: LocationRef
    ) -> HiddenPaths | None:
        """Raise the same error for a file that the file at `base` may not include.

        Returns what tells which places are hidden that links of it lead to.
        """
        if self._rights.source(str(location)) == self._rights.source(str(base)):
            return None
        await self._rights.require(location, self._reader, raw=True)
        return self._rights.hidden_paths(location, self._reader, raw=True)

    def _reader_of(self, target: Target) -> SourceReader:
        """Whose rights count at a target's source."""
        is_own = target.origin is None and target.location == self._root.location
        return self._own_reader if is_own else self._reader

    def _is_trusted(self, target: Target) -> bool:
        return self._is_written_freely(target) or self._was_read(
            target.location, target.parent
        )

    def _is_written_freely(self, target: Target) -> bool:
        """Whether who writes a target's address may write any of its source."""
        if target.origin is None:
            return self._by_operator
        if "config" in self._root.providers:
            return True
        own_source = self._rights.source(str(target.origin))
        return own_source == self._rights.source(str(target.location))

    def _was_read(self, location: LocationRef, parent: str) -> bool:
        """Whether a Location has entities from a file, or had them.

        A closed file of this root is one that its author may mend, if the root has read
        it before: that somebody names it, such as after a move, does not suffice.
        """
        text = str(location)
        if self._rights.is_emitting(parent, text):
            return True
        state = self._root.files.get((parent, text))
        is_closed = text in self._closed_locations
        return is_closed and state is not None and state.was_admitted

    async def _sources_of(self, parent: str) -> frozenset[str]:
        if parent not in self._sources_by_parent:
            self._sources_by_parent[parent] = await self._rights.emitting(parent)
        return self._sources_by_parent[parent]
