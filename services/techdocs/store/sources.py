"""Docs from Git mirrors and from folders of this machine."""

import asyncio
import os
import posixpath
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from services.techdocs.annotations import file_as_source
from services.techdocs.model import DocsFolder, Exported
from services.techdocs.ports import DocsRights, DocsSources
from shared.contracts.docs_sources import DocsSource
from shared.contracts.errors import Invalid, NotFound, TooLarge
from shared.guards.foreign_files import ForeignFolder
from shared.guards.foreign_trees import (
    TreeIndex,
    TreeLimits,
    check_entries,
    follow_links,
)
from shared.guards.turns import in_turns
from shared.kit.git.addresses import GitTarget
from shared.kit.git.link_rights import ALL_PATHS, PathRights, hidden_by_location
from shared.kit.git.mirrors import RepositoryMirrors

FILES = 20_000
#: Of a whole folder of this machine, where its docs are a part of it.
ENTRIES = 300_000
PATH = "{path}"
FILE_BYTES = 10 * 1024 * 1024


class GitAndFolders(DocsSources):
    """The sources of an installation: its Git hosts, and `file:` locations."""

    def __init__(
        self, mirrors: RepositoryMirrors, rights: DocsRights | None = None
    ) -> None:
        self._mirrors = mirrors
        self._rights = rights

    def shown_to(self, rights: DocsRights) -> "GitAndFolders":
        return GitAndFolders(self._mirrors, rights)

    def _path_rights(self, target: GitTarget) -> PathRights:
        if self._rights is None:
            return ALL_PATHS
        return PathRights(
            hidden_by_location(target, self._mirrors.locate, self._rights.closed),
            hidden_by_location(target, self._mirrors.locate, self._rights.hidden),
        )

    async def _hidden(self, place: DocsFolder, paths: Sequence[str]) -> Collection[str]:
        """Those of some paths below a place that are hidden from readers."""
        if self._rights is None:
            return ()
        if place.host is None:
            # The folder may be a link, and entities have either of its paths.
            real = await asyncio.to_thread(os.path.realpath, place.folder)
            by_location = {
                f"file:{posixpath.join(folder, path)}": path
                for folder in dict.fromkeys((place.folder, real))
                async for path in in_turns(paths)
            }
            hidden = await self._rights.hidden(list(by_location))
            return {by_location[location] for location in hidden}
        target = self._target(place)
        by_path = {
            posixpath.join(place.folder, path).rstrip("/"): path
            async for path in in_turns(paths)
        }
        hidden_files = self._path_rights(target).hidden_files
        hidden = await hidden_files(list(by_path)) if hidden_files else ()
        return {by_path[path] for path in hidden}

    def locate(self, source: DocsSource) -> DocsFolder:
        if source.kind == "dir":
            return DocsFolder(source.base)
        target = self._mirrors.locate(source.base)
        if target is None:
            raise Invalid(
                f"backstage.io/techdocs-ref: {source.base} is on no Git host that "
                "`integrations` of the configuration knows"
            )
        return DocsFolder(
            source.folder(target.path),
            host=target.host,
            repository=target.repository,
            ref=target.ref,
            folds_case=target.folds_case,
        )

    async def settle(self, source: DocsSource) -> DocsFolder:
        if source.kind == "dir":
            if not await asyncio.to_thread(_lies_below, source.base, source.top):
                raise Invalid(
                    "backstage.io/techdocs-ref: the docs' folder is a link that leaves "
                    "the folder of the descriptor"
                )
            return self.locate(source)
        target = self._mirrors.locate(source.base)
        if target is not None and target.is_open:
            await self._mirrors.resolve(target)
        return self.locate(source)

    def location(self, place: DocsFolder) -> str:
        if place.host is None:
            return f"file:{place.folder}"
        return f"url:{self._target(place).folder_url}"

    def url(self, source: DocsSource) -> str:
        place = self.locate(source)
        return self._target(place).folder_url

    def _target(self, place: DocsFolder, path: str = "") -> GitTarget:
        assert place.host is not None  # noqa: S101 - checked by the caller
        assert place.repository is not None  # noqa: S101
        below = posixpath.join(place.folder, path).strip("/")
        return self._mirrors.target(place.host, place.repository, place.ref, below)

    async def commit(self, place: DocsFolder) -> str | None:
        if place.host is None:
            folder = Path(place.folder)
            if await asyncio.to_thread(folder.is_file):
                raise file_as_source(f"{folder.parent.name}/{folder.name}")
            if not await asyncio.to_thread(folder.is_dir):
                raise NotFound(f"There is no folder {folder.name!r}")
            return None
        return await self._mirrors.fetch(self._target(place))

    async def read(self, place: DocsFolder, commit: str | None, path: str) -> bytes:
        paths = [path]
        if place.host is None:
            paths.append(await asyncio.to_thread(_real_path, Path(place.folder), path))
        if await self._hidden(place, paths):
            raise NotFound(f"There is no file {path}")
        if place.host is None or commit is None:
            return await asyncio.to_thread(_read, Path(place.folder), path)
        target = self._target(place, path)
        return await self._mirrors.read(
            target,
            commit,
            target.path,
            hidden_paths=self._path_rights(target).hidden_paths,
        )

    async def trail(
        self, place: DocsFolder, commit: str | None, paths: Sequence[str]
    ) -> Sequence[str]:
        if place.host is None or commit is None:
            return ()
        targets = [self._target(place, path) for path in paths]
        trails = [
            await self._mirrors.follow_path(target, commit, target.path)
            for target in targets
        ]
        return [path for trail in trails for path in trail]

    async def list(
        self, place: DocsFolder, commit: str | None, prefix: str
    ) -> Sequence[str]:
        if place.host is None or commit is None:
            paths = await asyncio.to_thread(_list, Path(place.folder), prefix)
        else:
            target = self._target(place, prefix)
            below = await self._mirrors.list_paths(target, commit, target.path)
            root = f"{place.folder}/" if place.folder else ""
            paths = [path.removeprefix(root) for path in below]
        hidden = await self._hidden(place, paths)
        return [path for path in paths if path not in hidden]

    async def export(
        self, place: DocsFolder, commit: str | None, prefix: str, folder: Path
    ) -> Exported:
        if place.host is None or commit is None:
            root = Path(place.folder)
            paths = await asyncio.to_thread(_paths, root) if self._rights else []
            hidden = await self._hidden(place, paths)
            return await asyncio.to_thread(_copy, root, prefix, folder, hidden)
        target = self._target(place, prefix)
        exported = await self._mirrors.export(
            target,
            commit,
            target.path,
            folder,
            follows=True,
            rights=self._path_rights(target),
        )
        modules = [f"{path}: a submodule is left out" for path in exported.submodules]
        warnings = [*modules, *_left_out(exported.dangling, exported.rings)]
        return Exported(
            tuple(exported.outside), tuple(warnings), exported.has_hidden_files
        )

    def link(self, place: DocsFolder, kind: Literal["edit", "blob"]) -> str | None:
        if place.host is None:
            return None
        return self._target(place).at(PATH).url(kind).replace(quote(PATH), PATH)

    def repository_url(self, place: DocsFolder) -> str | None:
        if place.host is None:
            return None
        return self._target(place).repository_url


def _lies_below(folder: str, top: str) -> bool:
    """Whether a folder, links followed, lies in another one; "" is any."""
    return not top or Path(folder).resolve().is_relative_to(Path(top).resolve())


def _left_out(dangling: Sequence[str], rings: Sequence[str]) -> list[str]:
    return [
        *(f"{path}: the link leads to nothing and is left out" for path in dangling),
        *(
            f"{path}: the link leads to a folder that holds it and is left out"
            for path in rings
        ),
    ]


def _real_path(root: Path, path: str) -> str:
    with ForeignFolder.open(root) as folder:
        return folder.real_path(path)


def _read(root: Path, path: str) -> bytes:
    with ForeignFolder.open(root) as folder:
        return folder.read(path, limit=FILE_BYTES)


def _list(root: Path, prefix: str) -> list[str]:
    with ForeignFolder.open(root) as folder:
        start = folder.real_path(prefix)
        try:
            entries = list(folder.entries(start, limit=2 * FILES, skips_git=True))
        except NotFound:
            return []
    if len(entries) > FILES:
        raise TooLarge(f"docs: more than {FILES} files below {prefix or '.'}")
    return [entry.path for entry in entries]


def _paths(root: Path) -> list[str]:
    with ForeignFolder.open(root) as source:
        return [entry.path for entry in source.entries(limit=ENTRIES, skips_git=True)]


def _copy(root: Path, prefix: str, folder: Path, hidden: Collection[str]) -> Exported:
    limits = TreeLimits(FILES)
    with ForeignFolder.open(root) as source:
        status = source.status(start := source.real_path(prefix))
        if status is None or status.kind != "folder":
            raise NotFound(f"There is no folder {prefix}")
        entries = [
            replace(entry, content=entry.path)
            for entry in source.entries(limit=ENTRIES, skips_git=True)
            if entry.path not in hidden
        ]
        links = [entry.path for entry in entries if entry.kind == "link"]
        targets = {path: source.target(path) for path in links}
        followed = follow_links(TreeIndex(entries, targets), start, limits)
        check_entries(followed.files, limits)
        with ForeignFolder.open(folder, create=True) as copy:
            for file in followed.files:
                copy.write(
                    file.path,
                    source.chunks(file.content),
                    executable=file.is_executable,
                    replaces=True,
                )
    warnings = _left_out(followed.dangling, followed.rings)
    return Exported(warnings=tuple(warnings), has_hidden_files=bool(hidden))
