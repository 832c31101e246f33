"""Docs from Git mirrors and from folders of this machine."""

import asyncio
import os
import posixpath
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from services.techdocs.model import Place, Source
from services.techdocs.ports import Sources
from shared.contracts.errors import CallboardError, Invalid, NotFound, TooLarge
from shared.kit.git import RepositoryMirrors
from shared.kit.giturls import GitTarget

FILES = 20_000
PATH = "{path}"
FILE_BYTES = 10 * 1024 * 1024


class GitAndFolders(Sources):
    """The Sources of an installation: its Git hosts, and `file:` locations."""

    def __init__(self, mirrors: RepositoryMirrors) -> None:
        self._mirrors = mirrors

    def locate(self, source: Source) -> Place:
        if source.kind == "dir":
            return Place(source.base)
        found = self._mirrors.locate(source.base)
        if found is None:
            raise Invalid(
                f"backstage.io/techdocs-ref: {source.base} is on no Git host that "
                "`integrations` of the configuration knows"
            )
        start = found.path if source.base_is_folder else posixpath.dirname(found.path)
        folder = posixpath.normpath(posixpath.join("/", start, source.relative or "."))
        return Place(
            folder.strip("/"),
            host=found.host,
            repository=found.repository,
            ref=found.ref,
        )

    def url(self, source: Source) -> str:
        place = self.locate(source)
        return self._target(place).url("tree").rstrip("/") + "/"

    def _target(self, place: Place, path: str = "") -> GitTarget:
        assert place.host is not None  # noqa: S101 - told apart by the caller
        assert place.repository is not None  # noqa: S101
        below = posixpath.join(place.folder, path).strip("/")
        return self._mirrors.target(place.host, place.repository, place.ref, below)

    async def commit(self, place: Place) -> str | None:
        if place.host is None:
            if not await asyncio.to_thread(Path(place.folder).is_dir):
                raise NotFound(f"There is no folder {Path(place.folder).name!r}")
            return None
        return await self._mirrors.fetch(self._target(place))

    async def read(self, place: Place, commit: str | None, path: str) -> bytes:
        if place.host is None or commit is None:
            return await asyncio.to_thread(_read, Path(place.folder), path)
        target = self._target(place, path)
        return await self._mirrors.read(target, commit, target.path)

    async def list(
        self, place: Place, commit: str | None, prefix: str
    ) -> Sequence[str]:
        if place.host is None or commit is None:
            return await asyncio.to_thread(_list, Path(place.folder), prefix)
        target = self._target(place, prefix)
        found = await self._mirrors.list(target, commit, target.path)
        root = f"{place.folder}/" if place.folder else ""
        return [path.removeprefix(root) for path in found]

    async def export(
        self, place: Place, commit: str | None, prefix: str, folder: Path
    ) -> None:
        if place.host is None or commit is None:
            await asyncio.to_thread(_copy, Path(place.folder), prefix, folder)
            return
        target = self._target(place, prefix)
        await self._mirrors.export(target, commit, target.path, folder)

    def link(self, place: Place, kind: Literal["edit", "blob"]) -> str | None:
        if place.host is None:
            return None
        return self._target(place).at(PATH).url(kind).replace(quote(PATH), PATH)

    def repository_url(self, place: Place) -> str | None:
        if place.host is None:
            return None
        return self._target(place).repository_url


def _inside(root: Path, path: str) -> Path:
    found = root / path
    if not found.resolve().is_relative_to(root.resolve()):
        raise Invalid(f"{path}: leads outside the documentation's folder")
    return found


def _read(root: Path, path: str) -> bytes:
    found = _inside(root, path)
    if not found.is_file():
        raise NotFound(f"There is no file {path}")
    if found.stat().st_size > FILE_BYTES:
        raise TooLarge(f"{path}: over the limit of {FILE_BYTES} bytes")
    return found.read_bytes()


def _list(root: Path, prefix: str) -> list[str]:
    found: list[str] = []
    for parent, folders, names in os.walk(_inside(root, prefix)):
        folders[:] = sorted(name for name in folders if name != ".git")
        found += [Path(parent, name).relative_to(root).as_posix() for name in names]
        if len(found) > FILES:
            raise TooLarge(f"docs: more than {FILES} files below {prefix or '.'}")
    return found


def _copy(root: Path, prefix: str, folder: Path) -> None:
    source = _inside(root, prefix)
    if not source.is_dir():
        raise NotFound(f"There is no folder {prefix}")
    _list(root, prefix)
    try:
        shutil.copytree(
            source,
            folder,
            symlinks=True,
            ignore=shutil.ignore_patterns(".git"),
            dirs_exist_ok=True,
        )
    except shutil.Error as error:
        raise CallboardError(f"docs: {error.args[0][0][2]}") from error
