"""Reads a location for planning: its targets in slices, each with its cause."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace

from services.catalog.descriptor.definitions import reference_of
from services.catalog.handlers.admission import Admission
from services.catalog.handlers.catalog import CatalogContext, CommandContext
from services.catalog.handlers.effort import Effort
from services.catalog.handlers.reading_ahead import read_ahead
from services.catalog.handlers.walk import Walk
from services.catalog.ingest.candidates import Candidate, location_entity
from services.catalog.ingest.location_targets import targets_of
from services.catalog.model import (
    ClosedFile,
    LocationRef,
    RootLocation,
    TargetKey,
    parse_location,
)
from services.catalog.planning.reading import NamedTargets, Target, TargetReading
from services.catalog.ports import SourceSnapshot
from shared.contracts.catalog import Cause
from shared.contracts.errors import CallboardError, Unavailable

#: So many targets and documents are planned and written together.
SLICE = 1000
#: So many targets are read while the ones before them are being stored.
AHEAD = 8


class LocationReader:
    """A `LocationReading` of a root, or of the targets `only` of it.

    `force` reads those targets even if they look unchanged.
    """

    def __init__(
        self,
        catalog: CatalogContext,
        root: RootLocation,
        context: CommandContext,
        effort: Effort,
        *,
        only: Collection[TargetKey] | None = None,
        force: bool = False,
    ) -> None:
        self.root = root
        self.is_whole = only is None
        self.rules = catalog.rules.fingerprint
        location = str(root.location)
        self.cause = context.cause.model_copy(update={"location": location})
        self._catalog = catalog
        self._context = context
        self._only = only
        self._force = force
        self._sources: SourceSnapshot = catalog.sources.reading(root.location)
        self.own_entity = location_entity(
            root.location, self._sources.links(root.location)
        )
        self._walk = Walk(
            root,
            self._sources,
            catalog.rules,
            catalog.state,
            Admission(catalog.rights, root, context.reader),
            effort=effort,
        )

    async def slices(self) -> AsyncGenerator[Sequence[TargetReading], None]:
        """Its targets, some at a time."""
        part: list[TargetReading] = []
        size = 0
        async with aclosing(read_ahead(self._targets(), AHEAD)) as readings:
            async for reading in readings:
                part.append(await self._completed(reading))
                size += 1 + len(reading.candidates) + len(reading.refusals)
                if size >= SLICE:
                    yield part
                    part, size = [], 0
        yield part

    def named(self) -> NamedTargets:
        """What Location entities name now; complete once all slices are read."""
        walk = self._walk
        return NamedTargets(walk.named, walk.uncertain, walk.passed_over)

    async def copies(
        self, file: ClosedFile, *, same: bool = False
    ) -> Sequence[ClosedFile]:
        """Where a closed file is now, and what was made of it, as far as is known.

        `same`: only what has its content as it was.
        """
        try:
            location = parse_location(file.location)
            commit, locations = await self._sources.renamed(
                location, file.commit, same=same
            )
        except CallboardError:
            # The host does not answer or has lost that commit, or time is over.
            return [file]
        return [
            replace(file, commit=commit)
            if copy == location
            else replace(
                file,
                location=str(copy),
                place=self._sources.place(copy),
                commit=commit,
            )
            for copy in locations
        ]

    async def removal_cause(self, cause: Cause) -> Cause:
        """The cause of what the location no longer names, with its commit."""
        return await self._sources.with_commit(self.root.location, cause)

    def _targets(self) -> AsyncIterator[TargetReading]:
        if self._only is None:
            return self._walk.whole()
        locations = {location for _, location in self.root.files}
        targets = [
            self._target(*key)
            for key in self._only
            if key[0] == self.own_entity.ref
            # A name may have gone to another location's entity meanwhile.
            or self._catalog.state.providing_location(key[0]) in locations
        ]
        return self._walk.below(targets, force=self._force)

    def _target(self, parent: str, text: str) -> Target:
        above = self._catalog.state.get(parent)
        optional = above is not None and targets_of(above.entity)[2]
        kind, _, target = text.partition(":")
        origin = None
        if above is not None and parent != self.own_entity.ref:
            origin = parse_location(above.location)
        return Target(parent, LocationRef(kind, target), optional, origin=origin)

    async def _completed(self, reading: TargetReading) -> TargetReading:
        """A reading with its cause, and with its long definitions stored.

        Raises:
            Unavailable: if the Git host does not answer after a push.
        """
        error = reading.error
        if isinstance(error, Unavailable) and self._context.cause.kind == "push":
            raise error
        if reading.is_unchanged or reading.is_missing:
            return reading
        location = reading.target.location
        try:
            cause = await self._sources.with_commit(location, self._context.cause)
        except CallboardError:
            if error is None:
                raise
            return reading
        candidates = [await self._without_definition(c) for c in reading.candidates]
        return replace(reading, cause=cause, candidates=candidates)

    async def _without_definition(self, candidate: Candidate) -> Candidate:
        """The candidate once its long definition is stored.

        Definitions come first: no entity ever refers to a text that is not there. Texts
        are stored by their content: one that no entity comes to refer to does no harm.
        """
        reference = reference_of(candidate.entity)
        if candidate.definition is not None and reference is not None:
            await self._catalog.definitions.put(reference.hash, candidate.definition)
        return replace(candidate, definition=None)
