"""Exports trees of a repository: lists and checks them, then streams the contents.

Contents are read by their ids, never checked out or archived, so the repository's
`.gitattributes` have no effect and no file is left out. All limits are checked on the
listing before the first file is written (ADR 17).
"""

from asyncio import to_thread
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from shared.guards.foreign_paths import TARGET_BYTES, check_link, quoted_path
from shared.guards.foreign_trees import (
    FollowedTree,
    ForeignEntry,
    TreeIndex,
    TreeLimits,
    check_entries,
    follow_links,
)
from shared.kit.git.command import run_git, stream_git
from shared.kit.git.link_rights import HiddenPaths, follow_shown_links, is_hidden
from shared.kit.git.output import (
    HEADER_BYTES,
    DanglingLink,
    PathIsFolder,
    TreeListing,
    add_record,
    content_ids,
    contents,
    file_size,
    no_file_behind,
    records,
    split_paths,
    with_sizes,
    write_entry,
)
from shared.kit.processes.commands import Consumer

#: The most files of a repository that is listed as a whole, to follow links.
REPOSITORY_FILES = 300_000


@dataclass(frozen=True, slots=True)
class ExportedTree:
    """The result of an export.

    `files` is the number of written files and links, `submodules` the paths of other
    repositories, which are left out. `outside` lists paths outside of the folder that
    links lead to, or that the folder was reached through. `dangling` are links without
    a target, or with one that is hidden, and `rings` links to a folder that contains
    the link; all of them are left out if links are followed.
    """

    files: int
    submodules: Sequence[str] = ()
    outside: Sequence[str] = ()
    dangling: Sequence[str] = ()
    rings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class GitTrees:
    """The trees of one mirror.

    `environment` is for git commands that contact the host; with `is_partial` the
    mirror may lack contents that were not read before.
    """

    mirror: Path
    environment: Mapping[str, str]
    is_partial: bool = False

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
            place = (await self._index(commit)).resolve(path)
            try:
                return await self._read(commit, place)
            except NotFound:
                raise dangling from None

    async def _read_shown(
        self, commit: str, path: str, hidden_paths: HiddenPaths
    ) -> bytes:
        """One file, read at the place that was asked for, as git may lead elsewhere."""
        error: CallboardError | None = None
        try:
            body = await self._read(commit, path)
        except (DanglingLink, PathIsFolder, Invalid, TooLarge) as raised:
            error = raised
        if error is None and await self._is_file(commit, path):
            return body
        index = await self._index(commit)
        if await is_hidden(index, path, hidden_paths):
            raise no_file_behind(path)
        place = index.resolve(path)
        entry = index.entry(place)
        if entry is None and not index.is_folder(place):
            raise no_file_behind(path)
        if entry is not None and entry.kind != "file":
            # The target of the link is too long to be followed here.
            raise no_file_behind(path)
        return await self._read(commit, place, path)

    async def _read(self, commit: str, path: str, written: str = "") -> bytes:
        """The file at a path, which errors name as it was `written`."""
        result: bytes | CallboardError = b""

        def consume(output: IO[bytes]) -> None:
            nonlocal result
            try:
                header = output.readline(HEADER_BYTES)
                size = file_size(header, output, written or path)
                result = output.read(size)
                output.read(1)
            except CallboardError as error:
                # Raised after git has ended, because git's own failure comes first.
                result = error

        await self._stream(
            ["cat-file", "--batch", "--follow-symlinks"],
            consume,
            data=f"{commit}:{path}\n".encode(),
        )
        if isinstance(result, CallboardError):
            raise result
        return result

    async def follow_path(self, commit: str, path: str) -> list[str]:
        """The links that lead to a file, and its real path; [] without links.

        Raises:
            Invalid: if a link leaves the repository or is part of a cycle.
        """
        if await self._is_file(commit, path):
            return []
        return (await self._index(commit)).follow_path(path)

    async def renames(self, old_commit: str, commit: str) -> Mapping[str, str]:
        """The new path of each file that was renamed from one commit to another.

        In a partial mirror these are the files with the same content: to compare others
        would fetch them.
        """
        similarity = "-M100%" if self.is_partial else "-M"
        options = ["-r", "-z", similarity, "--diff-filter=R", "--name-status"]
        output = await run_git(
            ["diff-tree", *options, old_commit, commit, "--"],
            cwd=self.mirror,
            environment=self.environment,
        )
        status_old_new = iter(await to_thread(split_paths, output))
        return {
            old: new
            for _, old, new in zip(
                status_old_new, status_old_new, status_old_new, strict=True
            )
        }

    async def _is_file(self, commit: str, path: str) -> bool:
        """Whether there is a file at a path that leads through no link."""
        listing = TreeListing()

        def consume(output: IO[bytes]) -> None:
            for record in records(output):
                add_record(record, listing)

        await self._stream(
            ["ls-tree", "-z", "--full-tree", commit, "--", path], consume
        )
        return any(entry.kind == "file" for entry in listing.entries)

    async def export(
        self,
        commit: str,
        prefix: str,
        folder: Path,
        *,
        limits: TreeLimits,
        follows: bool,
        hidden_paths: HiddenPaths | None = None,
    ) -> ExportedTree:
        """Write the files below `prefix` into `folder`, relative to `prefix`.

        With `follows`, links are replaced by their files, also from other folders of
        the repository; otherwise they are written as links. With `hidden_paths`, links
        to hidden places lead to nothing, those of `prefix` too.

        Raises:
            Invalid: naming a path that breaks a rule, or a link that leaves the
                repository.
            NotFound: if there is no such folder.
            TooLarge: if it is over the limits.
        """
        tree, links = await self._folder(commit, prefix, hidden_paths)
        prefix = links[-1]
        listing = await self._list(tree, limit=limits.files)
        targets = await self._targets(commit, listing.entries)
        if follows and targets:
            followed = await self._follow_links(
                commit, prefix, listing, targets, limits, hidden_paths
            )
        else:
            await to_thread(_check_links, prefix, targets)
            followed = FollowedTree(listing.entries)
        entries = await self._with_sizes(commit, followed.files)
        folds = folds_case(folder.parent)
        await to_thread(check_entries, entries, limits, folds_case=folds)
        await self._write(entries, folder)
        return ExportedTree(
            len(entries),
            listing.submodules,
            [*(links if len(links) > 1 else ()), *followed.outside],
            followed.dangling,
            followed.rings,
        )

    async def _folder(
        self, commit: str, path: str, hidden_paths: HiddenPaths | None
    ) -> tuple[str, list[str]]:
        """The id of a folder; the links that lead to it, and its own path.

        Raises:
            Invalid: if a link leaves the repository or is part of a cycle.
            NotFound: if there is no such folder, or a link leads to a hidden one.
        """
        tree, links = await self._tree_id(commit, path), [path]
        if tree is None:
            index = await self._index(commit)
            if not await is_hidden(index, path, hidden_paths):
                links = index.follow_path(path)
                tree = await self._tree_id(commit, links[-1])
        if tree is None:
            raise NotFound(f"There is no folder {quoted_path(path)} at {commit[:8]}")
        return tree, links

    async def _tree_id(self, commit: str, path: str) -> str | None:
        """The id of a folder; None if the path is absent or leads through links."""
        output = await run_git(
            ["cat-file", "--batch-check=%(objecttype) %(objectname)"],
            cwd=self.mirror,
            data=f"{commit}:{path}\n".encode(),
            environment=self.environment,
        )
        kind, _, name = output.decode(errors="replace").partition(" ")
        return name.strip() if kind == "tree" else None

    async def _index(self, commit: str) -> TreeIndex:
        listing = await self._list(commit, limit=REPOSITORY_FILES)
        targets = await self._targets(commit, listing.entries)
        return await to_thread(TreeIndex, listing.entries, targets)

    async def _follow_links(
        self,
        commit: str,
        prefix: str,
        listing: TreeListing,
        targets: Mapping[str, str],
        limits: TreeLimits,
        hidden_paths: HiddenPaths | None,
    ) -> FollowedTree:
        try:
            index = TreeIndex(listing.entries, targets)
            return await to_thread(follow_links, index, "", limits)
        except Invalid:
            # A link leaves the folder, so it is followed in the whole repository.
            index = await self._index(commit)
            if hidden_paths is not None:
                return await follow_shown_links(index, prefix, limits, hidden_paths)
            return await to_thread(follow_links, index, prefix, limits)

    async def _list(self, treeish: str, *, limit: int) -> TreeListing:
        listing = TreeListing()

        def consume(output: IO[bytes]) -> None:
            for record in records(output):
                add_record(record, listing)
                if len(listing.entries) > limit:
                    raise TooLarge(f"More than {limit} files")

        await self._stream(["ls-tree", "-r", "-z", "--full-tree", treeish], consume)
        return listing

    async def _targets(
        self, commit: str, entries: Sequence[ForeignEntry]
    ) -> dict[str, str]:
        """The targets of the links among `entries`, except those that are too long."""
        links = [entry for entry in entries if entry.kind == "link"]
        if not links:
            return {}
        sized = await self._with_sizes(commit, links)
        readable = [entry for entry in sized if entry.size <= TARGET_BYTES]
        targets: dict[str, str] = {}

        def consume(output: IO[bytes]) -> None:
            for entry, size in contents(output, readable):
                raw = output.read(size)
                targets[entry.path] = raw.decode("utf-8", "surrogateescape")

        await self._stream(["cat-file", "--batch"], consume, data=content_ids(readable))
        return targets

    async def _with_sizes(
        self, commit: str, entries: Sequence[ForeignEntry]
    ) -> list[ForeignEntry]:
        """The entries with their sizes."""
        if self.is_partial:
            await self._fetch_missing(commit, {entry.content for entry in entries})
        if not entries:
            return []
        out = await run_git(
            ["cat-file", "--batch-check=%(objecttype) %(objectsize)"],
            cwd=self.mirror,
            data=content_ids(entries),
            environment=self.environment,
        )
        return await to_thread(with_sizes, entries, out)

    async def _fetch_missing(self, commit: str, ids: set[str]) -> None:
        """Fetch all missing contents by one command."""
        missing: set[str] = set()

        def consume(output: IO[bytes]) -> None:
            for line in output:
                if line.startswith(b"?"):
                    missing.add(line[1:].decode().strip())

        arguments = ["rev-list", "--objects", "--missing=print", f"{commit}^{{tree}}"]
        await self._stream(arguments, consume)
        if not missing & ids:
            return
        # The options are those of git's own fetch of a missing object.
        options = ["--no-tags", "--no-write-fetch-head", "--recurse-submodules=no"]
        negotiation = ["-c", "fetch.negotiationAlgorithm=noop"]
        filtering = ["--filter=blob:none", "--stdin", "origin"]
        await run_git(
            [*negotiation, "fetch", "--quiet", *options, *filtering],
            cwd=self.mirror,
            data="".join(f"{name}\n" for name in sorted(missing & ids)).encode(),
            environment=self.environment,
        )

    async def _write(self, entries: Sequence[ForeignEntry], folder: Path) -> None:
        count = 0

        def consume(output: IO[bytes]) -> None:
            nonlocal count
            with ForeignFolder.open(folder, create=True) as root:
                replaces = bool(root.listing(""))
                for entry, size in contents(output, entries):
                    write_entry(root, entry, output, size, replaces=replaces)
                    count += 1

        await self._stream(["cat-file", "--batch"], consume, data=content_ids(entries))
        if count < len(entries):
            raise Unavailable("git cat-file ended early")

    async def _stream(
        self,
        arguments: Sequence[str],
        consume: Consumer,
        *,
        data: bytes | None = None,
    ) -> None:
        await stream_git(
            arguments, consume, cwd=self.mirror, data=data, environment=self.environment
        )


def _check_links(prefix: str, targets: Mapping[str, str]) -> None:
    for path, target in targets.items():
        check_link(f"{prefix}/{path}" if prefix else path, target)
