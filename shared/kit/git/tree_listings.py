"""Lists trees of one mirror: their entries, sizes, and the targets of their links.

A path given here is one of the tree, whatever signs it has: Git reads none of them as a
pattern (`command`), and no link is followed.
"""

from asyncio import Lock, to_thread
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from shared.contracts.errors import TooLarge
from shared.guards.foreign_paths import PATH_BYTES, TARGET_BYTES
from shared.guards.foreign_trees import ForeignEntry, TreeIndex
from shared.kit.git.command import run_git, stream_git
from shared.kit.git.output import (
    TreeListing,
    add_record,
    content_ids,
    contents,
    records,
    split_paths,
    with_sizes,
)
from shared.kit.processes.commands import Consumer

#: The most files of a repository that is listed as a whole, to follow links.
REPOSITORY_FILES = 300_000
#: Files of trees that `TreeIndexes` remembers together; the last tree in any case.
MOST_INDEXED = 100_000
#: Over so many new files times as many old ones, only files of one content are renamed.
RENAME_LIMIT = "-l400"
#: For a command that needs nothing from the host: git would ask it for a lost commit.
#: Before 2.39.4 git does not know the first of them.
NO_HOST = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}


class TreeIndexes:
    """Whole trees by mirror and commit, for who follows many links of a few commits."""

    def __init__(self) -> None:
        self._indexes: dict[tuple[Path, str], TreeIndex] = {}
        # One at a time: a second listing of the same tree waits for the first.
        self._lock = Lock()

    async def get(
        self, key: tuple[Path, str], make: Callable[[], Awaitable[TreeIndex]]
    ) -> TreeIndex:
        """The index of a tree; `make` makes it if it is not remembered."""
        async with self._lock:
            if key not in self._indexes:
                self._indexes[key] = await make()
                self._forget_oldest()
            return self._indexes[key]

    def _forget_oldest(self) -> None:
        sizes = [(key, len(index.entries)) for key, index in self._indexes.items()]
        total = sum(size for _, size in sizes)
        for key, size in sizes[:-1]:
            if total > MOST_INDEXED:
                del self._indexes[key]
                total -= size


class TreeListings:
    """The listings of one mirror; the arguments are those of `GitTrees`."""

    def __init__(
        self,
        mirror: Path,
        environment: Mapping[str, str],
        *,
        is_partial: bool,
        indexes: TreeIndexes | None = None,
    ) -> None:
        self._indexes = indexes
        self._mirror = mirror
        self._environment = dict(environment)
        self._is_partial = is_partial

    async def plain_entry(self, commit: str, path: str) -> ForeignEntry | None:
        """The file or folder at a path that leads through no link; None otherwise.

        None as well if a tree has two entries of that name: it depends on the command
        which of them Git reads.
        """
        if not path or len(path.encode("utf-8", "surrogateescape")) > PATH_BYTES:
            return None
        listing = TreeListing()

        def consume(output: IO[bytes]) -> None:
            for record in records(output):
                add_record(record, listing)

        await self.stream(["ls-tree", "-z", "--full-tree", commit, "--", path], consume)
        if [entry.path for entry in listing.entries] != [path]:
            return None
        [entry] = listing.entries
        return None if entry.kind == "link" or listing.submodules else entry

    async def tree_id(self, commit: str, path: str) -> str | None:
        """The id of a folder; None if the path is absent or leads through links."""
        if "\n" in path:
            # Git reads one path a line, and what a link leads to may be anything.
            return None
        output = await self.run(
            ["cat-file", "--batch-check=%(objecttype) %(objectname)"],
            f"{commit}:{path}\n".encode("utf-8", "surrogateescape"),
        )
        kind, _, name = output.decode(errors="replace").partition(" ")
        return name.strip() if kind == "tree" else None

    async def index(self, commit: str) -> TreeIndex:
        """The whole tree of a commit, to follow links in it."""
        if self._indexes is None:
            return await self._new_index(commit)
        key = (self._mirror, commit)
        return await self._indexes.get(key, lambda: self._new_index(commit))

    async def _new_index(self, commit: str) -> TreeIndex:
        listing = await self.listing(commit, limit=REPOSITORY_FILES)
        targets = await self.targets(commit, listing.entries)
        return await to_thread(TreeIndex, listing.entries, targets)

    async def listing(self, treeish: str, *, limit: int) -> TreeListing:
        """All files and links of a tree.

        Raises:
            TooLarge: if there are more than `limit`.
        """
        listing = TreeListing()

        def consume(output: IO[bytes]) -> None:
            for record in records(output):
                add_record(record, listing)
                if len(listing.entries) > limit:
                    raise TooLarge(f"More than {limit} files")

        await self.stream(["ls-tree", "-r", "-z", "--full-tree", treeish], consume)
        return listing

    async def targets(
        self, commit: str, entries: Sequence[ForeignEntry]
    ) -> dict[str, str]:
        """The targets of the links among `entries`, except those that are too long."""
        links = [entry for entry in entries if entry.kind == "link"]
        if not links:
            return {}
        sized = await self.with_sizes(commit, links)
        readable = [entry for entry in sized if entry.size <= TARGET_BYTES]
        targets: dict[str, str] = {}

        def consume(output: IO[bytes]) -> None:
            for entry, size in contents(output, readable):
                raw = output.read(size)
                targets[entry.path] = raw.decode("utf-8", "surrogateescape")

        await self.stream(["cat-file", "--batch"], consume, data=content_ids(readable))
        return targets

    async def with_sizes(
        self, commit: str, entries: Sequence[ForeignEntry]
    ) -> list[ForeignEntry]:
        """The entries with their sizes."""
        if self._is_partial:
            await self._fetch_missing(commit, {entry.content for entry in entries})
        if not entries:
            return []
        out = await self.run(
            ["cat-file", "--batch-check=%(objecttype) %(objectsize)"],
            content_ids(entries),
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
        await self.stream(arguments, consume)
        if not missing & ids:
            return
        # The options are those of git's own fetch of a missing object.
        options = ["--no-tags", "--no-write-fetch-head", "--recurse-submodules=no"]
        negotiation = ["-c", "fetch.negotiationAlgorithm=noop"]
        filtering = ["--filter=blob:none", "--stdin", "origin"]
        await self.run(
            [*negotiation, "fetch", "--quiet", *options, *filtering],
            "".join(f"{name}\n" for name in sorted(missing & ids)).encode(),
        )

    async def renames(
        self, old_commit: str, commit: str, similarity: str, seconds: float
    ) -> Mapping[str, Sequence[str]]:
        """Where renamed and copied files are; `similarity` is the option of Git.

        The paths of each: its own first, if it is still there.

        Raises:
            Unavailable: if it takes over `seconds`.
            CallboardError: if the mirror lacks one of the commits.
        """
        options = ["-r", "-z", similarity, RENAME_LIMIT]
        outputs = ["--diff-filter=RC", "--name-status"]
        output = await run_git(
            ["diff-tree", *options, *outputs, old_commit, commit, "--"],
            cwd=self._mirror,
            environment=self._environment | NO_HOST,
            seconds=seconds,
        )
        parts = iter(await to_thread(split_paths, output))
        new_paths: dict[str, list[str]] = {}
        absent_paths: set[str] = set()
        for status, old, new in zip(parts, parts, parts, strict=True):
            new_paths.setdefault(old, []).append(new)
            if status.startswith("R"):
                absent_paths.add(old)
        return {
            old: paths if old in absent_paths else [old, *paths]
            for old, paths in new_paths.items()
        }

    async def run(self, arguments: Sequence[str], data: bytes | None = None) -> bytes:
        """The output of a Git command in the mirror; see `run_git`."""
        return await run_git(
            arguments, cwd=self._mirror, data=data, environment=self._environment
        )

    async def stream(
        self,
        arguments: Sequence[str],
        consume: Consumer,
        *,
        data: bytes | None = None,
    ) -> None:
        """Run a Git command while its output is read; see `stream_git`."""
        await stream_git(
            arguments,
            consume,
            cwd=self._mirror,
            data=data,
            environment=self._environment,
        )
