"""Trees of a repository as files: listed, checked, then their contents streamed.

Contents are read by their ids, never checked out or archived: what the repository's own
`.gitattributes` say changes nothing, and no file is left out. Everything is bounded by
the listing before the first file is written (ADR 17).
"""

from asyncio import to_thread
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from shared.guards.foreign_paths import TARGET_BYTES, check_link, shown
from shared.guards.foreign_trees import (
    FollowedTree,
    ForeignEntry,
    TreeIndex,
    TreeLimits,
    check_entries,
    follow_links,
)
from shared.kit.commands import Consumer
from shared.kit.gitcommand import FILE_LIMIT, run_git, stream_git

#: Of a whole repository, where a link leads out of the folder that is exported.
REPOSITORY_FILES = 300_000
CHUNK = 256 * 1024
_HEADER_BYTES = 16 * 1024
_LINK, _SUBMODULE = b"120000", b"160000"


@dataclass(frozen=True, slots=True)
class ExportedTree:
    """What became of a folder's tree.

    `files` is how many files and links were written, `submodules` the paths that hold
    other repositories, which are left out. `outside` are the repository's paths that
    links brought in from outside the folder, or that it was found through. `dangling`
    are the links that lead nowhere and `rings` those to a folder that holds the link
    itself: both are left out where links are followed.
    """

    files: int
    submodules: Sequence[str] = ()
    outside: Sequence[str] = ()
    dangling: Sequence[str] = ()
    rings: Sequence[str] = ()


@dataclass(slots=True)
class _Listing:
    """The entries of a tree, links and files, and the paths of its submodules."""

    entries: list[ForeignEntry] = field(default_factory=list)
    submodules: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GitTrees:
    """The trees of one mirror.

    `environment` is what git needs to ask the mirror's host; `is_partial` is whether
    the mirror may lack contents that nobody has read yet.
    """

    mirror: Path
    environment: Mapping[str, str]
    is_partial: bool = False

    async def read(self, commit: str, path: str) -> bytes:
        """One file at a commit; links are followed as in a checkout.

        Raises:
            Invalid: if a link leaves the repository or is part of a ring.
            NotFound: if there is no such file.
            TooLarge: if it is over `FILE_LIMIT` bytes.
        """
        answer: bytes | CallboardError = b""

        def consume(output: IO[bytes]) -> None:
            nonlocal answer
            try:
                size = _size_of(output.readline(_HEADER_BYTES), output, path)
                answer = output.read(size)
                output.read(1)
            except CallboardError as error:
                # Raised after git has ended: a host that denies an answer comes first.
                answer = error

        await self._stream(
            ["cat-file", "--batch", "--follow-symlinks"],
            consume,
            data=f"{commit}:{path}\n".encode(),
        )
        if isinstance(answer, CallboardError):
            raise answer
        return answer

    async def trail(self, commit: str, path: str) -> list[str]:
        """The links that a file is read through, and where it lies; [] without links.

        Raises:
            Invalid: if a link leaves the repository or is part of a ring.
        """
        listing = _Listing()

        def consume(output: IO[bytes]) -> None:
            for record in _records(output):
                _add(record, listing)

        await self._stream(
            ["ls-tree", "-z", "--full-tree", commit, "--", path], consume
        )
        if any(entry.kind == "file" for entry in listing.entries):
            return []
        return (await self._index(commit)).trail(path)

    async def export(
        self,
        commit: str,
        prefix: str,
        folder: Path,
        *,
        limits: TreeLimits,
        follows: bool,
    ) -> ExportedTree:
        """Write the files below `prefix` into `folder`, relative to `prefix`.

        `follows` puts files in the place of links, also of links to other places of the
        repository; without it links are written as they are.

        Raises:
            Invalid: naming a path that breaks a rule, or a link that leaves the
                repository.
            NotFound: if there is no such folder.
            TooLarge: if it is over the limits.
        """
        tree, trail = await self._tree_id(commit, prefix), [prefix]
        if tree is None:
            trail = (await self._index(commit)).trail(prefix)
            prefix = trail[-1]
            tree = await self._tree_id(commit, prefix)
        if tree is None:
            raise NotFound(f"There is no folder {shown(prefix)} at {commit[:8]}")
        listing = await self._list(tree, most=limits.files)
        targets = await self._targets(commit, listing.entries)
        if follows and targets:
            followed = await self._followed(commit, prefix, listing, targets, limits)
        else:
            await to_thread(_check_links, prefix, targets)
            followed = FollowedTree(listing.entries)
        entries = await self._sized(commit, followed.files)
        folds = folds_case(folder.parent)
        await to_thread(check_entries, entries, limits, folds_case=folds)
        await self._write(entries, folder)
        return ExportedTree(
            len(entries),
            listing.submodules,
            [*(trail if len(trail) > 1 else ()), *followed.outside],
            followed.dangling,
            followed.rings,
        )

    async def _tree_id(self, commit: str, path: str) -> str | None:
        """The id of a folder; None if no folder is there without following links."""
        found = await run_git(
            ["cat-file", "--batch-check=%(objecttype) %(objectname)"],
            cwd=self.mirror,
            data=f"{commit}:{path}\n".encode(),
            extra=self.environment,
        )
        kind, _, name = found.decode(errors="replace").partition(" ")
        return name.strip() if kind == "tree" else None

    async def _index(self, commit: str) -> TreeIndex:
        listing = await self._list(commit, most=REPOSITORY_FILES)
        targets = await self._targets(commit, listing.entries)
        return await to_thread(TreeIndex, listing.entries, targets)

    async def _followed(
        self,
        commit: str,
        prefix: str,
        listing: _Listing,
        targets: Mapping[str, str],
        limits: TreeLimits,
    ) -> FollowedTree:
        try:
            index = TreeIndex(listing.entries, targets)
            return await to_thread(follow_links, index, "", limits)
        except Invalid:
            # A link leaves the folder: the repository says whether it may.
            index = await self._index(commit)
            return await to_thread(follow_links, index, prefix, limits)

    async def _list(self, treeish: str, *, most: int) -> _Listing:
        listing = _Listing()

        def consume(output: IO[bytes]) -> None:
            for record in _records(output):
                _add(record, listing)
                if len(listing.entries) > most:
                    raise TooLarge(f"More than {most} files")

        await self._stream(["ls-tree", "-r", "-z", "--full-tree", treeish], consume)
        return listing

    async def _targets(
        self, commit: str, entries: Sequence[ForeignEntry]
    ) -> dict[str, str]:
        """Where the links among `entries` lead; without those that are no path."""
        links = [entry for entry in entries if entry.kind == "link"]
        if not links:
            return {}
        sized = await self._sized(commit, links)
        sane = [entry for entry in sized if entry.size <= TARGET_BYTES]
        targets: dict[str, str] = {}

        def consume(output: IO[bytes]) -> None:
            for entry, size in _contents(output, sane):
                raw = output.read(size)
                targets[entry.path] = raw.decode("utf-8", "surrogateescape")

        await self._stream(["cat-file", "--batch"], consume, data=_ids(sane))
        return targets

    async def _sized(
        self, commit: str, entries: Sequence[ForeignEntry]
    ) -> list[ForeignEntry]:
        """The same entries with their sizes."""
        if self.is_partial:
            await self._fetch_missing(commit, {entry.content for entry in entries})
        if not entries:
            return []
        out = await run_git(
            ["cat-file", "--batch-check=%(objecttype) %(objectsize)"],
            cwd=self.mirror,
            data=_ids(entries),
            extra=self.environment,
        )
        return await to_thread(_with_sizes, entries, out)

    async def _fetch_missing(self, commit: str, ids: set[str]) -> None:
        """Fetch the contents that are not in the mirror at once, not one by one."""
        missing: set[str] = set()

        def consume(output: IO[bytes]) -> None:
            for line in output:
                if line.startswith(b"?"):
                    missing.add(line[1:].decode().strip())

        arguments = ["rev-list", "--objects", "--missing=print", f"{commit}^{{tree}}"]
        await self._stream(arguments, consume)
        if not missing & ids:
            return
        # As git fetches them itself, one by one.
        options = ["--no-tags", "--no-write-fetch-head", "--recurse-submodules=no"]
        negotiation = ["-c", "fetch.negotiationAlgorithm=noop"]
        filtering = ["--filter=blob:none", "--stdin", "origin"]
        await run_git(
            [*negotiation, "fetch", "--quiet", *options, *filtering],
            cwd=self.mirror,
            data="".join(f"{name}\n" for name in sorted(missing & ids)).encode(),
            extra=self.environment,
        )

    async def _write(self, entries: Sequence[ForeignEntry], folder: Path) -> None:
        written = 0

        def consume(output: IO[bytes]) -> None:
            nonlocal written
            with ForeignFolder.open(folder, create=True) as root:
                replaces = bool(root.listing(""))
                for entry, size in _contents(output, entries):
                    _write_one(root, entry, output, size, replaces=replaces)
                    written += 1

        await self._stream(["cat-file", "--batch"], consume, data=_ids(entries))
        if written < len(entries):
            raise Unavailable("git cat-file ended early")

    async def _stream(
        self,
        arguments: Sequence[str],
        consume: Consumer,
        *,
        data: bytes | None = None,
    ) -> None:
        await stream_git(
            arguments, consume, cwd=self.mirror, data=data, extra=self.environment
        )


def _records(output: IO[bytes]) -> Iterator[bytes]:
    """What is between NULs."""
    rest = b""
    while chunk := output.read(CHUNK):
        *records, rest = (rest + chunk).split(b"\0")
        yield from records


def _add(record: bytes, listing: _Listing) -> None:
    head, _, raw = record.partition(b"\t")
    mode, _, content = head.split()
    path = raw.decode("utf-8", "surrogateescape")
    if mode == _SUBMODULE:
        listing.submodules.append(path)
        return
    listing.entries.append(
        ForeignEntry(
            path,
            "link" if mode == _LINK else "file",
            is_executable=mode != _LINK and bool(int(mode, 8) & 0o111),
            content=content.decode(),
        )
    )


def _ids(entries: Sequence[ForeignEntry]) -> bytes:
    return "".join(f"{entry.content}\n" for entry in entries).encode()


def _check_links(prefix: str, targets: Mapping[str, str]) -> None:
    for path, target in targets.items():
        check_link(f"{prefix}/{path}" if prefix else path, target)


def _with_sizes(entries: Sequence[ForeignEntry], printed: bytes) -> list[ForeignEntry]:
    lines = printed.decode(errors="replace").splitlines()
    if len(lines) != len(entries):
        raise Unavailable("git cat-file ended early")
    return [
        replace(entry, size=_blob_size(entry, line))
        for entry, line in zip(entries, lines, strict=True)
    ]


def _blob_size(entry: ForeignEntry, line: str) -> int:
    kind, _, size = line.partition(" ")
    if kind != "blob":
        raise Invalid(f"path: {shown(entry.path)}: its content is not a file")
    return int(size)


def _contents(
    output: IO[bytes], entries: Sequence[ForeignEntry]
) -> Iterator[tuple[ForeignEntry, int]]:
    """Each entry with its size, when its content is next in `cat-file`'s output."""
    for entry in entries:
        words = output.readline(_HEADER_BYTES).split()
        if len(words) != 3 or words[1] != b"blob" or int(words[2]) != entry.size:
            # git's exit code says why.
            return
        yield entry, entry.size
        output.read(1)


def _write_one(
    root: ForeignFolder,
    entry: ForeignEntry,
    output: IO[bytes],
    size: int,
    *,
    replaces: bool,
) -> None:
    if entry.kind == "link":
        target = output.read(size).decode("utf-8", "surrogateescape")
        root.link(entry.path, target, replaces=replaces)
        return
    content = _chunks(output, size)
    executable = entry.is_executable
    root.write(entry.path, content, executable=executable, replaces=replaces)


def _chunks(output: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        chunk = output.read(min(size, CHUNK))
        if not chunk:
            raise Unavailable("git cat-file ended early")
        size -= len(chunk)
        yield chunk


def _size_of(header: bytes, output: IO[bytes], path: str) -> int:
    """The size of the file that `cat-file` is about to print."""
    words = header.split()
    if len(words) == 3 and words[1] == b"blob":
        if int(words[2]) > FILE_LIMIT:
            raise TooLarge(f"{path}: over the limit of {FILE_LIMIT} bytes")
        return int(words[2])
    if len(words) == 2 and words[0] == b"symlink":
        target = output.read(min(int(words[1]), TARGET_BYTES))
        raise Invalid(
            f"{path}: the link leads outside the repository, "
            f"to {shown(target.decode(errors='replace'))}"
        )
    if len(words) == 2 and words[0] == b"loop":
        raise Invalid(f"{path}: the link is part of a ring")
    if len(words) == 2 and words[0] == b"dangling":
        raise NotFound(f"there is no file behind the link {path}")
    raise NotFound(f"there is no file {path}")
