"""Source code by Git: mirrors of repositories, read at a commit.

There is one mirror per repository. A push costs one fetch of the changes, independent
of the number of files, and no REST quota of the host. Repositories of an integration of
type `local` are read in place. `addresses` parses the web addresses.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from shared.contracts.errors import Conflict, Invalid, NotFound
from shared.guards.addresses import normal_netloc
from shared.guards.foreign_trees import TreeLimits
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git.access import access_environment
from shared.kit.git.addresses import (
    GitTarget,
    clean_path,
    is_repository_name,
    parse_url,
)
from shared.kit.git.command import OUTPUT_LIMIT, GitNotFound, run_git
from shared.kit.git.commits import COMMIT_FORMAT, CommitInfo, commit_info
from shared.kit.git.host_dialects import folds_case
from shared.kit.git.link_rights import ALL_PATHS, HiddenPaths, PathRights
from shared.kit.git.local_hosts import (
    LOCAL_NAME,
    check_new_name,
    default_branches,
    has_repository,
    make_repository,
    similar_name,
)
from shared.kit.git.mirror_updates import CoalescedRuns, update
from shared.kit.git.not_found import (
    RefNotFound,
    ref_not_found_message,
    repository_not_found_message,
)
from shared.kit.git.output import split_paths
from shared.kit.git.push import check_branch, push_folder
from shared.kit.git.ref_names import full_names
from shared.kit.git.tree_listings import TreeIndexes
from shared.kit.git.trees import ExportedTree, GitTrees
from shared.kit.observability import tracing

#: What comparing the files of two commits may take.
RENAME_SECONDS = 20.0


class RepositoryMirrors:
    """The mirrors of repositories of all configured hosts."""

    def __init__(self, root: Path, integrations: Integrations) -> None:
        self._root = root
        self._by_host = {
            normal_netloc(item.host): (kind, item) for kind, item in integrations.each()
        }
        self._kinds = {host: kind for host, (kind, _) in self._by_host.items()}
        self._fetches: dict[Path, CoalescedRuns] = {}
        #: The resolved refs by repository, to read open addresses without a fetch.
        self._refs: dict[tuple[str, str], set[str]] = {}

    def locate(self, url: str) -> GitTarget | None:
        """Parse a web address; None if its host is no integration.

        Raises:
            Invalid: if it is no file or folder of a repository of its host.
        """
        target = parse_url(url, self._kinds)
        if target is None or not target.is_open:
            return target
        refs = self._refs.get((target.host, target.repository), ())
        resolved_ref = next((ref for ref, _ in target.readings() if ref in refs), None)
        return target if resolved_ref is None else target.with_ref(resolved_ref)

    def target(self, host: str, repository: str, ref: str, path: str = "") -> GitTarget:
        """The target of a path in a repository of a configured host.

        Raises:
            NotFound: if the host is no integration.
        """
        kind, _ = self._integration(host)
        return GitTarget(kind, normal_netloc(host), repository, ref, path)

    def folds_case(self, host: str) -> bool:
        """Whether a host has one repository under all spellings of its name."""
        return folds_case(self._kinds.get(normal_netloc(host)))

    async def fetch(self, target: GitTarget) -> str:
        """Update the mirror; returns the current commit id of the target's ref.

        Raises:
            NotFound: if the repository or the ref does not exist.
            Unavailable: if the host does not answer.
        """
        _, commit = await self.resolve(target)
        return commit

    async def resolve(
        self, target: GitTarget, *, is_fetched: bool = False
    ) -> tuple[GitTarget, str]:
        """Update the mirror, and choose an open target's ref: the longest that exists.

        Returns the target, and the current commit id of its ref. With `is_fetched` the
        mirror is used as it is.

        Raises:
            RefNotFound: if the ref does not exist.
            NotFound: if the repository does not exist.
            Unavailable: if the host does not answer.
        """
        if is_fetched:
            return await self._resolved(target)
        with tracing.span("git fetch", target.attributes):
            await self._update(target)
            return await self._resolved(target)

    async def _resolved(self, target: GitTarget) -> tuple[GitTarget, str]:
        names = {ref: full_names(ref) for ref, _ in target.readings()}
        queries = [
            f"{candidate}^{{commit}}"
            for candidates in names.values()
            for candidate in candidates
        ]
        output = await self._git(
            target,
            ["cat-file", "--batch-check=%(objectname) %(objecttype)"],
            data="".join(f"{query}\n" for query in queries).encode(),
            allowed_exit_codes=(128,),
        )
        lines = iter(output.decode(errors="replace").splitlines())
        for ref, candidates in names.items():
            for words in [next(lines, "").split(" ") for _ in candidates]:
                if words[-1] == "commit":
                    key = (target.host, target.repository)
                    self._refs.setdefault(key, set()).add(ref)
                    return target.with_ref(ref), words[0]
        raise RefNotFound(ref_not_found_message(target))

    async def has_refs_below(self, target: GitTarget) -> bool:
        """Whether the fetched repository has refs that begin with the target's ref."""
        prefixes = [name for name in full_names(target.ref) if "/" in name]
        arguments = ["for-each-ref", "--count=1", "--format=x", *prefixes]
        return not prefixes or bool(await self._git(target, arguments))

    async def default_branch(self, target: GitTarget) -> str:
        """The name of a fetched repository's default branch; HEAD if it has none."""
        arguments = ["symbolic-ref", "--short", "HEAD"]
        name = await self._git(target, arguments, allowed_exit_codes=(1, 128))
        return name.decode(errors="replace").strip() or "HEAD"

    async def _update(self, target: GitTarget) -> None:
        mirror = self._mirror(target)
        if target.kind != "local":
            coalesced = self._fetches.setdefault(mirror, CoalescedRuns())
            environment = self._access(target)
            await coalesced.run(lambda: update(mirror, target.clone_url, environment))
        elif not await asyncio.to_thread(has_repository, mirror):
            raise NotFound(repository_not_found_message(target))

    async def read(
        self,
        target: GitTarget,
        commit: str,
        path: str,
        *,
        hidden_paths: HiddenPaths | None = None,
        indexes: TreeIndexes | None = None,
    ) -> bytes:
        """One file at a commit; links are followed as in a checkout.

        With `hidden_paths`, a link to a hidden place leads to nothing. `indexes`
        remembers what many links need.

        Raises:
            Invalid: if a link leaves the repository or is part of a cycle.
            NotFound: if there is no such file.
            TooLarge: if it is over `FILE_LIMIT` bytes.
        """
        clean = clean_path(path)
        try:
            return await self._trees(target, indexes).read(commit, clean, hidden_paths)
        except GitNotFound:
            raise
        except NotFound as error:
            message = f"{target.repository}: {error.message} at {commit[:8]}"
            raise type(error)(message) from None

    async def follow_path(
        self,
        target: GitTarget,
        commit: str,
        path: str,
        *,
        indexes: TreeIndexes | None = None,
    ) -> Sequence[str]:
        """The links that lead to a file, and its real path; () without links.

        Raises:
            Invalid: if a link leaves the repository or is part of a cycle.
        """
        return await self._trees(target, indexes).follow_path(commit, clean_path(path))

    async def list_paths(
        self, target: GitTarget, commit: str, prefix: str = ""
    ) -> Sequence[str]:
        """The paths of all files at a commit, or of those below `prefix`."""
        arguments = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit]
        if prefix:
            arguments += ["--", clean_path(prefix)]
        output = await self._git(target, arguments)
        return await asyncio.to_thread(split_paths, output)

    async def renames(
        self,
        target: GitTarget,
        old_commit: str,
        commit: str,
        *,
        seconds: float = RENAME_SECONDS,
    ) -> Mapping[str, Sequence[str]]:
        """Where each file is that was renamed or copied from one commit to another.

        The paths of each: its own first, if it is still there.
        After `seconds`, and in a partial mirror, of files with the same content alone.
        """
        return await self._trees(target).renames(old_commit, commit, seconds=seconds)

    async def export(
        self,
        target: GitTarget,
        commit: str,
        prefix: str,
        folder: Path,
        *,
        follows: bool = False,
        rights: PathRights = ALL_PATHS,
    ) -> ExportedTree:
        """Write the files below `prefix` into `folder`, relative to `prefix`.

        With `follows`, links are replaced by their files; otherwise they are written
        as links. What `rights` hide is as good as absent.

        Raises:
            NotFound: if there is no such folder.
            Invalid: if a path breaks a rule, or a link leaves the repository.
            TooLarge: if it is over the limits of a tree.
        """
        return await self._trees(target).export(
            commit,
            clean_path(prefix),
            folder,
            limits=TreeLimits(),
            follows=follows,
            rights=rights,
        )

    async def commit_info(self, target: GitTarget, commit: str) -> CommitInfo:
        """The author, time and message of a commit."""
        output = await self._git(target, ["show", "-s", COMMIT_FORMAT, commit])
        return commit_info(output)

    async def repositories(self, host: str) -> Mapping[str, str]:
        """The repositories of a host of type `local`: default branches by name.

        Raises:
            Invalid: if the host is of another type.
        """
        kind, integration = self._integration(host)
        if kind != "local" or integration.directory is None:
            raise Invalid(f"{host}: only hosts of type local can be listed")
        return await asyncio.to_thread(default_branches, integration.directory)

    async def create(self, host: str, repository: str, *, branch: str = "main") -> None:
        """Create an empty repository at a host of type `local`.

        Raises:
            Conflict: if it exists, also if its name is written in another case.
            Invalid: if a name breaks its rule, or the host is of another type.
        """
        kind, integration = self._integration(host)
        if kind != "local" or integration.directory is None:
            raise Invalid(
                f"{host}: repositories can be made at hosts of type local only"
            )
        check_new_name(host, repository)
        await check_branch(branch)
        existing_name = await asyncio.to_thread(
            similar_name, integration.directory, repository
        )
        if existing_name is not None:
            raise Conflict(f"There is a repository {existing_name} at {host} already")
        path = integration.directory / f"{repository}.git"
        await make_repository(path, branch, integration.hook_template)

    async def push_tree(
        self,
        target: GitTarget,
        folder: Path,
        *,
        message: str,
        author: tuple[str, str],
    ) -> str:
        """Commit the files of `folder` as the first commit of a branch and push it.

        `target.ref` is the branch; `author` is name and email. Returns the commit's id.

        Raises:
            Conflict: if the branch exists.
            Invalid: naming the branch or a path that breaks a rule.
        """
        with tracing.span("git push", target.attributes):
            return await push_folder(
                folder,
                self._clone_url(target),
                target.ref,
                message=message,
                author=author,
                environment=self._access(target),
            )

    def _trees(self, target: GitTarget, indexes: TreeIndexes | None = None) -> GitTrees:
        return GitTrees(
            self._mirror(target),
            self._access(target),
            is_partial=target.kind != "local",
            indexes=indexes,
        )

    def _integration(self, host: str) -> tuple[str, Integration]:
        entry = self._by_host.get(host) or self._by_host.get(normal_netloc(host))
        if entry is None:
            raise NotFound(f"No integration is configured for the host {host}")
        return entry

    def _mirror(self, target: GitTarget) -> Path:
        """The folder of the mirror; for a local host, of the repository itself.

        Raises:
            Invalid: if a part of the repository's name cannot be a folder's name.
        """
        kind, integration = self._integration(target.host)
        if not is_repository_name(target.repository):
            raise Invalid(
                f"repository: {target.repository!r} is not a repository's name"
            )
        if kind == "local" and integration.directory is not None:
            if not LOCAL_NAME.fullmatch(target.repository):
                raise NotFound(repository_not_found_message(target))
            return integration.directory / f"{target.repository}.git"
        host = target.host.replace(":", "_")
        # Repository names of some hosts have spaces and other characters.
        return self._root / host / f"{quote(target.repository, safe='/~')}.git"

    def _clone_url(self, target: GitTarget) -> str:
        if target.kind == "local":
            return str(self._mirror(target))
        return target.clone_url

    def _access(self, target: GitTarget) -> dict[str, str]:
        kind, integration = self._integration(target.host)
        return access_environment(
            kind, integration, host=target.host, repository=target.repository
        )

    async def _git(
        self,
        target: GitTarget,
        arguments: Sequence[str | Path],
        *,
        data: bytes | None = None,
        allowed_exit_codes: Sequence[int] = (),
        limit: int = OUTPUT_LIMIT,
    ) -> bytes:
        """Run `git` in the target's mirror.

        Any command may contact the host, because a mirror lacks file contents that were
        not read before. So every command gets the credentials.
        """
        return await run_git(
            arguments,
            cwd=self._mirror(target),
            data=data,
            environment=self._access(target),
            allowed_exit_codes=allowed_exit_codes,
            limit=limit,
        )
