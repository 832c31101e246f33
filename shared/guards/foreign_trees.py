"""The listing of a tree of foreign files: checks it and resolves its links.

All limits are checked before the first file is written. The listing may come from Git,
an archive or a folder; `foreign_files` does the writing.
"""

import posixpath
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from shared.contracts.errors import Invalid, NotFound, TooLarge
from shared.guards.foreign_paths import DEPTH, check_path, check_target, quoted_path
from shared.guards.unicode_forms import composed

EntryKind = Literal["file", "link"]
#: As many links as the system follows for one path.
LINK_STEPS = 40
#: The most names of a path and of the targets of its links together.
LINK_PARTS = 256


@dataclass(frozen=True, slots=True)
class ForeignEntry:
    """One file or link of a tree; `content` identifies its bytes (a blob's id)."""

    path: str
    kind: EntryKind = "file"
    size: int = 0
    is_executable: bool = False
    content: str = ""


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """Limits on the size of a tree."""

    files: int = 20_000
    folders: int = 20_000
    total_bytes: int = 200 * 1024 * 1024
    file_bytes: int = 200 * 1024 * 1024


def check_entries(
    entries: Iterable[ForeignEntry],
    limits: TreeLimits,
    *,
    folds_case: bool = False,
) -> None:
    """Check a whole tree before any of it is written.

    `folds_case` says that the disk treats names that differ only in case as equal.

    Raises:
        Invalid: naming a path that breaks a rule, is listed twice or is also a folder.
        TooLarge: naming the limit.
    """
    paths: dict[str, str] = {}
    folders: dict[str, str] = {}
    total = 0
    for count, entry in enumerate(entries, 1):
        if count > limits.files:
            raise TooLarge(f"More than {limits.files} files")
        total += entry.size
        _check_size(entry, total, limits)
        _register_path(entry.path, paths, folders, folds_case=folds_case)
        if len(folders) > limits.folders:
            raise TooLarge(f"More than {limits.folders} folders")
    for key in paths.keys() & folders.keys():
        raise Invalid(
            f"path: {quoted_path(paths[key])}: is a file and a folder at once"
        )


def _check_size(entry: ForeignEntry, total: int, limits: TreeLimits) -> None:
    if entry.size > limits.file_bytes:
        raise TooLarge(
            f"{quoted_path(entry.path)}: over the limit of {limits.file_bytes} bytes"
        )
    if total > limits.total_bytes:
        raise TooLarge(f"Over the limit of {limits.total_bytes} bytes in all files")


def _register_path(
    path: str, paths: dict[str, str], folders: dict[str, str], *, folds_case: bool
) -> None:
    parts = check_path(path)
    key = _folded(path) if folds_case else path
    if paths.get(key) == path:
        raise Invalid(f"path: {quoted_path(path)}: is there twice")
    if key in paths:
        raise _name_collision(path, paths[key])
    paths[key] = path
    for end in range(len(parts) - 1, 0, -1):
        folder = "/".join(parts[:end])
        key = _folded(folder) if folds_case else folder
        if folders.get(key) == folder:
            # Its parents were registered with it.
            return
        if key in folders:
            raise _name_collision(folder, folders[key])
        folders[key] = folder


def _name_collision(path: str, other_path: str) -> Invalid:
    names = f"{quoted_path(path)} and {quoted_path(other_path)}"
    return Invalid(f"path: {names} are one name on this disk")


def _folded(path: str) -> str:
    return composed(path).casefold()


def check_link_steps(path: str, count: int, resolved: Sequence[str]) -> None:
    """Check how many names were followed for `path`, and how deep they lead.

    Raises:
        Invalid: if there are more than `LINK_PARTS` names, or the folder is too deep.
    """
    if count > LINK_PARTS or len(resolved) > DEPTH:
        raise Invalid(
            f"path: {quoted_path(path)}: its links lead through too many folders"
        )


def follow_path(path: str, target_at: Callable[[str], str | None]) -> list[str]:
    """The links that `path` leads through and, as the last item, the resolved path.

    `target_at` returns the target of the link at a path, None where no link is.

    Raises:
        Invalid: if a link leaves the root or is part of a cycle.
    """
    pending = list(reversed(path.split("/")))
    resolved: list[str] = []
    links: list[str] = []
    count = 0
    while pending:
        part, count = pending.pop(), count + 1
        check_link_steps(path, count, resolved)
        if part in ("", "."):
            continue
        if part == "..":
            if not resolved:
                raise Invalid(
                    f"path: {quoted_path(path)}: the link leads outside the repository"
                )
            resolved.pop()
            continue
        link = "/".join([*resolved, part])
        target = target_at(link)
        if target is None:
            resolved.append(part)
            continue
        links.append(link)
        if len(links) > LINK_STEPS:
            raise Invalid(f"path: {quoted_path(path)}: the link is part of a ring")
        check_target(link, target)
        pending += reversed(target.split("/"))
    return [*links, "/".join(resolved)]


@dataclass(slots=True)
class TreeIndex:
    """The entries of a tree by path, with the targets of its links.

    `targets` maps the path of every link in `entries` to its target.
    """

    entries: Sequence[ForeignEntry]
    targets: Mapping[str, str]
    _paths: list[str] = field(init=False)
    _by_path: dict[str, ForeignEntry] = field(init=False)

    def __post_init__(self) -> None:
        self._by_path = {entry.path: entry for entry in self.entries}
        self._paths = sorted(self._by_path)

    def without(self, paths: Collection[str]) -> "TreeIndex":
        """The same tree without some files and links."""
        entries = [entry for entry in self.entries if entry.path not in paths]
        return TreeIndex(entries, self.targets)

    def entry(self, path: str) -> ForeignEntry | None:
        """The entry at a resolved path; None if it is a folder or absent."""
        return self._by_path.get(path)

    def is_folder(self, path: str) -> bool:
        """Whether there are files below the path."""
        return next(self.below(path), None) is not None

    def below(self, folder: str) -> Iterator[ForeignEntry]:
        """All entries below a folder, "" for the root; links are not followed."""
        prefix = f"{folder}/" if folder else ""
        start = bisect_left(self._paths, prefix)
        for number in range(start, len(self._paths)):
            path = self._paths[number]
            if not path.startswith(prefix):
                return
            yield self._by_path[path]

    def resolve(self, path: str) -> str:
        """The path after all links are followed, "" for the root.

        Raises:
            Invalid: if a link leaves the tree or is part of a cycle.
        """
        return self.follow_path(path)[-1]

    def follow_path(self, path: str) -> list[str]:
        """The links that `path` leads through and, as the last item, the resolved path.

        Raises:
            Invalid: if a link leaves the tree or is part of a cycle.
        """
        return follow_path(path, self.targets.get)

    def way(self, path: str) -> list[str]:
        """The links and the resolved path as in `follow_path`, as far as they lead.

        A path that cannot be followed to its end is the links up to there.
        """
        links: list[str] = []

        def target_at(link: str) -> str | None:
            target = self.targets.get(link)
            if target is not None:
                links.append(link)
            return target

        try:
            return follow_path(path, target_at)
        except Invalid:
            return links


@dataclass(slots=True)
class FollowedTree:
    """A tree without links: `files` are the files to write, with their new paths.

    `outside` lists link targets outside the root, `dangling` links whose target is
    absent or hidden, `rings` links to a folder that contains the link. `unasked` are
    paths outside the root of which it is not known whether they are shown.
    """

    files: list[ForeignEntry] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    dangling: list[str] = field(default_factory=list)
    rings: list[str] = field(default_factory=list)
    unasked: set[str] = field(default_factory=set)


def follow_links(
    index: TreeIndex,
    root: str,
    limits: TreeLimits,
    visibility: Mapping[str, bool] | None = None,
) -> FollowedTree:
    """Replace every link below `root` by the files that it leads to.

    `visibility` tells of paths outside the root whether the reader may read them; a
    link by way of one that is not in it is left out for now. None: they may read all.

    Raises:
        Invalid: naming a link that leaves the tree or leads to itself.
        NotFound: if `root` is no folder.
        TooLarge: if there are too many files.
    """
    if not index.is_folder(root):
        raise NotFound(f"There is no folder {root or '/'}")
    tree, count = FollowedTree(), 0
    pending: list[tuple[str, str, tuple[str, ...]]] = [(root, "", ())]
    while pending:
        folder, target_folder, chain = pending.pop()
        for entry in index.below(folder):
            path = posixpath.join(target_folder, entry.path[len(folder) :].lstrip("/"))
            count += 1
            if count > limits.files:
                raise TooLarge(f"More than {limits.files} files")
            if entry.kind != "link":
                tree.files.append(replace(entry, path=path))
                continue
            if visibility is not None and not _is_shown(
                index, entry, root, visibility, tree
            ):
                continue
            resolved = index.resolve(entry.path)
            file = index.entry(resolved)
            links = (*chain, entry.path)
            if file is not None and file.kind == "file":
                tree.files.append(replace(file, path=path))
            elif not index.is_folder(resolved):
                tree.dangling.append(entry.path)
                continue
            elif any(_is_below(link, resolved) for link in links):
                tree.rings.append(entry.path)
                continue
            else:
                pending.append((resolved, path, links))
            if not _is_below(resolved, root):
                tree.outside.append(resolved)
    return tree


def _is_shown(
    index: TreeIndex,
    link: ForeignEntry,
    root: str,
    visibility: Mapping[str, bool],
    tree: FollowedTree,
) -> bool:
    """Whether a link leads by way of nothing hidden; the tree takes it in otherwise."""
    outer_paths = [path for path in index.way(link.path) if not _is_below(path, root)]
    unasked = [path for path in outer_paths if path not in visibility]
    if unasked:
        tree.unasked.update(unasked)
        return False
    if all(visibility[path] for path in outer_paths):
        return True
    tree.dangling.append(link.path)
    return False


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")
