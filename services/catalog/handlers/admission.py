"""Which sources one reading of a root may follow its targets into (ADR 18)."""

from collections.abc import Collection
from dataclasses import replace

from services.catalog.handlers.source_rights import SourceReader, SourceRights
from services.catalog.model import LocationRef, RootLocation
from services.catalog.planning.reading import Target
from services.catalog.ports import HiddenPaths
from shared.guards.turns import in_turns

#: Buckets of roots that the operator's configuration names or discovers.
CONFIGURED = ("config", "git:")


class Admission:
    """Which targets one reading of a root may follow into other sources.

    `reader` is the person it is read for; None for a push or a scan. A Location may
    always read the sources that it already has entities from.
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

    async def require(
        self, location: LocationRef, parent: str, origin: LocationRef | None
    ) -> None:
        """Raise the error of a missing source unless the target may be read.

        `parent` names the location, in the file at `origin`; None: it is the root.
        """
        if await self._is_trusted(location, parent, origin):
            return
        reader = self._own_reader if origin is None else self._reader
        await self._rights.require(location, reader, raw=False)

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
        reader = await self._restricted_reader(target, is_dry_run=is_dry_run)
        if reader is None:
            return None
        return self._rights.hidden_paths(target.location, reader, raw=False)

    async def visible(
        self, locations: Collection[LocationRef], target: Target, *, is_dry_run: bool
    ) -> list[LocationRef]:
        """The matches of a pattern that its reader may know of."""
        reader = await self._restricted_reader(target, is_dry_run=is_dry_run)
        return [
            location
            async for location in in_turns(locations)
            if reader is None
            or await self._rights.is_readable(location, reader, raw=False)
        ]

    async def _restricted_reader(
        self, target: Target, *, is_dry_run: bool
    ) -> SourceReader | None:
        """Whose rights count at a target's source; None: all of it may be read.

        A dry run shows its reader what it reads, so nothing of it is trusted.
        """
        if is_dry_run:
            return self._reader
        if await self._is_trusted(target.location, target.parent, target.origin):
            return None
        return self._own_reader if target.origin is None else self._reader

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

    async def _is_trusted(
        self, location: LocationRef, parent: str, origin: LocationRef | None
    ) -> bool:
        source = self._rights.source(str(location))
        if origin is None and self._by_operator:
            return True
        if origin is not None and "config" in self._root.providers:
            return True
        if origin is not None and self._rights.source(str(origin)) == source:
            return True
        if self._was_read(location, parent):
            return True
        return source in await self._sources_of(parent)

    def _was_read(self, location: LocationRef, parent: str) -> bool:
        """Whether a target is a closed file of this root, which its author may mend."""
        text = str(location)
        return text in self._closed_locations and (parent, text) in self._root.files

    async def _sources_of(self, parent: str) -> frozenset[str]:
        if parent not in self._sources_by_parent:
            self._sources_by_parent[parent] = await self._rights.emitting(parent)
        return self._sources_by_parent[parent]
