"""Exports trees of a repository: lists and checks them, then streams the contents.

Contents are read by their ids, never checked out or archived, so the repository's
`.gitattributes` have no effect and no file is left out. All limits are checked on the
listing before the first file is written (ADR 17).
"""

import posixpath
from asyncio import to_thread
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from shared.contracts.errors import (
    CallboardError,
    Invalid,
    NotFound,
    TooLarge,
    Unavailable,
)
from shared.guards.foreign_files import ForeignFolder, folds_case
from shared.guards.foreign_paths import check_link, quoted_path
from shared.guards.foreign_trees import (
    FollowedTree,
    ForeignEntry,
    TreeIndex,
    TreeLimits,
    check_entries,
    follow_links,
)
from shared.kit.git.command import SECONDS
from shared.kit.git.link_rights import (
    ALL_PATHS,
    HiddenPaths,
    PathRights,
    follow_shown_links,
    is_hidden,
)
from shared.kit.git.output import (
    HEADER_BYTES,
    DanglingLink,
    PathBelowFile,
    PathIsFolder,
    TreeListing,
    content_ids,
    contents,
    file_size,
    folder_message,
    no_file_behind,
    write_entry,
)
from shared.kit.git.tree_listings import TreeIndexes, TreeListings

#: Git's options for files that were made of others: two documents of one file may have
#: been split, so half of it is too much. The second compares no contents.
LIKE, SAME = "-C40%", "-C100%"


@dataclass(frozen=True, slots=True)
class ExportedTree:
    """The result of an export.

    `files` is the number of written files and links, `submodules` the paths of other
    repositories, which are left out. `outside` lists paths outside of the folder that
    links lead to, or that the folder was reached through. `dangling` are links without
    a target, or with one that is hidden, and `rings` links to a folder that contains
    the link; all of them are left out if links are followed. `has_hidden_files`: files
    of the folder were left out, too.
    """

    files: int
    submodules: Sequence[str] = ()
    outside: Sequence[str] = ()
    dangling: Sequence[str] = ()
    rings: Sequence[str] = ()
    has_hidden_files: bool = False


class GitTrees:
    """The trees of one mirror.

    `environment` is for git commands that contact the host; with `is_partial` the
    mirror may lack contents that were not read before. `indexes` remembers whole trees.
    """

    def __init__(
        self,
        mirror: Path,
        environment: Mapping[str, str],
        *,
        is_partial: bool = False,
        indexes: TreeIndexes | None = None,
    ) -> None:
        self._is_partial = is_partial
        self._listings = TreeListings(
            mirror, environment, is_partial=is_partial, indexes=indexes
        )

    async def read(
        self, commit: str, path: str, hidden_paths: HiddenPaths | None = None
    ) -> bytes:
        """One file at a commit; links are followed as in a checkout.

        With `hidden_paths`, a link to a hidden place leads to nothing.

        Raises:
            Invalid: if a link leaves the repository or is part of a cycle.
            NotFound: if there is no such file.
            TooLarge: if it is over `FILE_LIMIT` bytes.
        """
        if hidden_paths is not None:
            return await self._read_shown(commit, path, hidden_paths)
        try:
            return await self._read(commit, path)
        except DanglingLink as dangling:
            place = (await self._listings.index(commit)).resolve(path)
            try:
                return await self._read(commit, place)
            except NotFound:
                raise dangling from None

    async def _read_shown(
        self, commit: str, path: str, hidden_paths: HiddenPaths
    ) -> bytes:
        """One file, read by its id: what is at its path may lead git elsewhere."""
        entry = await self._listings.plain_entry(commit, path)
        if entry is not None:
            return await self._content(entry.content, path)
        # An absent path is an error of the cheap command.
        with suppress(DanglingLink, PathIsFolder, PathBelowFile, Invalid, TooLarge):
            await self._read(commit, path)
        index = await self._listings.index(commit)
        if await is_hidden(index, path, hidden_paths):
            raise no_file_behind(path)
        place = index.resolve(path)
        entry = index.entry(place)
        if entry is None and index.is_folder(place):
            raise PathIsFolder(folder_message(path))
        if entry is None or entry.kind != "file":
            # With a link: its target is too long to be followed here.
            raise no_file_behind(path)
        return await self._content(entry.content, path)

    async def _read(self, commit: str, path: str) -> bytes:
        """The file at a path; git follows its links."""
        name = f"{commit}:{path}".encode("utf-8", "surrogateescape")
        return await self._content(name, path, "--follow-symlinks")

    async def _content(self, name: bytes | str, path: str, *options: str) -> bytes:
        """The content of a file by its name for git; errors name it as `path`."""
        result: bytes | CallboardError = b""

        def consume(output: IO[bytes]) -> None:
            nonlocal result
            try:
                header = output.readline(HEADER_BYTES)
                size = file_size(header, output, path)
                result = output.read(size)
                output.read(1)
            except CallboardError as error:
                # Raised after git has ended, because git's own failure comes first.
                result = error

        line = (name if isinstance(name, bytes) else name.encode()) + b"\n"
        arguments = ["cat-file", "--batch", *options]
        await self._listings.stream(arguments, consume, data=line)
        if isinstance(result, CallboardError):
            raise result
        return result

    async def follow_path(self, commit: str, path: str) -> list[str]:
        """The links that lead to a file, and its real path; [] without links.

        Raises:
            Invalid: if a link leaves the repository or is part of a cycle.
        """
        if await self._listings.plain_entry(commit, path) is not None:
            return []
        return (await self._listings.index(commit)).follow_path(path)

    async def renames(
        self, old_commit: str, commit: str, *, seconds: float
    ) -> Mapping[str, Sequence[str]]:
        """Where each file is that was renamed or copied from one commit to another.

        The paths of each: its own first, if it is still there. A file counts as a copy
        of one that was changed or removed, if it has 40 % of it in common.

        Files with the same content alone in a partial mirror, where to compare others
        would fetch them, or if the comparison takes over `seconds`.

        Raises:
            CallboardError: if the mirror lacks one of the commits.
        """
        renames = self._listings.renames
        if seconds > 0 and not self._is_partial:
            with suppress(Unavailable):
                return await renames(old_commit, commit, LIKE, seconds)
        return await renames(old_commit, commit, SAME, SECONDS)

    async def export(
        self,
        commit: str,
        prefix: str,
        folder: Path,
        *,
        limits: TreeLimits,
        follows: bool,
        rights: PathRights = ALL_PATHS,
    ) -> ExportedTree:
        """Write the files below `prefix` into `folder`, relative to `prefix`.

        With `follows`, links are replaced by their files, also from other folders of
        the repository; otherwise they are written as links. `rights` are those that it
        is read with: links to hidden places lead to nothing, those of `prefix` too, and
        hidden files of the folder are as good as absent.

        Raises:
            Invalid: naming a path that breaks a rule, or a link that leaves the
                repository.
            NotFound: if there is no such folder.
            TooLarge: if it is over the limits.
        """
        tree, links = await self._folder(commit, prefix, rights.hidden_paths)
        prefix = links[-1]
        all_files = await self._listings.listing(tree, limit=limits.files)
        hidden = await _hidden_files(prefix, all_files, rights)
        listing = _without_hidden(prefix, all_files, hidden)
        if hidden and not listing.entries:
            raise _no_folder(prefix, commit)
        targets = await self._listings.targets(commit, listing.entries)
        if follows and targets:
            index = TreeIndex(listing.entries, targets)
            whole_index = partial(self._shown_index, commit, hidden)
            followed = await _follow_links(prefix, index, whole_index, limits, rights)
        else:
            await to_thread(_check_links, prefix, targets)
            followed = FollowedTree(listing.entries)
        entries = await self._listings.with_sizes(commit, followed.files)
        folds = folds_case(folder.parent)
        await to_thread(check_entries, entries, limits, folds_case=folds)
        await self._write(entries, folder)
        return ExportedTree(
            len(entries),
            listing.submodules,
            [*(links if len(links) > 1 else ()), *followed.outside],
            followed.dangling,
            followed.rings,
            bool(hidden),
        )

    async def _shown_index(self, commit: str, hidden: Collection[str]) -> TreeIndex:
        """The index of the whole repository without its hidden files."""
        index = await self._listings.index(commit)
        return await to_thread(index.without, hidden) if hidden else index

    async def _folder(
        self, commit: str, path: str, hidden_paths: HiddenPaths | None
    ) -> tuple[str, list[str]]:
        """The id of a folder; the links that lead to it, and its own path.

        Raises:
            Invalid: if a link leaves the repository or is part of a cycle.
            NotFound: if there is no such folder, or a link leads to a hidden one.
        """
        tree, links = await self._listings.tree_id(commit, path), [path]
        if tree is None:
            index = await self._listings.index(commit)
            if not await is_hidden(index, path, hidden_paths):
                links = index.follow_path(path)
                tree = await self._listings.tree_id(commit, links[-1])
        if tree is None:
            raise _no_folder(path, commit)
        return tree, links

    async def _write(self, entries: Sequence[ForeignEntry], folder: Path) -> None:
        count = 0

        def consume(output: IO[bytes]) -> None:
            nonlocal count
            with ForeignFolder.open(folder, create=True) as root:
                replaces = bool(root.listing(""))
                for entry, size in contents(output, entries):
                    write_entry(root, entry, output, size, replaces=replaces)
                    count += 1

        await self._listings.stream(
            ["cat-file", "--batch"], consume, data=content_ids(entries)
        )
        if count < len(entries):
            raise Unavailable("git cat-file ended early")


def _check_links(prefix: str, targets: Mapping[str, str]) -> None:
    for path, target in targets.items():
        check_link(f"{prefix}/{path}" if prefix else path, target)


def _no_folder(path: str, commit: str) -> NotFound:
    return NotFound(f"There is no folder {quoted_path(path)} at {commit[:8]}")


async def _hidden_files(
    prefix: str, listing: TreeListing, rights: PathRights
) -> frozenset[str]:
    """The paths in the repository of the files of a folder that are hidden."""
    if rights.hidden_files is None:
        return frozenset()
    paths = [*(entry.path for entry in listing.entries), *listing.submodules]
    return frozenset(
        await rights.hidden_files([posixpath.join(prefix, path) for path in paths])
    )


def _without_hidden(
    prefix: str, listing: TreeListing, hidden: Collection[str]
) -> TreeListing:
    if not hidden:
        return listing

    def is_shown(path: str) -> bool:
        return posixpath.join(prefix, path) not in hidden

    return TreeListing(
        [entry for entry in listing.entries if is_shown(entry.path)],
        list(filter(is_shown, listing.submodules)),
    )


async def _follow_links(
    prefix: str,
    index: TreeIndex,
    whole_index: Callable[[], Awaitable[TreeIndex]],
    limits: TreeLimits,
    rights: PathRights,
) -> FollowedTree:
    try:
        return await to_thread(follow_links, index, "", limits)
    except Invalid:
        # A link leaves the folder, so it is followed in the whole repository.
        whole = await whole_index()
        if rights.hidden_paths is not None:
            return await follow_shown_links(whole, prefix, limits, rights.hidden_paths)
        return await to_thread(follow_links, whole, prefix, limits)
