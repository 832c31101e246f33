"""Decides, before a source is read, whether its reader may read it (ADR 18).

The portal reads with its own credentials, which open more than one reader may read.
"""

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.handlers.docs_folders import docs_folders
from services.catalog.handlers.source_index import SourceIndex
from services.catalog.handlers.source_views import (
    BranchFiles,
    PresentEntities,
    SourceView,
    add_refused,
)
from services.catalog.ingest.problems import is_about_restricted
from services.catalog.model import (
    BranchPath,
    LocationRef,
    RepositoryPath,
    RootLocation,
)
from services.catalog.ports import DescriptorSources, HiddenPaths
from shared.contracts.entity import Entity
from shared.guards.turns import in_turns

#: Sources of which a reader's view is remembered.
REMEMBERED_VIEWS = 16
#: A view during which something changed is made once more, at most so often: what
#: moved from one file to another meanwhile may be in neither.
VIEW_TRIES = 2
Sees = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class SourceReader:
    """The person that sources are read for.

    `sees` tells whether they see an entity (its ref), which makes its source readable;
    None: they may read every source. `saw` tells whether they would see an entity that
    is gone. `explores`: they may read sources that no entity comes from yet. `views`
    are their views of some sources, each with the clock of the catalog's state that it
    was made of. Who registered a location (`subject`) may read its source although its
    descriptor cannot be read; `root` is the name of the one location that is read for
    them, whose own files do not count.
    """

    sees: Sees | None
    explores: bool
    subject: str = ""
    root: str = ""
    saw: Callable[[Entity], bool] = lambda _: False
    views: dict[str, tuple[int, SourceView]] = field(default_factory=dict)


@dataclass(slots=True)
class FileVisibility:
    """Whether files are hidden from a reader: as many items as files, in their order.

    `digests` are those of the views of their sources, without those that hide nothing.
    """

    items: list[bool] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """A text that changes when other files of the sources may be hidden."""
        return " ".join(digest for _, digest in sorted(self.digests.items()))


class SourceRights:
    """Answers from the index of sources.

    A repository is readable at every path and ref if the reader sees all entities that
    come from it, and not at all if they see none. Otherwise they may read what lies
    around the entities that they see, on the default branch and on the refs of those
    entities, but not files that hidden entities come from or include.

    A refused document that asks to be restricted is as good as a hidden entity, and so
    is a file that brings nothing any more after a restricted entity. Where no entity is
    visible, any known descriptor that was refused closes its repository.
    """

    def __init__(self, state: CatalogState, sources: DescriptorSources) -> None:
        self._index = SourceIndex(sources.source, state.targets, state.emitted)
        state.sources = self._index
        self._state = state
        self._sources = sources

    async def is_readable(
        self, location: LocationRef, reader: SourceReader, *, raw: bool
    ) -> bool:
        """Whether the reader may read there.

        `raw`: they get the files themselves; otherwise they get entities, on each of
        which the policy decides.
        """
        return await self._may_read(self._place(str(location)), reader, raw=raw)

    def hidden_paths(
        self, location: LocationRef, reader: SourceReader, *, raw: bool
    ) -> HiddenPaths:
        """What tells which paths of a location's repository the reader may not read.

        For where links lead: the right to a location is one to its address alone.
        """
        place = self._place(str(location))

        async def hidden_paths(paths: Sequence[str]) -> Collection[str]:
            return [
                path
                for path in paths
                if not await self._may_read(replace(place, path=path), reader, raw=raw)
            ]

        return hidden_paths

    async def hidden_files(
        self, locations: Iterable[LocationRef], reader: SourceReader
    ) -> FileVisibility:
        """Which files, that something visible names as its own, are not its reader's.

        Of the source of something visible: what belongs to nothing at all is not
        hidden there.
        """
        result = FileVisibility()
        async for location in in_turns(locations):
            is_hidden = False
            if reader.sees is not None:
                place = self._index.whole(self._index.located(location))
                view = await self._view(place, reader, reader.sees)
                if view.has_hidden:
                    result.digests[place.key] = await view.digest()
                    is_hidden = view.hides(place)
            result.items.append(is_hidden)
        return result

    async def _may_read(
        self, place: RepositoryPath, reader: SourceReader, *, raw: bool
    ) -> bool:
        if reader.sees is None:
            return True
        view = await self._view(place, reader, reader.sees)
        if not view.has_hidden:
            return view.has_visible or self._explores(place, reader, raw=raw)
        verdict = view.lies_around(place, raw=raw)
        if not place.repository:
            # A web server or this machine: as much of it as its descriptors are about.
            return reader.explores if verdict is None else verdict
        return view.has_visible and view.has_branch(place) and bool(verdict)

    def _explores(
        self, place: RepositoryPath, reader: SourceReader, *, raw: bool
    ) -> bool:
        """Whether the reader may read a source that no entity comes from."""
        if not reader.explores or not place.repository:
            return reader.explores
        refused = self._index.refused
        if raw and refused.is_unread(place.key):
            # Its own registration meanwhile is as good as one before.
            return False
        return not any(
            file.is_descriptor
            and file.root != reader.root
            # To be restricted would close it to its registrant as well.
            and (file.is_restricted or file.registrant != (reader.subject or None))
            for file in refused.of(place.key)
        )

    def reading(self, root: RootLocation) -> AbstractContextManager[None]:
        """Entered while a root is read, for what is not known meanwhile."""
        return self._index.refused.reading(root)

    async def _view(
        self, place: RepositoryPath, reader: SourceReader, sees: Sees
    ) -> SourceView:
        """What a reader may see of the source that a place is in."""
        await self._index.complete()
        for _ in range(VIEW_TRIES):
            clock = self._state.clock
            state, view = reader.views.get(place.key, (-1, SourceView()))
            if state == clock:
                break
            view = await self._made_view(place, reader, sees)
            if len(reader.views) >= REMEMBERED_VIEWS:
                reader.views.clear()
            reader.views[place.key] = clock, view
        return view

    async def _made_view(
        self, place: RepositoryPath, reader: SourceReader, sees: Sees
    ) -> SourceView:
        view = SourceView()
        refused_files = [
            replace(file, place=self._index.whole(file.place))
            for file in self._index.refused.of(place.key)
            if file.is_restricted and file.root != reader.root
        ]
        present, hidden = PresentEntities(), dict[str, RepositoryPath]()
        async for target_place, ref in in_turns(self._emitted(place)):
            is_visible = sees(ref)
            if not is_visible:
                hidden[ref] = target_place
            view.add(target_place, is_visible=is_visible)
            if refused_files:
                present.add(
                    ref,
                    target_place.on_branch,
                    is_visible=is_visible,
                    is_restricted=self._state.is_restricted(ref),
                )
        if refused_files:
            asking_files = await self._asking_files(place.key)
            await add_refused(view, refused_files, present, reader.saw, asking_files)
        if view.has_hidden:
            await self._add_includes(view, place.key, sees)
            await view.hide_includes()
            await self._hide_docs(view, place, hidden)
        return view

    def _emitted(self, place: RepositoryPath) -> Iterator[tuple[RepositoryPath, str]]:
        """The entities that come from a source, each with its file's place."""
        for target, target_place in self._index.targets(place):
            whole_place = self._index.whole(target_place)
            for ref in self._state.emitted(*target):
                yield whole_place, ref

    async def _hide_docs(
        self,
        view: SourceView,
        place: RepositoryPath,
        hidden: Mapping[str, RepositoryPath],
    ) -> None:
        """Hide the folders that only docs of the hidden entities are built from.

        To look at an entity means to unpack it: the others are only looked at where a
        hidden one names a folder that is not its own.
        """
        folders: set[BranchPath] = set()
        async for ref, hidden_place in in_turns(hidden.items()):
            own_folder = hidden_place.branch, hidden_place.folder
            folders.update(self._docs_folders(ref, hidden_place) - {own_folder})
        if not folders:
            return
        paths = {path for _, path in folders}
        visible: set[BranchPath] = set()
        async for target_place, ref in in_turns(self._emitted(place)):
            if ref not in hidden:
                visible.update(
                    folder
                    for folder in self._docs_folders(ref, target_place)
                    if folder[1] in paths
                )
        await view.hide_docs(folders, visible)

    def _docs_folders(self, ref: str, place: RepositoryPath) -> set[BranchPath]:
        return docs_folders(place, self._state.get(ref), self._place)

    def _place(self, location: str) -> RepositoryPath:
        return self._index.whole(self._index.place(location))

    async def _asking_files(self, source: str) -> BranchFiles:
        """The files of a source with refused documents that ask to be restricted."""
        states = (
            state
            for root in self._state.roots_of(source)
            for state in root.files.values()
        )
        files = BranchFiles()
        async for state in in_turns(states):
            place = state.place
            if place is None or place.key != source:
                continue
            if any(map(is_about_restricted, state.errors)):
                files.add(place.on_branch)
        return files

    async def _add_includes(self, view: SourceView, source: str, sees: Sees) -> None:
        """Take in the files that entities include.

        Where a target is a link, its content lies where that leads.
        """
        states = (
            state
            for root in self._state.roots_of(source)
            for state in root.files.values()
        )
        async for state in in_turns(states):
            files = {file.on_branch for file in state.includes if file.key == source}
            if files:
                refs = self._state.emitted(state.parent, state.location)
                is_visible = any(map(sees, refs))
                view.add_includes(files, is_visible=is_visible)
                if refs and state.linked is not None:
                    view.add(state.linked.place, is_visible=is_visible)

    async def require(
        self, location: LocationRef, reader: SourceReader, *, raw: bool
    ) -> None:
        """Raise the error of a missing source unless the source is readable."""
        if not await self.is_readable(location, reader, raw=raw):
            raise await self._sources.missing(location)

    async def require_some(self, location: LocationRef, reader: SourceReader) -> None:
        """Raise the same error unless a part of the location's source is readable."""
        if reader.sees is None:
            return
        place = self._place(str(location))
        view = await self._view(place, reader, reader.sees)
        is_hidden = view.has_hidden or not self._explores(place, reader, raw=False)
        if place.repository and is_hidden and not view.has_visible:
            raise await self._sources.missing(location)

    def place(self, location: str) -> RepositoryPath | None:
        """Where a location (its text) lies in Git; None outside."""
        place = self._place(location)
        return place if place.repository else None

    def source(self, location: str) -> str:
        """The key of the source that a location (its text) lies in."""
        return self._index.place(location).key

    def provider(self, ref: str) -> str | None:
        """The location that an entity comes from; None: nobody has the name."""
        return self._state.providing_location(ref)

    def is_emitting(self, parent: str, location: str) -> bool:
        """Whether a Location entity has entities from a file (its location's text)."""
        return bool(self._state.emitted(parent, location))

    async def emitting(self, parent: str) -> frozenset[str]:
        """The sources that a Location entity has entities from."""
        sources: set[str] = set()
        async for location in in_turns(self._state.emitting(parent)):
            sources.add(self.source(location))
        return frozenset(sources)

    def nobody(self) -> SourceReader:
        """The reader where no person made the request, such as in a scan.

        Restricted entities make no source readable to them.
        """
        return SourceReader(self._is_open, explores=True)

    def readers_of(self, ref: str) -> SourceReader:
        """All readers of an entity as one reader, who may read what all of them may.

        The readers of a restricted entity are its owners, and who sees everything.
        """
        if self._is_open(ref):
            return self.nobody()
        owners = self._owners(ref)

        def see(other_ref: str) -> bool:
            return (
                other_ref == ref
                or self._is_open(other_ref)
                or bool(owners and owners <= self._owners(other_ref))
            )

        def saw(entity: Entity) -> bool:
            return bool(owners and owners <= {*entity.targets("ownedBy")})

        return SourceReader(see, explores=True, saw=saw)

    def _owners(self, ref: str) -> frozenset[str]:
        stored = self._state.get(ref)
        if stored is None:
            return frozenset()
        return frozenset(r.target for r in stored.relations if r.type == "ownedBy")

    def _is_open(self, ref: str) -> bool:
        return not self._state.is_restricted(ref)
