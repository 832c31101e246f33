"""A view of all sources in which each repository stays at one commit."""

import asyncio
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from services.catalog.model import LinkedFile, LocationRef, RepositoryPath
from services.catalog.ports import (
    Compute,
    FetchedFile,
    FolderAtAddress,
    HiddenPaths,
)
from services.catalog.readers.files import DESCRIPTOR_FILE, FileReader, digest_of
from services.catalog.readers.renames import RenamedFiles
from services.catalog.readers.repositories import OR_HIDDEN, FetchedRepositories
from services.catalog.readers.targets import TargetRules, matching_files, require_url
from shared.contracts.annotations import EDIT_URL, SOURCE_LOCATION, VIEW_URL
from shared.contracts.catalog import Cause
from shared.contracts.errors import CallboardError, Invalid, NotFound
from shared.guards.addresses import split_address
from shared.guards.globs import (
    glob_base,
    is_pattern,
    joined_paths,
)
from shared.guards.workers import run_beside
from shared.kit.git.addresses import GitTarget
from shared.kit.git.commits import CommitInfo
from shared.kit.git.output import PathIsFolder
from shared.kit.git.tree_listings import TreeIndexes
from shared.kit.git.url_reader import UrlReader

#: Listings of folders that one reading remembers.
MOST_LISTINGS = 8
#: Files that it remembers, and the bytes of the longest of them.
MOST_BODIES = 16
SHORT_BODY = 64 * 1024


class SourceReading:
    """The `SourceSnapshot` port over files, Git mirrors and HTTP."""

    def __init__(self, urls: UrlReader, folders: Sequence[Path]) -> None:
        self._urls = urls
        self._mirrors = urls.mirrors
        self._files = FileReader(folders)
        self._rules = TargetRules(self._files, urls.locate)
        #: By host, repository and ref of an address: its whole ref, and the commit.
        self._commits: dict[tuple[str, str, str], tuple[str, str]] = {}
        self._repositories = FetchedRepositories(urls.mirrors)
        self._infos: dict[str, CommitInfo] = {}
        #: Short files that were read last: many addresses may name one.
        self._bodies: dict[RepositoryPath, FetchedFile] = {}
        self._renames = RenamedFiles(urls.mirrors)
        self._indexes = TreeIndexes()
        #: By commit and folder: the files that patterns are asked for.
        self._listings: dict[tuple[str, str], bytes] = {}

    async def read(
        self,
        location: LocationRef,
        etag: str | None = None,
        *,
        hidden_paths: HiddenPaths | None = None,
    ) -> FetchedFile:
        if location.type == "file":
            return await self._files.read(location, etag)
        require_url(location)
        target = self._urls.locate(location.target)
        if target is not None:
            try:
                return await self._read_git(target, etag, hidden_paths)
            except PathIsFolder as error:
                raise await self._no_file(location, target) from error
        content = await self._urls.read(location.target, etag=etag)
        if content.is_unchanged:
            return FetchedFile(b"", "", etag, is_unchanged=True)
        return FetchedFile(content.body, digest_of(content.body), content.etag)

    async def _read_git(
        self, address: GitTarget, etag: str | None, hidden_paths: HiddenPaths | None
    ) -> FetchedFile:
        target, commit = await self._resolve(address)
        place = _place(target)
        if etag == commit:
            return FetchedFile(b"", "", etag, place, is_unchanged=True)
        fetched = self._bodies.get(place)
        if fetched is not None and (hidden_paths is None or not fetched.links):
            return fetched
        body = await self._mirrors.read(
            target,
            commit,
            target.path,
            hidden_paths=hidden_paths,
            indexes=self._indexes,
        )
        trail = await self._mirrors.follow_path(
            target, commit, target.path, indexes=self._indexes
        )
        links = tuple(_place(target.at(path)) for path in trail)
        linked = None
        if trail:
            real = target.at(trail[-1])
            linked = LinkedFile(str(LocationRef("url", real.url())), _place(real))
        fetched = FetchedFile(
            body, digest_of(body), commit, place, links=links, linked=linked
        )
        if len(body) <= SHORT_BODY:
            if len(self._bodies) >= MOST_BODIES:
                self._bodies.pop(next(iter(self._bodies)))
            self._bodies[place] = fetched
        return fetched

    async def _no_file(
        self, location: LocationRef, address: GitTarget
    ) -> FolderAtAddress:
        """The error for the address of a folder, with a file's address to give."""
        target, _ = await self._resolve(address)
        branch = target.ref
        if branch in {"", "HEAD"}:
            branch = await self._mirrors.default_branch(target)
        noun = "a folder" if target.path else "a repository"
        file = f"{target.path}/{DESCRIPTOR_FILE}".strip("/")
        example = self._mirrors.target(target.host, target.repository, branch, file)
        return FolderAtAddress(
            f"{location.target} is {noun}, not a file",
            f"give the address of a descriptor in it, such as {example.url()}",
        )

    async def _resolve(self, target: GitTarget) -> tuple[GitTarget, str]:
        """The target with its whole ref, and the one commit of this reading.

        Raises:
            UnknownCommit: if there is no such repository or ref.
            CallboardError: what the reading's one fetch of the repository raised.
        """
        key = (target.host, target.repository, target.ref)
        if key not in self._commits:
            resolved, commit = await self._repositories.resolve(target)
            key = (target.host, target.repository, resolved.ref)
            _, commit = self._commits.setdefault(key, (resolved.ref, commit))
            return resolved, commit
        ref, commit = self._commits[key]
        return target.with_ref(ref), commit

    async def matching(
        self, location: LocationRef, compute: Compute = run_beside
    ) -> Sequence[LocationRef]:
        if location.type == "file":
            return await self._files.matching(location, compute)
        target = self._rules.target(location)
        if target is None:
            if "*" in location.target:
                raise Invalid("target: patterns with * need a Git host")
            return [location]
        if not is_pattern(target.path):
            return [location]
        target, commit = await self._resolve(target)
        paths = await self._listed(target, commit)
        return await matching_files(location, target, paths, compute)

    async def _listed(self, target: GitTarget, commit: str) -> bytes:
        """The files below a pattern's folder; a folder is listed once in a while."""
        key = (commit, glob_base(target.path))
        if key not in self._listings:
            paths = await self._mirrors.list_paths(target, *key)
            if len(self._listings) >= MOST_LISTINGS:
                self._listings.pop(next(iter(self._listings)))
            self._listings[key] = await asyncio.to_thread(joined_paths, paths)
        return self._listings[key]

    async def named(
        self, location: LocationRef, filename: str
    ) -> Sequence[LocationRef]:
        target = self._rules.target(location)
        if target is None:
            return []
        target, commit = await self._resolve(target)
        return [
            LocationRef("url", target.at(path).url())
            for path in await self._mirrors.list_paths(target, commit)
            if path.rpartition("/")[2] == filename
        ]

    async def with_commit(self, location: LocationRef, cause: Cause) -> Cause:
        target = self._rules.target(location)
        if target is None:
            return cause.model_copy(update={"location": str(location)})
        target, commit = await self._resolve(target)
        if commit not in self._infos:
            self._infos[commit] = await self._mirrors.commit_info(target, commit)
        info = self._infos[commit]
        return cause.model_copy(
            update={
                "location": str(location),
                "repository": f"{target.host}/{target.repository}",
                "commit": info.sha,
                "subject": info.subject,
                "author": info.author,
                "changed_at": info.at,
            }
        )

    async def renamed(
        self, location: LocationRef, since: str, *, same: bool = False
    ) -> tuple[str, Sequence[LocationRef]]:
        target = self._rules.target(location)
        if target is None:
            return "", [location]
        target, commit = await self._resolve(target)
        if since in {"", commit}:
            return commit, [location]
        return commit, [
            location
            if path == target.path
            else LocationRef("url", target.at(path).url())
            for path in await self._renames.paths(target, since, commit, same=same)
        ]

    def place(self, location: LocationRef) -> RepositoryPath | None:
        target = self._known_target(location)
        return None if target is None else _place(target)

    def links(self, location: LocationRef) -> Mapping[str, str]:
        if location.type != "url":
            return {}
        target = self._known_target(location)
        if target is None:
            return {VIEW_URL: location.target}
        folder = target.path.rpartition("/")[0]
        return {
            VIEW_URL: target.url("blob"),
            EDIT_URL: target.url("edit"),
            SOURCE_LOCATION: f"url:{target.at(folder).folder_url}",
        }

    def resolve(
        self, base: LocationRef, target: str, kind: str | None = None
    ) -> LocationRef:
        return self._rules.resolve(base, target, kind)

    def included(self, base: LocationRef, target: str) -> LocationRef:
        return self._rules.included(base, target)

    def _known_target(self, location: LocationRef) -> GitTarget | None:
        """The place in Git; None also for an address whose reading is an error."""
        try:
            return self._rules.target(location)
        except CallboardError:
            return None


class CatalogSources:
    """The `DescriptorSources` port."""

    def __init__(self, urls: UrlReader, folders: Sequence[Path]) -> None:
        self._urls = urls
        self._folders = tuple(folders)

    def reading(self, origin: LocationRef | None = None) -> SourceReading:
        folders = list(self._folders)
        if origin is not None and origin.type == "file":
            folders.append(Path(glob_base(origin.target) or "/"))
        return SourceReading(self._urls, folders)

    def source(self, location: LocationRef) -> RepositoryPath:
        if location.type == "file":
            return RepositoryPath("", "", "", _normal(location.target))
        target = self._urls.locate(location.target)
        if target is not None:
            branch = "" if target.ref == "HEAD" else target.ref
            repository = _normal(target.repository)
            return RepositoryPath(
                target.host.lower(),
                repository.lower() if target.folds_case else repository,
                branch,
                _normal(target.path),
                target.folds_case,
                target.is_open,
            )
        try:
            parts = split_address(location.target)
        except Invalid:
            # Nothing else comes from there.
            return RepositoryPath(location.target, "", "", "")
        host = parts.netloc.rpartition("@")[2].lower()
        return RepositoryPath(host, "", "", _normal(unquote(parts.path)))

    def folds_case(self, host: str) -> bool:
        return self._urls.mirrors.folds_case(host)

    async def missing(self, location: LocationRef) -> CallboardError:
        if location.type == "file":
            return NotFound(f"There is no file {location.target}")
        target = self._urls.locate(location.target)
        if target is None:
            return NotFound(f"Unable to read url, no such file: {location.target}")
        return Invalid(f"{await self._urls.missing_repository(target)}{OR_HIDDEN}")

    async def repositories(self, host: str) -> Mapping[str, str] | None:
        try:
            return await self._urls.mirrors.repositories(host)
        except Invalid:
            return None

    async def default_branch(self, host: str, repository: str) -> str:
        target = self._urls.mirrors.target(host, repository, "")
        await self._urls.mirrors.fetch(target)
        return await self._urls.mirrors.default_branch(target)

    def descriptor(
        self, host: str, repository: str, branch: str, path: str
    ) -> LocationRef:
        target = self._urls.mirrors.target(host, repository, branch, path.strip("/"))
        return LocationRef("url", target.url())


def _normal(path: str) -> str:
    """A path without dots, doubled slashes and slashes around it."""
    return posixpath.normpath(f"/{path}").strip("/")


def _place(target: GitTarget) -> RepositoryPath:
    return RepositoryPath(
        target.host,
        target.repository,
        target.ref,
        target.path,
        target.folds_case,
        target.is_open,
    )
