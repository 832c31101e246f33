"""Sources by Git, by HTTP where it is allowed, and beside `file:` templates."""

from collections.abc import Sequence
from pathlib import Path

from services.scaffolder.folder_sources import (
    copy_folder,
    folder_of,
    is_absolute,
    read_file,
)
from shared.contracts.errors import Invalid
from shared.kit.giturls import GitTarget
from shared.kit.urls import UrlReader


class UrlSources:
    """What the installation's integrations and `backend.reading.allow` let it read."""

    def __init__(self, reader: UrlReader) -> None:
        self._reader = reader

    async def tree(self, url: str, base: str | None, folder: Path) -> Sequence[str]:
        """Write the files below `url` into `folder`; what was left out, in words.

        Raises:
            Invalid: if the URL is no place in a Git repository: a plain web server
                cannot list a folder.
        """
        if base is not None and base.startswith("file:") and not is_absolute(url):
            await copy_folder(folder_of(base), url, folder)
            return ()
        address = self._address(url, base)
        target = self._reader.mirrors.locate(address)
        if target is None:
            self._reader.require_allowed(address)
            raise Invalid(
                f"url: {address} is a folder of no known Git host, "
                "and only those can be listed; see 'integrations'"
            )
        target, commit = await self._reader.mirrors.resolve(target)
        exported = await self._reader.mirrors.export(
            target, commit, target.path, folder
        )
        return [
            f"{path} is another repository (a submodule); its files are left out"
            for path in exported.submodules
        ]

    async def file(self, url: str, base: str | None) -> bytes:
        if base is not None and base.startswith("file:") and not is_absolute(url):
            return await read_file(folder_of(base), url)
        return (await self._reader.read(self._address(url, base))).body

    def _address(self, url: str, base: str | None) -> str:
        if is_absolute(url):
            return url
        if base is None:
            raise Invalid(
                f"url: {url!r} is relative, and the template has no place of its own"
            )
        target = self._reader.mirrors.locate(base)
        if target is None:
            return self._reader.resolve(base, url)
        folder = target.path if base.endswith("/") else target.path.rpartition("/")[0]
        return _beside(target, folder, url).url()


def _beside(target: GitTarget, folder: str, relative: str) -> GitTarget:
    """The place `relative` to a folder, within its repository.

    Raises:
        Invalid: if it leads outside the repository.
    """
    parts = folder.split("/") if folder else []
    for part in relative.split("/"):
        if part == "..":
            if not parts:
                raise Invalid(f"url: {relative!r} leads outside the repository")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return target.at("/".join(parts))
