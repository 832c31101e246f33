"""Reads descriptors of this machine as a portal will, for `callboard validate`.

Files of a repository mean what they mean at a Git host: their targets are parts of
addresses. A folder outside of any repository is read as a `file:` location.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from services.catalog.ingest.location_targets import without_own_file
from services.catalog.model import LocationRef, RepositoryPath
from services.catalog.ports import Compute, FetchedFile, HiddenPaths
from services.catalog.readers.files import FILES_LIMIT, FileReader
from services.catalog.readers.targets import TargetRules, matching_files
from shared.contracts.errors import Forbidden, Invalid, TooLarge
from shared.guards.addresses import is_web_address
from shared.guards.globs import glob_base, is_pattern, joined_paths
from shared.guards.workers import run_beside
from shared.kit.git.addresses import GitTarget, NotInRepository, parse_url

#: The repository's address: no host has this name (RFC 6761, section 6.4).
HOST = "repository.invalid"
REPOSITORY = GitTarget("local", HOST, "repository", "", "")


class LocalReading:
    """Reads files that a descriptor refers to, from its repository or its folder."""

    def __init__(self, path: Path) -> None:
        folder = _folder_of(path)
        self._folder = folder
        self._repository = repository_of(path)
        scope = f"the repository {self._repository}"
        if self._repository is None:
            scope = (
                f"{folder}, the folder that is checked: "
                "check a folder above it that holds both"
            )
        self._files = FileReader([self._repository or folder], scope)
        self._rules = TargetRules(self._files, _locate)

    def location_of(self, file: Path) -> LocationRef:
        """The location of a file, as a portal has it."""
        path = Path(os.path.realpath(file.parent)) / file.name
        if self._repository is None or not path.is_relative_to(self._repository):
            return LocationRef("file", str(path))
        place = path.relative_to(self._repository).as_posix()
        return LocationRef("url", REPOSITORY.at(place).url())

    async def files(
        self, base: LocationRef, target: str, kind: str | None
    ) -> list[Path] | None:
        """The files that a target of a Location in the file at `base` means.

        Not all of them need exist. None for what only a portal can read.

        Raises:
            Invalid: if the catalog refuses the target or the type.
            Forbidden: if it is outside of the repository or folder.
        """
        if kind is None and is_web_address(target):
            # Whoever reads the folder from a repository later means the address.
            kind = "url"
        if kind == "url" and self._repository is None and not is_web_address(target):
            raise Invalid(
                f"target: {target!r} must be an http(s) URL, as {self._folder} lies in "
                "no Git repository: check a clone of it, or leave the type out"
            )
        location = self._rules.resolve(base, target, kind)
        if location.type == "url" and self._rules.target(location) is None:
            return None
        matches = await self.matching(location)
        paths = [
            self._path(match) for match in without_own_file(matches, location, base)
        ]
        for path in paths:
            await asyncio.to_thread(self._files.require_inside, path, target)
        return paths

    async def read(
        self,
        location: LocationRef,
        etag: str | None = None,
        *,
        hidden_paths: HiddenPaths | None = None,  # noqa: ARG002
    ) -> FetchedFile:
        """A file's content; on this machine, links hide nothing from who checks it."""
        file = LocationRef("file", str(self._path(location)))
        return await self._files.read(file, etag)

    async def matching(
        self, location: LocationRef, compute: Compute = run_beside
    ) -> Sequence[LocationRef]:
        """The files that match a pattern."""
        target = self._rules.target(location)
        if target is None:
            return await self._files.matching(location, compute)
        if not is_pattern(target.path):
            return [location]
        paths = await asyncio.to_thread(self._listed, glob_base(target.path))
        return await matching_files(location, target, paths, compute)

    def included(self, base: LocationRef, target: str) -> LocationRef:
        """The file that a placeholder in the file at `base` refers to."""
        if is_web_address(target):
            raise Forbidden(f"{target} can only be read by a portal")
        return self._rules.included(base, target)

    def place(self, location: LocationRef) -> RepositoryPath | None:  # noqa: ARG002
        """Always None: positions in Git matter to a portal only."""
        return None

    def _path(self, location: LocationRef) -> Path:
        target = self._rules.target(location)
        if target is None or self._repository is None:
            return Path(location.target)
        return self._repository / target.path

    def _listed(self, base: str) -> bytes:
        """The files below a folder of the repository, with paths as Git has them."""
        root = self._repository or Path()
        paths: list[str] = []
        for parent, folders, names in os.walk(root / base):
            folders[:] = [name for name in folders if name != ".git"]
            folder = Path(parent).relative_to(root)
            paths += [(folder / name).as_posix() for name in names]
            if len(paths) > FILES_LIMIT:
                raise TooLarge(f"target: over {FILES_LIMIT} files below {base}")
        return joined_paths(sorted(paths))


def repository_of(path: Path) -> Path | None:
    """The Git repository that a file or folder lies in; None: in none."""
    folder = _folder_of(path)
    parents = (folder, *folder.parents)
    return next((parent for parent in parents if (parent / ".git").exists()), None)


def _folder_of(path: Path) -> Path:
    return Path(os.path.realpath(path if path.is_dir() else path.parent))


def _locate(url: str) -> GitTarget | None:
    """The place of an address in the repository that is checked; None: elsewhere.

    Raises:
        Forbidden: if a target leads out of the repository.
    """
    try:
        target = parse_url(url, {HOST: REPOSITORY.kind})
    except NotInRepository:
        target = GitTarget("local", HOST, "", "", "")
    if target is not None and (target.repository, target.ref) != (
        REPOSITORY.repository,
        REPOSITORY.ref,
    ):
        raise Forbidden("target: leads out of the repository")
    return target
