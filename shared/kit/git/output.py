"""Parses the output of `ls-tree` and `cat-file` in chunks and within limits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import IO

from shared.contracts.errors import Invalid, NotFound, TooLarge, Unavailable
from shared.guards.foreign_files import ForeignFolder
from shared.guards.foreign_paths import PATH_BYTES, TARGET_BYTES, quoted_path
from shared.guards.foreign_trees import ForeignEntry
from shared.kit.git.command import FILE_LIMIT

LISTING_BYTES = 64 * 1024 * 1024
CHUNK = 256 * 1024
HEADER_BYTES = 16 * 1024
_RECORD_BYTES = PATH_BYTES + 200
_LINK, _SUBMODULE = b"120000", b"160000"


class DanglingLink(NotFound):
    """Git found no file behind a link; it cannot follow targets with a `.` segment."""


class PathIsFolder(NotFound):
    """The path of a file to read leads to a folder."""


class PathBelowFile(NotFound):
    """A part of the path of a file to read is a file itself, perhaps behind a link."""


def folder_message(path: str) -> str:
    """What is said where the path of a file to read leads to a folder."""
    return f"there is a folder, and no file, {path or '/'}"


def no_file_behind(path: str) -> DanglingLink:
    """The error of a link that leads to nothing, or to what the reader may not see."""
    return DanglingLink(f"there is no file behind the link {path}")


@dataclass(slots=True)
class TreeListing:
    """The files and links of a tree, and the paths of its submodules."""

    entries: list[ForeignEntry] = field(default_factory=list)
    submodules: list[str] = field(default_factory=list)


def records(output: IO[bytes]) -> Iterator[bytes]:
    """The records of an output, which NUL separates.

    Raises:
        Invalid: if a path is far too long.
        TooLarge: if the output is over `LISTING_BYTES`.
    """
    remainder, size = b"", 0
    while chunk := output.read(CHUNK):
        size += len(chunk)
        if size > LISTING_BYTES:
            raise TooLarge(f"The names of all files are over {LISTING_BYTES} bytes")
        *records, remainder = (remainder + chunk).split(b"\0")
        for record in [*records, remainder]:
            if len(record) > _RECORD_BYTES:
                name = record.partition(b"\t")[2][:PATH_BYTES].decode(errors="replace")
                raise Invalid(
                    f"path: {quoted_path(name)}: over the limit of {PATH_BYTES} bytes"
                )
        yield from records


def add_record(record: bytes, listing: TreeListing) -> None:
    """Add one record of `ls-tree` to the listing."""
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


def content_ids(entries: Sequence[ForeignEntry]) -> bytes:
    """The input of `cat-file` for the contents of the entries."""
    return "".join(f"{entry.content}\n" for entry in entries).encode()


def with_sizes(entries: Sequence[ForeignEntry], printed: bytes) -> list[ForeignEntry]:
    """The entries with the sizes from the output of `cat-file`.

    Raises:
        Invalid: naming an entry whose content is not a file.
        Unavailable: if the output is incomplete.
    """
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
        raise Invalid(f"path: {quoted_path(entry.path)}: its content is not a file")
    return int(size)


def contents(
    output: IO[bytes], entries: Sequence[ForeignEntry]
) -> Iterator[tuple[ForeignEntry, int]]:
    """Each entry with its size, just before its content follows in the output."""
    for entry in entries:
        words = output.readline(HEADER_BYTES).split()
        if len(words) != 3 or words[1] != b"blob" or int(words[2]) != entry.size:
            # git's exit code reports the reason.
            return
        yield entry, entry.size
        output.read(1)


def write_entry(
    root: ForeignFolder,
    entry: ForeignEntry,
    output: IO[bytes],
    size: int,
    *,
    replaces: bool,
) -> None:
    """Write one entry below `root` with its content from `cat-file`'s output."""
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


def file_size(header: bytes, output: IO[bytes], path: str) -> int:
    """The size of the file that follows in `cat-file`'s output."""
    words = header.split()
    if len(words) == 3 and words[1] == b"blob":
        if int(words[2]) > FILE_LIMIT:
            raise TooLarge(f"{path}: over the limit of {FILE_LIMIT} bytes")
        return int(words[2])
    if len(words) == 3 and words[1] == b"tree":
        raise PathIsFolder(folder_message(path))
    if len(words) == 2 and words[0] == b"symlink":
        target = output.read(min(int(words[1]), TARGET_BYTES))
        raise Invalid(
            f"{path}: the link leads outside the repository, "
            f"to {quoted_path(target.decode(errors='replace'))}"
        )
    if len(words) == 2 and words[0] == b"loop":
        raise Invalid(f"{path}: the link is part of a ring")
    if len(words) == 2 and words[0] == b"dangling":
        raise no_file_behind(path)
    if len(words) == 2 and words[0] == b"notdir":
        raise PathBelowFile(f"there is no file {path}")
    raise NotFound(f"there is no file {path}")


def split_paths(printed: bytes) -> list[str]:
    """The paths in git's output, each of which ends with NUL."""
    return [part for part in printed.decode(errors="replace").split("\0") if part]
