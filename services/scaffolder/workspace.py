"""A run's folder, and the only way from a path in a template to a path on the disk."""

import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from shared.contracts.errors import Forbidden, Invalid, TooLarge

FILE_LIMIT = 10 * 1024 * 1024
TREE_LIMIT = 200 * 1024 * 1024
FILES_LIMIT = 20_000
_EXECUTABLE = 0o111


class Workspace:
    """The folder that a run's actions read and write. Nothing in it leads outside."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    def path(self, relative: str) -> Path:
        """Where `relative` lies.

        Raises:
            Forbidden: if it, or a link on the way, leads outside the workspace.
        """
        return safe_path(self.root, relative)

    def write(self, relative: str, content: bytes, *, executable: bool = False) -> Path:
        """Write a file whole: a crash leaves the old one or the new one.

        Raises:
            Forbidden: if the path leads outside.
            Invalid: if a folder of this name, or a file as its folder, is in the way.
            TooLarge: if it is over the limit of a file.
        """
        if len(content) > FILE_LIMIT:
            raise TooLarge(f"{relative}: over the limit of {FILE_LIMIT} bytes")
        path = self.path(relative)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                Path(name).chmod(0o755 if executable else 0o644)
                Path(name).replace(path)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise Invalid(f"{relative}: something else is in its place") from error
        return path

    def files(self) -> list[str]:
        """The paths of all files, relative, in order."""
        return [path.relative_to(self.root).as_posix() for path in tree(self.root)]

    def scratch(self) -> Path:
        """A new empty folder beside the workspace, for work in progress."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        prefix = f"{self.root.name}-scratch-"
        return Path(tempfile.mkdtemp(dir=self.root.parent, prefix=prefix))


def safe_path(root: Path, relative: str) -> Path:
    """`relative` below `root`, following links.

    Raises:
        Forbidden: if that is not below `root`.
    """
    outside = Forbidden(
        "Relative path is not allowed to refer to a directory outside its parent"
    )
    if "\0" in relative or PurePosixPath(relative).is_absolute() or "\\" in relative:
        raise outside
    try:
        base = root.resolve()
        plain = Path(os.path.normpath(base / relative))
        if not plain.is_relative_to(base):
            raise outside
        # The last part may itself be a link: what matters is where it would lead.
        real = plain.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise outside from error
    if not real.is_relative_to(base):
        raise outside
    return plain


def tree(root: Path) -> list[Path]:
    """All files below `root` in order; links are not followed, nor are they files.

    Raises:
        TooLarge: if there are too many.
    """
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        found += (
            path for name in names if not (path := Path(folder, name)).is_symlink()
        )
        if len(found) > FILES_LIMIT:
            raise TooLarge(f"Over the limit of {FILES_LIMIT} files")
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def is_executable(path: Path) -> bool:
    """Whether anybody may execute the file."""
    return bool(path.stat().st_mode & _EXECUTABLE)


def copy_tree(source: Path, workspace: Workspace, target: str) -> int:
    """Copy every file below `source` to `target`; how many there were.

    Raises:
        Forbidden: if `target` leads outside.
        TooLarge: if it is over the limit of a tree.
    """
    size = 0
    paths = tree(source)
    for path in paths:
        size += path.stat().st_size
        if size > TREE_LIMIT:
            raise TooLarge(f"Over the limit of {TREE_LIMIT} bytes")
        relative = (
            PurePosixPath(target) / path.relative_to(source).as_posix()
        ).as_posix()
        workspace.write(relative, path.read_bytes(), executable=is_executable(path))
    return len(paths)
