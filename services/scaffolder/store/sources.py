"""Sources by Git, by HTTP where it is allowed, and beside `file:` templates."""

import posixpath
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from services.scaffolder.ports import HiddenLocations
from services.scaffolder.workspace.folder_sources import (
    copy_folder,
    folder_of,
    is_absolute,
    read_file,
)
from shared.contracts.errors import CallboardError, Invalid, NotFound
from shared.kit.git.addresses import GitTarget, is_folder
from shared.kit.git.link_rights import HiddenPaths, PathRights, hidden_by_location
from shared.kit.git.not_found import repository_not_found_message
from shared.kit.git.url_reader import UrlReader

#: A missing source and one that a run may not read have the same error.
OR_HIDDEN = (
    ", it is not readable for who started this, or its descriptor cannot be read yet"
)


class UrlSources:
    """Sources that the integrations and `backend.reading.allow` let the portal read."""

    def __init__(self, reader: UrlReader) -> None:
        self._reader = reader

    def location(self, url: str, base: str | None) -> str:
        if base is not None and base.startswith("file:") and not is_absolute(url):
            return f"file:{posixpath.normpath(folder_of(base) / unquote(url))}"
        return f"url:{self._address(url, base)}"

    async def missing(self, url: str, base: str | None) -> CallboardError:
        kind, _, address = self.location(url, base).partition(":")
        target = self._reader.locate(address) if kind == "url" else None
        if target is None:
            return NotFound(f"url: there is nothing at {url!r}{OR_HIDDEN}")
        return NotFound(f"{await self._reader.missing_repository(target)}{OR_HIDDEN}")

    async def _resolved(self, target: GitTarget) -> tuple[GitTarget, str]:
        try:
            return await self._reader.mirrors.resolve(target)
        except NotFound as error:
            if error.message != repository_not_found_message(target):
                raise
            raise NotFound(f"{error.message}{OR_HIDDEN}") from error

    async def tree(
        self,
        url: str,
        base: str | None,
        folder: Path,
        *,
        hidden: HiddenLocations | None = None,
    ) -> Sequence[str]:
        """Write the files below `url` into `folder`; notes of what was left out.

        Raises:
            Invalid: if the URL is no place in a Git repository: a plain web server
                cannot list a folder.
        """
        if base is not None and base.startswith("file:") and not is_absolute(url):
            return await copy_folder(folder_of(base), url, folder)
        address = self._address(url, base)
        target = self._reader.locate(address)
        if target is None:
            self._reader.require_allowed(address)
            raise Invalid(
                f"url: {address} is a folder of no known Git host, "
                "and only those can be listed; see 'integrations'"
            )
        target, commit = await self._resolved(target)
        exported = await self._reader.mirrors.export(
            target,
            commit,
            target.path,
            folder,
            rights=PathRights(self._hidden_paths(target, hidden)),
        )
        return [
            f"{path} is another repository (a submodule); its files are left out"
            for path in exported.submodules
        ]

    async def file(
        self, url: str, base: str | None, *, hidden: HiddenLocations | None = None
    ) -> bytes:
        if base is not None and base.startswith("file:") and not is_absolute(url):
            return await read_file(folder_of(base), url)
        address = self._address(url, base)
        target = self._reader.locate(address)
        if target is None:
            return (await self._reader.read(address)).body
        target, commit = await self._resolved(target)
        return await self._reader.mirrors.read(
            target,
            commit,
            target.path,
            hidden_paths=self._hidden_paths(target, hidden),
        )

    def _hidden_paths(
        self, target: GitTarget, hidden: HiddenLocations | None
    ) -> HiddenPaths | None:
        if hidden is None:
            return None
        return hidden_by_location(target, self._reader.locate, hidden)

    def _address(self, url: str, base: str | None) -> str:
        if is_absolute(url):
            return url
        if base is None:
            raise Invalid(
                f"url: {url!r} is relative, and the template has no place of its own"
            )
        target = self._reader.locate(base)
        if target is None:
            return self._reader.resolve(base, url)
        folder = target.path
        if not is_folder(base, target):
            folder = folder.rpartition("/")[0]
        return _beside(target, folder, url).url()


def _beside(target: GitTarget, folder: str, relative: str) -> GitTarget:
    """The target `relative` to a folder, within its repository.

    A leading `/` is the repository's root, as in a Location's targets.

    Raises:
        Invalid: if it leads outside the repository.
    """
    path = unquote(relative)
    parts = folder.split("/") if folder and not path.startswith("/") else []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                raise Invalid(f"url: {relative!r} leads outside the repository")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return target.at("/".join(parts))
