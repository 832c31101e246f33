"""A tree of foreign files as it is listed: checked, and its links followed, on paper.

Everything is bounded here before a single file is written. What is listed may come from
Git, an archive or a folder; writing it is the business of `foreign_files`.
"""

import posixpath
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from shared.contracts.errors import Invalid, NotFound, TooLarge
from shared.guards.foreign_paths import DEPTH, check_path, check_target, quoted_path
from shared.guards.unicode_forms import composed

EntryKind = Literal["file", "link"]
#: As many as the system follows.
LINK_STEPS = 40
#: Of a path and of what the links on it lead to, so that no link is long to follow.
LINK_PARTS = 256


@dataclass(frozen=True, slots=True)
class ForeignEntry:
    """One file or link of a tree; `content` says where its bytes are (a blob's id)."""

    path: str
    kind: EntryKind = "file"
    size: int = 0
    is_executable: bool = False
    content: str = ""


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """The most that a tree may hold."""

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

    `folds_case` is whether the disk takes names for equal that differ in case only.

    Raises:
        Invalid: naming a path that breaks a rule, is there twice or is also a folder.
        TooLarge: naming the limit.
    """
    places: dict[str, str] = {}
    folders: dict[str, str] = {}
    total = 0
    for count, entry in enumerate(entries, 1):
        if count > limits.files:
            raise TooLarge(f"More than {limits.files} files")
        total += entry.size
        _check_size(entry, total, limits)
        _place(entry.path, places, folders, folds_case=folds_case)
        if len(folders) > limits.folders:
            raise TooLarge(f"More than {limits.folders} folders")
    for key in places.keys() & folders.keys():
        raise Invalid(
            f"path: {quoted_path(places[key])}: is a file and a folder at once"
        )


def _check_size(entry: ForeignEntry, total: int, limits: TreeLimits) -> None:
    if entry.size > limits.file_bytes:
        raise TooLarge(
            f"{quoted_path(entry.path)}: over the limit of {limits.file_bytes} bytes"
        )
    if total > limits.total_bytes:
        raise TooLarge(f"Over the limit of {limits.total_bytes} bytes in all files")


def _place(
    path: str, places: dict[str, str], folders: dict[str, str], *, folds_case: bool
) -> None:
    parts = check_path(path)
    key = _folded(path) if folds_case else path
    if places.get(key) == path:
        raise Invalid(f"path: {quoted_path(path)}: is there twice")
    if key in places:
        raise _one_name(path, places[key])
    places[key] = path
    for end in range(len(parts) - 1, 0, -1):
        folder = "/".join(parts[:end])
        key = _folded(folder) if folds_case else folder
        if folders.get(key) == folder:
            # The folders above it are known as well.
            return
        if key in folders:
            raise _one_name(folder, folders[key])
        folders[key] = folder


def _one_name(path: str, other: str) -> Invalid:
    return Invalid(
        f"path: {quoted_path(path)} and {quoted_path(other)} are one name on this disk"
    )


def _folded(path: str) -> str:
    return composed(path).casefold()


def check_way(path: str, count: int, real: Sequence[str]) -> None:
    """Check how much of the way of `path` through links was gone.

    Raises:
        Invalid: if it has more than `LINK_PARTS` parts or leads too deep.
    """
    if count > LINK_PARTS or len(real) > DEPTH:
        raise Invalid(
            f"path: {quoted_path(path)}: its links lead through too many folders"
        )


def link_trail(path: str, target_at: Callable[[str], str | None]) -> list[str]:
    """The links on the way of `path`, and at the end the path without links.

    `target_at` says what the link at a path points to, None where no link is.

    Raises:
        Invalid: if a link on the way leaves the root or is part of a ring.
    """
    pending = list(reversed(path.split("/")))
    real: list[str] = []
    links: list[str] = []
    count = 0
    while pending:
        part, count = pending.pop(), count + 1
        check_way(path, count, real)
        if part in ("", "."):
            continue
        if part == "..":
            if not real:
                raise Invalid(
                    f"path: {quoted_path(path)}: the link leads outside the repository"
                )
            real.pop()
            continue
        here = "/".join([*real, part])
        target = target_at(here)
        if target is None:
            real.append(part)
            continue
        links.append(here)
        if len(links) > LINK_STEPS:
            raise Invalid(f"path: {quoted_path(path)}: the link is part of a ring")
        check_target(here, target)
        pending += reversed(target.split("/"))
    return [*links, "/".join(real)]


@dataclass(slots=True)
class TreeIndex:
    """The entries of a tree by path, and where its links lead.

    `targets` has the target of every link among `entries`.
    """

    entries: Sequence[ForeignEntry]
    targets: Mapping[str, str]
    _paths: list[str] = field(init=False)
    _by_path: dict[str, ForeignEntry] = field(init=False)

    def __post_init__(self) -> None:
        self._by_path = {entry.path: entry for entry in self.entries}
        self._paths = sorted(self._by_path)

    def entry(self, path: str) -> ForeignEntry | None:
        """The file at a path that holds no link; None if it is a folder or nothing."""
        return self._by_path.get(path)

    def is_folder(self, path: str) -> bool:
        """Whether there are files below the path."""
        return next(self.below(path), None) is not None

    def below(self, folder: str) -> Iterator[ForeignEntry]:
        """All entries below a folder, "" for the top; links are not followed."""
        prefix = f"{folder}/" if folder else ""
        start = bisect_left(self._paths, prefix)
        for number in range(start, len(self._paths)):
            path = self._paths[number]
            if not path.startswith(prefix):
                return
            yield self._by_path[path]

    def resolve(self, path: str) -> str:
        """The path without links that `path` leads to, "" for the top.

        Raises:
            Invalid: if a link on the way leaves the tree or is part of a ring.
        """
        return self.trail(path)[-1]

    def trail(self, path: str) -> list[str]:
        """The links on the way of `path`, and at the end the path without links.

        Raises:
            Invalid: if a link on the way leaves the tree or is part of a ring.
        """
        return link_trail(path, self.targets.get)


@dataclass(slots=True)
class FollowedTree:
    """A tree without links: `files` are to be written, each with its new path.

    `outside` are the places outside the root that links brought in, `dangling` the
    links that lead to nothing, `rings` those to a folder that holds the link itself.
    """

    files: list[ForeignEntry] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    dangling: list[str] = field(default_factory=list)
    rings: list[str] = field(default_factory=list)


def follow_links(index: TreeIndex, root: str, limits: TreeLimits) -> FollowedTree:
    """What a reader of a checkout meets below `root`: files in the place of links.

    Raises:
        Invalid: naming a link that leaves the tree or leads to itself.
        NotFound: if `root` is no folder.
        TooLarge: if there are too many files.
    """
    if not index.is_folder(root):
        raise NotFound(f"There is no folder {root or '/'}")
    tree, seen = FollowedTree(), 0
    waiting: list[tuple[str, str, tuple[str, ...]]] = [(root, "", ())]
    while waiting:
        folder, place, chain = waiting.pop()
        for entry in index.below(folder):
            path = posixpath.join(place, entry.path[len(folder) :].lstrip("/"))
            seen += 1
            if seen > limits.files:
                raise TooLarge(f"More than {limits.files} files")
            if entry.kind != "link":
                tree.files.append(replace(entry, path=path))
                continue
            real = index.resolve(entry.path)
            file = index.entry(real)
            links = (*chain, entry.path)
            if file is not None and file.kind == "file":
                tree.files.append(replace(file, path=path))
            elif not index.is_folder(real):
                tree.dangling.append(entry.path)
                continue
            elif any(_is_below(link, real) for link in links):
                tree.rings.append(entry.path)
                continue
            else:
                waiting.append((real, path, links))
            if not _is_below(real, root):
                tree.outside.append(real)
    return tree


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")
