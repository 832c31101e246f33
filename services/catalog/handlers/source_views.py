"""Where in a source those entities lie that one reader may see, and those they may not.

Made once for a source and a reader; every question about a place in it is a lookup.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from services.catalog.handlers.refused_files import RefusedFile
from services.catalog.model import BranchPath, RepositoryPath
from shared.contracts.entity import Entity
from shared.guards.turns import in_turns

NO_BRANCHES: frozenset[str] = frozenset()


class _Branches:
    """The branches that paths are on.

    Most paths of a source are on the same one: they share its collection.
    """

    def __init__(self) -> None:
        self._by_path: dict[str, AbstractSet[str]] = {}
        self._single: dict[str, frozenset[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_path)

    def add(self, branch: str, path: str) -> None:
        """Take in a path of a branch."""
        branches = self._by_path.get(path)
        if branches is None:
            single = self._single.setdefault(branch, frozenset((branch,)))
            self._by_path[path] = single
        elif isinstance(branches, set):
            branches.add(branch)
        elif branch not in branches:
            self._by_path[path] = {*branches, branch}

    def of(self, path: str) -> AbstractSet[str]:
        """The branches of a path."""
        return self._by_path.get(path, NO_BRANCHES)

    def __iter__(self) -> Iterator[BranchPath]:
        for path, branches in self._by_path.items():
            for branch in branches:
                yield branch, path


class SourceView:
    """The files of one source, as one reader may see the entities that they hold.

    What is hidden on one branch is hidden on all, as branches have most files in
    common; what is visible is so on its own branch. The default branch, whose name is
    not known ("" in an address), may be any of them: a place there is shown where no
    branch hides it.
    """

    def __init__(self) -> None:
        self._visible_files = _Branches()
        self._hidden_files = _Branches()
        self._visible_folders = _Branches()
        self._hidden_folders = _Branches()
        self._hidden_docs = _Branches()
        #: What visible entities include, or build docs from, of what is hidden as an
        #: include, or as docs, on another branch.
        self._shown_includes: set[BranchPath] = set()
        self._shown_docs: set[BranchPath] = set()
        #: Paths of hidden files and docs, and all folders above them.
        self._above_hidden: set[str] = set()
        self._branches = {""}
        self._all_branches = {""}
        self._visible_includes: set[BranchPath] = set()
        self._hidden_includes: set[BranchPath] = set()
        #: Nothing around visible entities is theirs.
        self._is_closed = False
        self._digest = ""

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
        branch, path = place.on_branch
        self._all_branches.add(branch)
        if is_visible:
            self._visible_files.add(branch, path)
            self._visible_folders.add(branch, place.folder)
            self._branches.add(branch)
        elif place.repository and not path:
            self._is_closed = True
            self._hidden_files.add(branch, path)
        elif branch not in self._hidden_files.of(path):
            self._hide(branch, path)
            self._hidden_folders.add(branch, place.folder)

    def _hide(self, branch: str, path: str) -> None:
        self._hidden_files.add(branch, path)
        self._above_hidden.update(_folders(path))

    def add_includes(self, files: Iterable[BranchPath], *, is_visible: bool) -> None:
        """Take in files that an entity includes, until `hide_includes`."""
        includes = self._visible_includes if is_visible else self._hidden_includes
        includes.update(files)

    async def hide_includes(self) -> None:
        """Hide the files that hidden entities alone include.

        Nothing around an included file belongs to its entity by that.
        """
        visible = self._visible_includes
        hidden_alone = self._hidden_includes - visible
        paths = {path for _, path in hidden_alone} - self._above_hidden
        async for branch, path in in_turns(hidden_alone):
            self._hide(branch, path)
        self._shown_includes.update(file for file in visible if file[1] in paths)

    async def hide_docs(
        self, hidden: Collection[BranchPath], visible: Collection[BranchPath]
    ) -> None:
        """Take in the folders that docs of hidden and of visible entities are built of.

        To be called last: the folder of something visible is not hidden.
        """
        self._shown_docs.update(visible)
        async for folder in in_turns(set(hidden).difference(visible)):
            branch, path = folder
            if branch not in self._visible_folders.of(path):
                self._hidden_docs.add(branch, path)
                # The folder itself is another branch's, too, and judged by that.
                self._above_hidden.update(_folders(path)[1:])

    async def digest(self) -> str:
        """A text that changes when other files may be hidden; "" if none are.

        It is the same in every process. What is visible counts where it lies in
        something hidden, or else a push beside that would change the text.
        """
        if self.has_hidden and not self._digest:
            hidden_paths: set[str] = set()
            total = 0
            async for kind, branch, path in in_turns(self._deciding()):
                if kind.startswith("hidden"):
                    hidden_paths.add(path)
                elif path and hidden_paths.isdisjoint(_folders(path)):
                    continue
                text = f"{kind}\0{branch}\0{path}".encode(errors="surrogatepass")
                digest = hashlib.blake2b(text, digest_size=16).digest()
                # The order in which entities came does not count.
                total ^= int.from_bytes(digest)
            self._digest = f"{total:032x}"
        return self._digest

    def _deciding(self) -> Iterator[tuple[str, str, str]]:
        """What may decide on hidden files: its kind, its branch and its path.

        What is hidden comes first.
        """
        pairs: dict[str, Iterable[BranchPath]] = {
            "hidden file": self._hidden_files,
            "hidden folder": self._hidden_folders,
            "hidden docs": self._hidden_docs,
            "visible file": self._visible_files,
            "visible folder": self._visible_folders,
            "visible include": self._shown_includes,
            "visible docs": self._shown_docs,
            # Others are judged as the default one.
            "visible branch": [(branch, "") for branch in self._all_branches],
        }
        for kind, places in pairs.items():
            for branch, path in places:
                yield kind, branch, path

    def has_branch(self, place: RepositoryPath) -> bool:
        """Whether a place is on the default branch, or on one of visible entities."""
        return place.branch in self._branches

    def lies_around(self, place: RepositoryPath, *, raw: bool) -> bool | None:
        """Whether a place belongs to visible entities; None if to none at all.

        The nearest folder above it with a descriptor decides. Never files that hidden
        ones come from: `raw` says that the files themselves are requested.
        """
        branch, path = place.on_branch
        visible = self._visible_files.of(path)
        if self._is_closed:
            return branch in visible
        if place.on_branch not in self._shown_includes:
            if raw and path in self._above_hidden:
                return False
            hidden = self._hidden_files.of(path)
            if branch not in visible and _is_hidden(branch, hidden, [visible]):
                return False
        return self._lies_in_visible_folder(branch, path)

    def hides(self, place: RepositoryPath) -> bool:
        """Whether a file of something visible belongs to something that is hidden.

        Where it belongs to nothing at all, it is that visible thing's. A branch from
        which nothing comes is judged as the default one, which may be any, and an
        address that leaves its branch open by each that it may mean.
        """
        if self._is_closed:
            return not self.lies_around(place, raw=True)
        return any(
            self.lies_around(
                replace(reading, branch="")
                if reading.branch not in self._all_branches
                else reading,
                raw=True,
            )
            is False
            for reading in place.readings()
            if reading.path or not place.is_open
        )

    def _lies_in_visible_folder(self, branch: str, path: str) -> bool | None:
        #: The branches of visible entities of each folder so far: nearer ones win.
        visible: list[AbstractSet[str]] = []
        for folder in _folders(path):
            branches = self._visible_folders.of(folder)
            if branch in branches:
                return True
            if branches and (not branch or "" in branches):
                visible.append(branches)
            hidden = self._hidden_folders.of(folder)
            if _is_hidden(branch, hidden, visible):
                return False
            hidden_docs = self._hidden_docs.of(folder)
            if (branch, folder) not in self._shown_docs and _is_hidden(
                branch, hidden_docs, visible
            ):
                return False
        return True if visible else None


def _is_hidden(
    branch: str, hidden: Collection[str], visible: Sequence[Collection[str]]
) -> bool:
    """Whether what is hidden on some branches may be so on this one.

    `visible` are branches on which something visible decides before.
    """
    if branch:
        return bool(hidden) and not any(branch in branches for branches in visible)
    return any(not any(other in branches for branches in visible) for other in hidden)


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
    entities that the reader sees. What a file of one branch brings says nothing of
    another's, and so nothing of the default one's: it may be any.
    """

    refs: set[str] = field(default_factory=set)
    open_refs: set[str] = field(default_factory=set)
    files: set[BranchPath] = field(default_factory=set)
    owned_files: set[BranchPath] = field(default_factory=set)

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
    for everybody): unless a refused document of it asks to be restricted
    (`asking_files`). The same path of another branch is another file.
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
        includes = [(file.place.branch, path) for path in file.includes]
        view.add_includes(includes, is_visible=is_visible)
        if is_visible:
            present.owned_files.add(branch_path)
