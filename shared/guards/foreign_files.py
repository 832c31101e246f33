"""Reads, writes and lists foreign files below a root folder, by descriptor.

Every folder of a path is opened relative to its parent and never through a link
(`dir_fd`, `O_NOFOLLOW`), so neither names nor files on the disk can lead outside the
root. Modes are reduced to executable or not. Reading follows links that stay below the
root. All code that writes foreign files uses this module (ADR 17).
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from shared.contracts.errors import Invalid, NotFound, TooLarge
from shared.guards.foreign_paths import (
    DEPTH,
    check_path,
    check_target,
    is_git_folder,
    quoted_path,
)
from shared.guards.foreign_trees import ForeignEntry, follow_path

Parts = Sequence[str]
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_OCCUPIED_ERRORS = {
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENOTEMPTY,
}


@dataclass(frozen=True, slots=True)
class PathStatus:
    """The kind of a path, and the size and mode of a file."""

    kind: Literal["file", "folder", "link"]
    size: int = 0
    is_executable: bool = False


class ForeignFolder:
    """A folder of foreign files; `ForeignFolder.open(root)` opens one."""

    def __init__(self, descriptor: int) -> None:
        self._root = descriptor
        #: The open folders of the last path, reused for paths beside it.
        self._open_folders: list[tuple[str, int]] = []

    @classmethod
    @contextmanager
    def open(cls, root: Path, *, create: bool = False) -> Iterator[Self]:
        """The folder at `root`, which must be a trusted path, while the block runs."""
        if create:
            root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        folder = cls(descriptor)
        try:
            yield folder
        finally:
            folder._close_folders(0)
            os.close(descriptor)

    def write(
        self,
        path: str,
        content: bytes | Iterable[bytes],
        *,
        executable: bool = False,
        replaces: bool = False,
    ) -> None:
        """Write a file, and create the folders of its path.

        With `replaces`, an existing file or link is replaced atomically, and a link is
        not followed.

        Raises:
            Invalid: if the path breaks a rule or something else is in its place.
        """
        parts = check_path(path, allows_git=True)
        with _translating_errors(path):
            folder = self._folder(parts[:-1], create=True)
            name = f".writing-{secrets.token_hex(8)}" if replaces else parts[-1]
            descriptor = os.open(
                name, _NEW, 0o755 if executable else 0o644, dir_fd=folder
            )
            try:
                with os.fdopen(descriptor, "wb", buffering=0) as file:
                    _write_all(file.fileno(), content)
                    os.fchmod(file.fileno(), 0o755 if executable else 0o644)
                if replaces:
                    os.rename(name, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                raise

    def link(self, path: str, target: str, *, replaces: bool = False) -> None:
        """Make a link; this class never follows it out of the root.

        Raises:
            Invalid: if it is absolute or something else is in its place.
        """
        parts = check_path(path, allows_git=True)
        check_target(path, target)
        with _translating_errors(path):
            folder = self._folder(parts[:-1], create=True)
            name = f".writing-{secrets.token_hex(8)}" if replaces else parts[-1]
            os.symlink(target, name, dir_fd=folder)
            try:
                if replaces:
                    os.rename(name, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                os.unlink(name, dir_fd=folder)
                raise

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents where they are missing."""
        with _translating_errors(path):
            self._folder(check_path(path, allows_git=True), create=True)

    def real_path(self, path: str) -> str:
        """The path after all links are followed; "" is the root.

        Raises:
            Invalid: if a link on the path leaves the root or is part of a cycle.
        """
        return follow_path(path, lambda link: self._target(link.split("/")))[-1]

    def status(self, path: str) -> PathStatus | None:
        """The status of `path` itself, without following a link; None if absent."""
        parts = [part for part in path.split("/") if part]
        if not parts:
            return PathStatus("folder")
        try:
            folder = self._folder(parts[:-1])
            stat_result = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        except OSError:
            return None
        return _status(path, stat_result)

    def read(self, path: str, *, limit: int) -> bytes:
        """The content of a file; links are followed below the root.

        Raises:
            Invalid: if a link on the path leaves the root or is part of a cycle.
            NotFound: if there is no such file.
            TooLarge: if it is over `limit` bytes.
        """
        with self._opened(path) as descriptor:
            if os.fstat(descriptor).st_size > limit:
                raise TooLarge(f"{quoted_path(path)}: over the limit of {limit} bytes")
            with os.fdopen(os.dup(descriptor), "rb") as file:
                content = file.read(limit + 1)
        return content

    def chunks(self, path: str, size: int = 1024 * 1024) -> Iterator[bytes]:
        """The content of a file in chunks; raises as `read` does."""
        with self._opened(path) as descriptor:
            while chunk := os.read(descriptor, size):
                yield chunk

    def target(self, path: str) -> str:
        """The target of the link at `path`; Invalid if it is no link."""
        target = self._target(check_path(path, allows_git=True))
        if target is None:
            raise Invalid(f"path: {quoted_path(path)}: is no link")
        return target

    def entries(
        self,
        start: str = "",
        *,
        limit: int,
        skips_git: bool = False,
        git_folders: list[str] | None = None,
    ) -> Iterator[ForeignEntry]:
        """All files and links below a folder, in order; links are not followed.

        With `skips_git`, folders named `.git` are left out, and their paths are added
        to `git_folders`.

        Raises:
            Invalid: if an entry is neither file, folder nor link.
            NotFound: if there is no such folder.
            TooLarge: if there are more than `limit` files and folders.
        """
        pending, count = [start], 0
        while pending:
            folder = pending.pop()
            listing = self.listing(folder)
            count += len(listing)
            if count > limit:
                raise TooLarge(f"More than {limit} files")
            folders: list[str] = []
            for name, status in listing:
                path = f"{folder}/{name}" if folder else name
                if skips_git and is_git_folder(name):
                    if git_folders is not None:
                        git_folders.append(path)
                    continue
                if status.kind == "folder":
                    folders.append(path)
                else:
                    yield ForeignEntry(
                        path, status.kind, status.size, status.is_executable
                    )
            pending += reversed(folders)

    def listing(self, path: str) -> list[tuple[str, PathStatus]]:
        """The names in a folder in order, each with its status.

        Raises:
            NotFound: if there is no such folder.
        """
        parts = [part for part in path.split("/") if part]
        if len(parts) > DEPTH:
            raise Invalid(f"path: {quoted_path(path)}: deeper than {DEPTH} folders")
        try:
            folder = self._folder(parts)
        except OSError as error:
            raise NotFound(f"There is no folder {quoted_path(path)}") from error
        with os.scandir(folder) as scanned:
            return [
                (item.name, _status(item.name, item.stat(follow_symlinks=False)))
                for item in sorted(scanned, key=lambda item: item.name)
            ]

    def remove(self, path: str) -> bool:
        """Remove a file, a link or a whole folder; whether it existed."""
        parts = check_path(path, allows_git=True)
        if self.status(path) is None:
            return False
        with _translating_errors(path):
            self._remove(parts)
        return True

    def rename(self, source: str, target: str) -> None:
        """Rename a file, a link or a folder.

        Raises:
            Invalid: if `target` exists, or a folder would move into itself.
        """
        source_parts, target_parts = (
            check_path(source, allows_git=True),
            check_path(target, allows_git=True),
        )
        with _translating_errors(target):
            if self.status(target) is not None:
                raise FileExistsError(errno.EEXIST, "exists")
            self._folder(target_parts[:-1], create=True)
            source_folder = os.dup(self._folder(source_parts[:-1]))
            try:
                target_folder = self._folder(target_parts[:-1])
                os.rename(
                    source_parts[-1],
                    target_parts[-1],
                    src_dir_fd=source_folder,
                    dst_dir_fd=target_folder,
                )
            finally:
                os.close(source_folder)
                # The open folders may have moved.
                self._close_folders(0)

    def _remove(self, parts: Parts) -> None:
        status = self.status("/".join(parts))
        is_folder = status is not None and status.kind == "folder"
        if is_folder:
            for name, _ in self.listing("/".join(parts)):
                self._remove([*parts, name])
        folder = self._folder(parts[:-1])
        if is_folder:
            os.rmdir(parts[-1], dir_fd=folder)
        else:
            os.unlink(parts[-1], dir_fd=folder)

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        real = self.real_path(path).split("/")
        missing = NotFound(f"There is no file {quoted_path(path)}")
        try:
            folder = self._folder(real[:-1])
            descriptor = os.open(real[-1], _READ, dir_fd=folder)
        except OSError as error:
            raise missing from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise missing
            yield descriptor
        finally:
            os.close(descriptor)

    def _target(self, parts: Parts) -> str | None:
        """The target of the link at a path whose folders are no links, else None."""
        try:
            return os.readlink(parts[-1], dir_fd=self._folder(parts[:-1]))
        except OSError:
            return None

    def _folder(self, parts: Parts, *, create: bool = False) -> int:
        """The descriptor of a folder, opened without following links."""
        shared_depth = 0
        for part, (name, _) in zip(parts, self._open_folders, strict=False):
            if part != name:
                break
            shared_depth += 1
        self._close_folders(shared_depth)
        for part in parts[shared_depth:]:
            parent = self._open_folders[-1][1] if self._open_folders else self._root
            self._open_folders.append((part, _open_folder(part, parent, create=create)))
        return self._open_folders[-1][1] if self._open_folders else self._root

    def _close_folders(self, depth: int) -> None:
        while len(self._open_folders) > depth:
            os.close(self._open_folders.pop()[1])


def folds_case(root: Path) -> bool:
    """Whether the disk of `root` treats names that differ only in case as equal."""
    swapped = root.with_name(root.name.swapcase())
    if swapped.name == root.name:
        return False
    with suppress(OSError):
        return root.samefile(swapped)
    return False


def _open_folder(name: str, parent: int, *, create: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)


def _write_all(descriptor: int, content: bytes | Iterable[bytes]) -> None:
    for chunk in [content] if isinstance(content, bytes) else content:
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view) :]


def _status(path: str, stat_result: os.stat_result) -> PathStatus:
    if stat.S_ISLNK(stat_result.st_mode):
        return PathStatus("link", stat_result.st_size)
    if stat.S_ISDIR(stat_result.st_mode):
        return PathStatus("folder")
    if not stat.S_ISREG(stat_result.st_mode):
        raise Invalid(f"path: {quoted_path(path)}: is neither file, folder nor link")
    return PathStatus("file", stat_result.st_size, bool(stat_result.st_mode & 0o111))


@contextmanager
def _translating_errors(path: str) -> Iterator[None]:
    """Turn the system's refusal of a path into an error that names the path."""
    try:
        yield
    except OSError as error:
        if error.errno in _OCCUPIED_ERRORS:
            raise Invalid(
                f"path: {quoted_path(path)}: something else is in its place"
            ) from error
        if error.errno in (errno.EINVAL, errno.ENAMETOOLONG):
            raise Invalid(f"path: {quoted_path(path)}: is no path of a file") from error
        raise
