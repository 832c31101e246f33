"""Files that the portal knows as descriptors and has no entities of, by their source.

Nobody can tell whom such a file is for: its source must not count as one that nothing
comes from, which many people may read.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

from services.catalog.ingest.problems import is_about_contents, is_about_restricted
from services.catalog.model import (
    CONFIG,
    REGISTERED,
    FileState,
    RepositoryPath,
    RootLocation,
)
from shared.contracts.entity import Entity


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file with documents that are no entities, or that could not be read at all.

    `is_restricted`: one of them asks to be hidden, or may mean to, or the file is a
    closed one. What a document asks counts where `is_descriptor` could: the portal
    discovered the file, or the operator's configuration names it; anybody may register
    any file, or name it in a Location.
    `ref` and `entity` are those of a closed file, `includes` the paths that it was made
    of, too. `is_copy`: it is an old version, which `ref` opens if it is for everybody.
    `root` is the name of the location above it, `registrant` who registered that, as
    long as it is registered.
    """

    place: RepositoryPath
    is_restricted: bool
    is_descriptor: bool
    root: str
    registrant: str
    ref: str = ""
    entity: Entity | None = None
    includes: tuple[str, ...] = ()
    is_copy: bool = False


class RefusedFiles:
    """Refused files and unread locations by source; follows the state of the roots.

    `locate` finds the place of a location (its text).
    """

    def __init__(self, locate: Callable[[str], RepositoryPath]) -> None:
        self._locate = locate
        self._files: dict[str, dict[str, list[RefusedFile]]] = {}
        self._unsettled: dict[str, set[str]] = {}
        self._sources: dict[str, set[str]] = {}
        self._being_read: Counter[str] = Counter()

    def of(self, source: str) -> Iterator[RefusedFile]:
        """The refused files of a source (its key)."""
        for files in list(self._files.get(source, {}).values()):
            yield from files

    def is_unread(self, source: str) -> bool:
        """Whether a location of a source was never read whole, or is read just now."""
        return source in self._unsettled or source in self._being_read

    @contextmanager
    def reading(self, root: RootLocation) -> Iterator[None]:
        """While a root is read, what it brought may be gone and the rest not there."""
        source = self._locate(str(root.location)).key
        self._being_read[source] += 1
        try:
            yield
        finally:
            self._being_read -= Counter({source: 1})

    def add(self, root: RootLocation) -> None:
        """Take in a root's state."""
        states = [state for state in root.files.values() if state.errors]
        if root.settled and not states and not root.closed:
            return
        own_source = self._locate(str(root.location)).key
        sources = self._sources.setdefault(root.name, set())
        if not root.settled and root.is_by_operator:
            self._unsettled.setdefault(own_source, set()).add(root.name)
            sources.add(own_source)
        files = chain(self._closed(root), self._refused(root, own_source, states))
        for file in files:
            by_root = self._files.setdefault(file.place.key, {})
            by_root.setdefault(root.name, []).append(file)
            sources.add(file.place.key)

    def discard(self, name: str) -> None:
        """Forget a root's state."""
        for source in self._sources.pop(name, ()):
            files = self._files.get(source, {})
            files.pop(name, None)
            if not files:
                self._files.pop(source, None)
            names = self._unsettled.get(source, set())
            names.discard(name)
            if not names:
                self._unsettled.pop(source, None)

    def _closed(self, root: RootLocation) -> Iterator[RefusedFile]:
        for ref, file in root.closed.items():
            place = file.place or self._locate(file.location)
            yield RefusedFile(
                place,
                is_restricted=True,
                is_descriptor=False,
                root=root.name,
                registrant="",
                ref=file.entity_ref or ref,
                entity=Entity(file.entity) if file.entity else None,
                includes=file.includes,
                is_copy=file.is_copy,
            )

    def _refused(
        self, root: RootLocation, own_source: str, states: Sequence[FileState]
    ) -> Iterator[RefusedFile]:
        by_operator = root.is_by_operator
        for state in states:
            asks_for_it = by_operator and any(map(is_about_restricted, state.errors))
            has_contents = by_operator and any(map(is_about_contents, state.errors))
            if not (asks_for_it or has_contents):
                # Most are files that are not there: their places are not looked up.
                continue
            place = self._locate(state.location)
            is_own = CONFIG in root.providers or place.key == own_source
            is_restricted = asks_for_it and is_own
            is_descriptor = has_contents and is_own
            if is_restricted or is_descriptor:
                yield RefusedFile(
                    place,
                    is_restricted,
                    is_descriptor,
                    root.name,
                    root.registrant if REGISTERED in root.providers else "",
                )
