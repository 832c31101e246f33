"""Sources in a folder of this machine: of `file:` templates and of dry runs."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from services.scaffolder.ports import HiddenLocations, TemplateSources
from services.scaffolder.workspace.folder import (
    Workspace,
    copy_tree,
    left_out_notes,
    split_tree,
)
from shared.contracts.errors import CallboardError, Forbidden, Invalid, NotFound
from shared.guards.addresses import split_address
from shared.guards.foreign_paths import check_link
from shared.guards.workers import ThreadCall


class FolderSources:
    """Reads relative URLs in one folder, all others with the sources `elsewhere`."""

    def __init__(
        self,
        folder: Path,
        elsewhere: TemplateSources,
        in_thread: ThreadCall = asyncio.to_thread,
    ) -> None:
        self._folder = folder
        self._elsewhere = elsewhere
        self._in_thread = in_thread

    def location(self, url: str, base: str | None) -> str:
        """The location of a source."""
        if is_absolute(url):
            return self._elsewhere.location(url, None)
        return self._elsewhere.location(url, base)

    async def missing(self, url: str, base: str | None) -> CallboardError:
        """The error of a missing source."""
        return await self._elsewhere.missing(url, base)

    async def tree(
        self,
        url: str,
        base: str | None,
        folder: Path,
        *,
        hidden: HiddenLocations | None = None,
    ) -> Sequence[str]:
        del base  # relative URLs start from the folder
        if is_absolute(url):
            return await self._elsewhere.tree(url, None, folder, hidden=hidden)
        return await copy_folder(self._folder, url, folder, self._in_thread)

    async def file(
        self, url: str, base: str | None, *, hidden: HiddenLocations | None = None
    ) -> bytes:
        del base
        if is_absolute(url):
            return await self._elsewhere.file(url, None, hidden=hidden)
        return await read_file(self._folder, url, self._in_thread)


def is_absolute(url: str) -> bool:
    """Whether `url` is an address of the web.

    Raises:
        Forbidden: if it is another kind of address: files of the machine are not given
            out by name.
    """
    scheme = split_address(url).scheme
    if scheme in {"http", "https"}:
        return True
    if scheme:
        raise Forbidden(f"url: {url!r} is neither relative nor http(s)")
    return False


async def copy_folder(
    root: Path,
    relative: str,
    folder: Path,
    in_thread: ThreadCall = asyncio.to_thread,
) -> Sequence[str]:
    """Copy the files and links below `relative`, a relative address, to `folder`.

    Returns notes of what is left out.

    Raises:
        Forbidden: if `relative` leads outside `root`.
        Invalid: if a link does.
        NotFound: if there is no such folder.
    """
    return await in_thread(_copy, Workspace(root), relative, folder)


def _copy(root: Workspace, relative: str, folder: Path) -> Sequence[str]:
    start = root.folder(unquote(relative))
    if start is None:
        raise NotFound(f"url: there is no folder {relative!r} beside the template")
    source = root.root / start
    entries, git_folders = split_tree(source)
    for entry in entries:
        if entry.kind == "link":
            path = f"{start}/{entry.path}" if start else entry.path
            check_link(path, root.target(path))
    folder.mkdir(parents=True, exist_ok=True)
    copy_tree(source, Workspace(folder), ".")
    return left_out_notes(git_folders)


async def read_file(
    root: Path, relative: str, in_thread: ThreadCall = asyncio.to_thread
) -> bytes:
    """The content of the file at the relative address `relative`.

    Raises:
        Forbidden: if `relative` leads outside `root`.
        Invalid: if a link does.
        NotFound: if there is no such file.
    """
    try:
        return await in_thread(Workspace(root).read, unquote(relative))
    except NotFound:
        raise NotFound(
            f"url: there is no file {relative!r} beside the template"
        ) from None


def folder_of(base: str) -> Path:
    """The folder of a template whose base URL is a `file:` one.

    Raises:
        Invalid: if it is none.
    """
    parts = split_address(base, "baseUrl")
    if parts.scheme != "file" or not parts.path:
        raise Invalid(f"baseUrl: {base!r} is not a file of this machine")
    return Path(parts.path).parent
