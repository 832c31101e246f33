"""The one way to foreign files below a root: written, read and listed by descriptor.

Every folder on the way is opened relative to the one above it and never through a link
(`dir_fd`, `O_NOFOLLOW`), so what lies on the disk cannot lead elsewhere, whatever the
names say. Modes are reduced to executable or not. Reading follows links as long as they
stay below the root. A new place that writes foreign files uses this (ADR 17).
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
from shared.guards.foreign_trees import ForeignEntry, link_trail

Parts = Sequence[str]
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_IN_THE_WAY = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENOTEMPTY}


@dataclass(frozen=True, slots=True)
class PathStatus:
    """What is at a path: its kind, and size and mode if it is a file."""

    kind: Literal["file", "folder", "link"]
    size: int = 0
    is_executable: bool = False


class ForeignFolder:
    """A folder of foreign files; `ForeignFolder.open(root)` is how to get one."""

    def __init__(self, descriptor: int) -> None:
        self._root = descriptor
        #: The folders on the way to the last path, so that its neighbours are cheap.
        self._way: list[tuple[str, int]] = []

    @classmethod
    @contextmanager
    def open(cls, root: Path, *, create: bool = False) -> Iterator[Self]:
        """The folder at `root`, a path of our own, for as long as the block lasts."""
        if create:
            root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        folder = cls(descriptor)
        try:
            yield folder
        finally:
            folder._back_to(0)
            os.close(descriptor)

    def write(
        self,
        path: str,
        content: bytes | Iterable[bytes],
        *,
        executable: bool = False,
        replaces: bool = False,
    ) -> None:
        """Write a file, and the folders on its way.

        With `replaces`, the file is there whole or as it was, and a link in its place
        is replaced, not followed.

        Raises:
            Invalid: if the path breaks a rule or something else is in its place.
        """
        parts = check_path(path, allows_git=True)
        with _refusing(path):
            folder = self._folder(parts[:-1], create=True)
            name = f".writing-{secrets.token_hex(8)}" if replaces else parts[-1]
            opened = os.open(name, _NEW, 0o755 if executable else 0o644, dir_fd=folder)
            try:
                with os.fdopen(opened, "wb", buffering=0) as file:
                    _write_all(file.fileno(), content)
                    os.fchmod(file.fileno(), 0o755 if executable else 0o644)
                if replaces:
                    os.rename(name, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                raise

    def link(self, path: str, target: str, *, replaces: bool = False) -> None:
        """Make a link; nothing here ever follows it out of the root.

        Raises:
            Invalid: if it is absolute or something else is in its place.
        """
        parts = check_path(path, allows_git=True)
        check_target(path, target)
        with _refusing(path):
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
        """Make a folder and those above it, where they are not there yet."""
        with _refusing(path):
            self._folder(check_path(path, allows_git=True), create=True)

    def real_path(self, path: str) -> str:
        """The path without links that `path` leads to; "" is the root.

        Raises:
            Invalid: if a link on the way leaves the root or is part of a ring.
        """
        return link_trail(path, lambda here: self._target(here.split("/")))[-1]

    def status(self, path: str) -> PathStatus | None:
        """What is at `path` itself, a link not followed; None if nothing is."""
        parts = [part for part in path.split("/") if part]
        if not parts:
            return PathStatus("folder")
        try:
            folder = self._folder(parts[:-1])
            found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        except OSError:
            return None
        return _status(path, found)

    def read(self, path: str, *, limit: int) -> bytes:
        """The content of a file; links are followed below the root.

        Raises:
            Invalid: if a link on the way leaves the root or is part of a ring.
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
        """The content of a file, piece by piece; see `read`."""
        with self._opened(path) as descriptor:
            while chunk := os.read(descriptor, size):
                yield chunk

    def target(self, path: str) -> str:
        """What the link at `path` points to; Invalid if it is no link."""
        target = self._target(check_path(path, allows_git=True))
        if target is None:
            raise Invalid(f"path: {quoted_path(path)}: is no link")
        return target

    def entries(
        self, start: str = "", *, most: int, skips_git: bool = False
    ) -> Iterator[ForeignEntry]:
        """All files and links below a folder, in order; links are not followed.

        `skips_git` leaves Git's own folders out.

        Raises:
            Invalid: if something is neither file, folder nor link.
            NotFound: if there is no such folder.
            TooLarge: if there are more than `most` files and folders.
        """
        waiting, count = [start], 0
        while waiting:
            folder = waiting.pop()
            listed = self.listing(folder)
            count += len(listed)
            if count > most:
                raise TooLarge(f"More than {most} files")
            folders: list[str] = []
            for name, status in listed:
                path = f"{folder}/{name}" if folder else name
                if skips_git and is_git_folder(name):
                    continue
                if status.kind == "folder":
                    folders.append(path)
                else:
                    yield ForeignEntry(
                        path, status.kind, status.size, status.is_executable
                    )
            waiting += reversed(folders)

    def listing(self, path: str) -> list[tuple[str, PathStatus]]:
        """The names in a folder, in order, with what they are.

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
        with os.scandir(folder) as found:
            return [
                (item.name, _status(item.name, item.stat(follow_symlinks=False)))
                for item in sorted(found, key=lambda item: item.name)
            ]

    def remove(self, path: str) -> bool:
        """Remove a file, a link or a whole folder; whether anything was there."""
        parts = check_path(path, allows_git=True)
        if self.status(path) is None:
            return False
        with _refusing(path):
            self._remove(parts)
        return True

    def rename(self, source: str, target: str) -> None:
        """Rename a file, a link or a folder.

        Raises:
            Invalid: if something is at `target`, or a folder would move into itself.
        """
        before, after = (
            check_path(source, allows_git=True),
            check_path(target, allows_git=True),
        )
        with _refusing(target):
            if self.status(target) is not None:
                raise FileExistsError(errno.EEXIST, "exists")
            self._folder(after[:-1], create=True)
            old = os.dup(self._folder(before[:-1]))
            try:
                new = self._folder(after[:-1])
                os.rename(before[-1], after[-1], src_dir_fd=old, dst_dir_fd=new)
            finally:
                os.close(old)
                # The folders on the way may be elsewhere now.
                self._back_to(0)

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
        """What the link at a path without links points to; None if it is no link."""
        try:
            return os.readlink(parts[-1], dir_fd=self._folder(parts[:-1]))
        except OSError:
            return None

    def _folder(self, parts: Parts, *, create: bool = False) -> int:
        """The descriptor of a folder, reached through folders alone."""
        same = 0
        for part, (name, _) in zip(parts, self._way, strict=False):
            if part != name:
                break
            same += 1
        self._back_to(same)
        for part in parts[same:]:
            above = self._way[-1][1] if self._way else self._root
            self._way.append((part, _open_folder(part, above, create=create)))
        return self._way[-1][1] if self._way else self._root

    def _back_to(self, depth: int) -> None:
        while len(self._way) > depth:
            os.close(self._way.pop()[1])


def folds_case(root: Path) -> bool:
    """Whether the disk of `root` takes names that differ in case for one."""
    other = root.with_name(root.name.swapcase())
    if other.name == root.name:
        return False
    with suppress(OSError):
        return root.samefile(other)
    return False


def _open_folder(name: str, above: int, *, create: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=above)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=above)
    return os.open(name, _FOLDER, dir_fd=above)


def _write_all(descriptor: int, content: bytes | Iterable[bytes]) -> None:
    for chunk in [content] if isinstance(content, bytes) else content:
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view) :]


def _status(path: str, found: os.stat_result) -> PathStatus:
    if stat.S_ISLNK(found.st_mode):
        return PathStatus("link", found.st_size)
    if stat.S_ISDIR(found.st_mode):
        return PathStatus("folder")
    if not stat.S_ISREG(found.st_mode):
        raise Invalid(f"path: {quoted_path(path)}: is neither file, folder nor link")
    return PathStatus("file", found.st_size, bool(found.st_mode & 0o111))


@contextmanager
def _refusing(path: str) -> Iterator[None]:
    """Turn the system's refusal of a path into an error that names it."""
    try:
        yield
    except OSError as error:
        if error.errno in _IN_THE_WAY:
            raise Invalid(
                f"path: {quoted_path(path)}: something else is in its place"
            ) from error
        if error.errno in (errno.EINVAL, errno.ENAMETOOLONG):
            raise Invalid(f"path: {quoted_path(path)}: is no path of a file") from error
        raise
