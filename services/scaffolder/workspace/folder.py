"""A run's folder: the one way from a path in a template to a file on the disk."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from shared.contracts.errors import Forbidden, Invalid, TooLarge
from shared.guards.foreign_files import ForeignFolder, PathStatus
from shared.guards.foreign_paths import OUTSIDE, normalise, quoted_path
from shared.guards.foreign_trees import ForeignEntry, TreeLimits, check_entries

FILE_LIMIT = 10 * 1024 * 1024
TREE_LIMIT = 200 * 1024 * 1024
FILES_LIMIT = 20_000
#: Paths that one line of a log names.
PATHS_NAMED = 10
LIMITS = TreeLimits(FILES_LIMIT, FILES_LIMIT, TREE_LIMIT, FILE_LIMIT)


class Workspace:
    """The folder that a run's actions read and write; no path in it leads outside.

    Links are files of the tree: stored, listed and published as they are. Reading
    follows a link within the workspace only; writing replaces a link. What is written
    is counted before it is written, as if it replaced nothing; at the limit the files
    are counted as they are.
    """

    def __init__(self, root: Path, *, most_bytes: int = TREE_LIMIT) -> None:
        self.root = root
        self._most_bytes = most_bytes
        self._files: int | None = None
        self._bytes = 0

    def prepare(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    def path(self, relative: str) -> Path:
        """The path of `relative` on the disk.

        Raises:
            Forbidden: if it, or a link on the way, leads outside the workspace.
        """
        return safe_path(self.root, relative)

    def reserve(self, size: int, *, files: int = 1) -> None:
        """Count files that are about to be written, `size` bytes in all.

        Raises:
            TooLarge: if the workspace would hold too many files or bytes.
        """
        if self._files is None or self._is_over(files, size):
            self.prepare()
            entries = self.entries()
            self._files, self._bytes = len(entries), sum(e.size for e in entries)
        if self._is_over(files, size):
            raise TooLarge(
                f"The run's files are over the limit of {FILES_LIMIT} files or "
                f"{self._most_bytes} bytes"
            )
        self._files += files
        self._bytes += size

    def _is_over(self, files: int, size: int) -> bool:
        is_full = (self._files or 0) + files > FILES_LIMIT
        return is_full or self._bytes + size > self._most_bytes

    def write(self, relative: str, content: bytes, *, executable: bool = False) -> Path:
        """Write a file at once: a crash leaves the old content or the new one.

        Raises:
            Forbidden: if the path leads outside.
            Invalid: if a folder of this name, or a file as its folder, is in the way.
            TooLarge: if it is over the limit of a file, or of the workspace.
        """
        if len(content) > FILE_LIMIT:
            raise TooLarge(f"{relative}: over the limit of {FILE_LIMIT} bytes")
        self.reserve(len(content))
        with self._opened(relative) as (folder, place):
            folder.write(place, content, executable=executable, replaces=True)
        return self.root / place

    def link(self, relative: str, target: str) -> None:
        """Make a link, which is published as it is.

        Raises:
            Forbidden: if the path leads outside.
            Invalid: if the target is absolute, or a folder is in the way.
            TooLarge: if the workspace is full.
        """
        self.reserve(0)
        with self._opened(relative) as (folder, place):
            folder.link(place, target, replaces=True)

    def read(self, relative: str) -> bytes:
        """The content of a file; links are followed inside the workspace.

        Raises:
            Forbidden: if the path leads outside.
            Invalid: if a link does.
            NotFound: if there is no such file.
            TooLarge: if it is over the limit of a file.
        """
        with self._opened(relative) as (folder, place):
            return folder.read(place, limit=FILE_LIMIT)

    def status(self, relative: str) -> PathStatus | None:
        """What is at a path, a link itself not followed; None if nothing is."""
        if not normalise(relative, allows_backslash=True):
            return PathStatus("folder")
        with self._opened(relative) as (folder, place):
            return folder.status(place)

    def folder(self, relative: str) -> str | None:
        """The path of a folder, links followed; None if there is none.

        Raises:
            Forbidden: if the path leads outside.
            Invalid: if a link does.
        """
        with ForeignFolder.open(self.root) as folder:
            real = folder.real_path("/".join(normalise(relative)))
            status = folder.status(real)
        return real if status is not None and status.kind == "folder" else None

    def walk(
        self, start: str = "", *, recursive: bool = True
    ) -> list[tuple[str, PathStatus]]:
        """The files, links and folders in a folder, by path; links are not followed.

        Raises:
            TooLarge: if there are too many.
        """
        entries: list[tuple[str, PathStatus]] = []
        waiting = [start]
        with ForeignFolder.open(self.root) as folder:
            while waiting:
                parent = waiting.pop()
                for name, status in folder.listing(parent):
                    path = f"{parent}/{name}" if parent else name
                    entries.append((path, status))
                    if recursive and status.kind == "folder":
                        waiting.append(path)
                if len(entries) > FILES_LIMIT:
                    raise TooLarge(f"Over the limit of {FILES_LIMIT} files")
        return sorted(entries, key=lambda item: item[0])

    def delete(self, relative: str) -> bool:
        """Remove a file, a link or a folder with all in it; whether there was any.

        Raises:
            Forbidden: if the path leads outside.
        """
        with self._opened(relative) as (folder, place):
            return folder.remove(place)

    def rename(self, source: str, target: str) -> None:
        """Rename a file, a link or a folder to a path where nothing is.

        Raises:
            Forbidden: if a path leads outside.
            Invalid: if something is in the way.
        """
        with self._opened(target) as (folder, place):
            before = _place(folder, source)
            folder.rename(before, place)

    def replace(self, source: str, target: str) -> None:
        """Rename a file, a link or a folder to a path where something may be.

        Raises:
            Forbidden: if a path leads outside.
            Invalid: if one of them is the other or lies in it: nothing is lost.
        """
        with self._opened(target) as (folder, place):
            before = _place(folder, source)
            if _is_within(before, place) or _is_within(place, before):
                raise Invalid("one of them is the other, or lies in it")
            folder.remove(place)
            folder.rename(before, place)

    def entries(self) -> list[ForeignEntry]:
        """All files and links, in order.

        Raises:
            TooLarge: if there are too many.
        """
        with ForeignFolder.open(self.root) as folder:
            entries = list(folder.entries(limit=2 * FILES_LIMIT))
        if len(entries) > FILES_LIMIT:
            raise TooLarge(f"Over the limit of {FILES_LIMIT} files")
        return sorted(entries, key=lambda entry: entry.path)

    def target(self, relative: str) -> str:
        """What a link points to."""
        with self._opened(relative) as (folder, place):
            return folder.target(place)

    def files(self) -> list[str]:
        """The paths of all files and links, relative, in order."""
        return [entry.path for entry in self.entries()]

    def scratch(self) -> Path:
        """A new empty folder beside the workspace, for work in progress."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        prefix = f"{self.root.name}-scratch-"
        return Path(tempfile.mkdtemp(dir=self.root.parent, prefix=prefix))

    @contextmanager
    def _opened(self, relative: str) -> Iterator[tuple[ForeignFolder, str]]:
        """The opened workspace, and the path in it with links of folders followed."""
        with ForeignFolder.open(self.root, create=True) as folder:
            yield folder, _place(folder, relative)


def _is_within(path: str, folder: str) -> bool:
    """Whether a normal path is that of the folder, or below it."""
    return f"{path}/".startswith(f"{folder}/")


def _place(folder: ForeignFolder, relative: str) -> str:
    """The path of `relative` in the folder, with links of folders followed."""
    parts = normalise(relative, allows_backslash=True)
    if not parts:
        raise Invalid(f"path: {quoted_path(relative)}: is the workspace itself")
    parent = folder.real_path("/".join(parts[:-1]))
    return f"{parent}/{parts[-1]}" if parent else parts[-1]


def safe_path(root: Path, relative: str) -> Path:
    """`relative` below `root`, following links.

    Raises:
        Forbidden: if that is not below `root`.
    """
    outside = Forbidden(OUTSIDE)
    parts = normalise(relative)
    try:
        base = root.resolve()
        plain = base.joinpath(*parts)
        # The last part may itself be a link: what matters is where it would lead.
        real = plain.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise outside from error
    if not real.is_relative_to(base):
        raise outside
    return plain


def split_tree(root: Path) -> tuple[list[ForeignEntry], list[str]]:
    """All files and links below `root`, in order, and the paths of Git's own folders.

    What is in Git's own folders is no part of a tree.

    Raises:
        TooLarge: if there are too many.
    """
    git_folders: list[str] = []
    with ForeignFolder.open(root) as folder:
        entries = list(
            folder.entries(
                limit=2 * FILES_LIMIT, skips_git=True, git_folders=git_folders
            )
        )
    return sorted(entries, key=lambda entry: entry.path), git_folders


def left_out_notes(git_folders: Sequence[str]) -> tuple[str, ...]:
    """What a run's log says of Git's own folders that an action leaves out."""
    if not git_folders:
        return ()
    return (f"Left out as Git's own folders: {_listed(git_folders)}",)


def require_files(entries: Sequence[ForeignEntry], git_folders: Sequence[str]) -> None:
    """Refuse a tree of which nothing is left without Git's own folders.

    Raises:
        Invalid: naming them.
    """
    if git_folders and not entries:
        raise Invalid(
            f"sourcePath: there is nothing to publish but {_listed(git_folders)}, and "
            "a repository cannot contain Git's own folders"
        )


def _listed(paths: Sequence[str]) -> str:
    names = ", ".join(map(quoted_path, paths[:PATHS_NAMED]))
    more = len(paths) - PATHS_NAMED
    return f"{names} and {more} more" if more > 0 else names


def tree(root: Path) -> list[ForeignEntry]:
    """All files and links below `root`, in order, within the limits of a tree.

    Raises:
        Invalid: if a name in it breaks a rule.
        TooLarge: if there are too many, or they are too large.
    """
    entries, _ = split_tree(root)
    check_entries(entries, LIMITS)
    return entries


def copy_tree(source: Path, workspace: Workspace, target: str) -> int:
    """Copy every file and link below `source` to `target`; how many.

    Raises:
        Forbidden: if `target` leads outside.
        TooLarge: if it is over the limit of a tree, or of the workspace.
    """
    entries = tree(source)
    workspace.reserve(sum(entry.size for entry in entries), files=len(entries))
    with (
        ForeignFolder.open(source) as before,
        ForeignFolder.open(workspace.root, create=True) as after,
    ):
        for entry in entries:
            place = _place(after, (PurePosixPath(target) / entry.path).as_posix())
            if entry.kind == "link":
                after.link(place, before.target(entry.path), replaces=True)
                continue
            content = before.chunks(entry.path)
            executable = entry.is_executable
            after.write(place, content, executable=executable, replaces=True)
    return len(entries)
