"""Where in a source those entities lie that one reader may see, and those they may not.

Made once for a source and a reader; every question about a place in it is a lookup.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from services.catalog.handlers.refused_files import RefusedFile
from services.catalog.model import BranchPath, RepositoryPath
from shared.contracts.entity import Entity
from shared.guards.turns import in_turns


class SourceView:
    """The files of one source, as one reader may see the entities that they hold."""

    def __init__(self) -> None:
        self._visible_files: set[str] = set()
        self._hidden_files: set[str] = set()
        self._visible_folders: set[str] = set()
        self._hidden_folders: set[str] = set()
        #: Paths of hidden files, and all folders above them.
        self._above_hidden: set[str] = set()
        self._branches = {""}
        self._visible_includes: set[str] = set()
        self._hidden_includes: set[str] = set()
        #: Nothing around visible entities is theirs.
        self._is_closed = False

    @property
    def has_visible(self) -> bool:
        """Whether the reader may see anything that comes from the source."""
        return bool(self._visible_files)

    @property
    def has_hidden(self) -> bool:
        """Whether something comes from the source that the reader may not see."""
        return bool(self._hidden_files)

    def add(self, place: RepositoryPath, *, is_visible: bool) -> None:
        """Take in an entity of the file at a place, which may hold others."""
        folder = place.folder
        if is_visible:
            self._visible_files.add(place.path)
            self._visible_folders.add(folder)
            self._branches.add(place.branch)
        elif place.repository and not place.path:
            self._is_closed = True
            self._hidden_files.add(place.path)
        elif place.path not in self._hidden_files:
            self.hide(place.path)
            self._hidden_folders.add(folder)

    def hide(self, path: str) -> None:
        """Take in a file of hidden entities; nothing around it is theirs by that."""
        self._hidden_files.add(path)
        self._above_hidden.update(_folders(path))

    def add_includes(self, paths: Iterable[str], *, is_visible: bool) -> None:
        """Take in files that an entity includes, until `hide_includes`."""
        includes = self._visible_includes if is_visible else self._hidden_includes
        includes.update(paths)

    def hide_includes(self) -> None:
        """Hide the files that hidden entities alone include."""
        for path in self._hidden_includes - self._visible_includes:
            self.hide(path)

    def hide_folders(self, paths: Iterable[str]) -> None:
        """Take in folders of hidden entities that have no descriptor."""
        self._hidden_folders.update(paths)

    def has_branch(self, place: RepositoryPath) -> bool:
        """Whether a place is on the default branch, or on one of visible entities."""
        return place.branch in self._branches

    def lies_around(self, path: str, *, raw: bool) -> bool | None:
        """Whether a path belongs to visible entities; None if to none at all.

        The nearest folder above it with a descriptor decides. Never files that hidden
        ones come from: `raw` says that the files themselves are wanted.
        """
        if self._is_closed:
            return path in self._visible_files
        if raw and path in self._above_hidden:
            return False
        if path in self._hidden_files and path not in self._visible_files:
            return False
        for folder in _folders(path):
            if folder in self._visible_folders:
                return True
            if folder in self._hidden_folders:
                return False
        return None


def _folders(path: str) -> list[str]:
    """A path and the folders above it, the nearest first, up to the root ("")."""
    folders = [path]
    while folders[-1]:
        folders.append(folders[-1].rpartition("/")[0])
    return folders


class BranchFiles:
    """Files of some branches; the default one may be any of them."""

    def __init__(self, files: Iterable[BranchPath] = ()) -> None:
        self._branches: dict[str, set[str]] = {}
        for file in files:
            self.add(file)

    def add(self, file: BranchPath) -> None:
        """Take in a file."""
        branch, path = file
        self._branches.setdefault(path, set()).add(branch)

    def __contains__(self, file: BranchPath) -> bool:
        branch, path = file
        branches = self._branches.get(path, ())
        return bool(branches) and (not branch or "" in branches or branch in branches)


@dataclass(slots=True)
class PresentEntities:
    """What comes from a source now.

    `open_refs` are the entities for everybody, `owned_files` are those with hidden
    entities that the reader sees.
    """

    refs: set[str] = field(default_factory=set)
    open_refs: set[str] = field(default_factory=set)
    files: BranchFiles = field(default_factory=BranchFiles)
    owned_files: BranchFiles = field(default_factory=BranchFiles)

    def add(
        self, ref: str, file: BranchPath, *, is_visible: bool, is_restricted: bool
    ) -> None:
        """Take in an entity of a file."""
        self.refs.add(ref)
        self.files.add(file)
        if not is_restricted:
            self.open_refs.add(ref)
        elif is_visible:
            self.owned_files.add(file)


async def add_refused(
    view: SourceView,
    files: Sequence[RefusedFile],
    present: PresentEntities,
    saw: Callable[[Entity], bool],
    asking_files: BranchFiles,
) -> None:
    """Hide refused and closed files but from those who would see their entities.

    Of a closed file, its entity decides as long as it comes from the source, and what
    the file brings now, by whatever location (of an old version, only if its entity is
    for everybody): unless a refused document of it asks to
    be restricted (`asking_files`). The same path of another branch is another file.
    """
    # Who would see the entity of a closed file sees what is refused in it, too.
    described_first = sorted(files, key=lambda file: file.entity is None)
    async for file in in_turns(described_first):
        branch_path = file.place.on_branch
        opening_refs = present.open_refs if file.is_copy else present.refs
        if file.ref in opening_refs or branch_path in present.owned_files:
            continue
        if (
            file.entity
            and branch_path in present.files
            and branch_path not in asking_files
        ):
            continue
        is_visible = file.entity is not None and saw(file.entity)
        view.add(file.place, is_visible=is_visible)
        view.add_includes(file.includes, is_visible=is_visible)
        if is_visible:
            present.owned_files.add(branch_path)
