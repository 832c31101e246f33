"""Source code by Git: mirrors of repositories, read at a commit.

One mirror per repository and process; a push costs one fetch of what changed, whatever
the number of files, and no host's REST quota. Repositories of an integration of type
`local` are read where they lie. Web addresses are translated in `giturls`.
"""

import asyncio
import re
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.contracts.errors import Conflict, Invalid, NotFound
from shared.guards.foreign_trees import TreeLimits
from shared.kit.config import Integration, Integrations
from shared.kit.gitaccess import access_environment
from shared.kit.gitcommand import OUTPUT_LIMIT, run_git
from shared.kit.gitmirror import update
from shared.kit.gitpush import push_folder
from shared.kit.gittrees import ExportedTree, GitTrees
from shared.kit.giturls import GitTarget, parse_url

NOBODY = "0" * 40
NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*")
#: In names that are fit for addresses, but not for a folder `NAME.git` of a host.
UNFIT = re.compile(r"/|\.\.|(\.git|\.lock|\.)$")
REF = re.compile(r"(?!-)[\w][\w./+@-]*")


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """One commit: who wrote it, when, and the first line of why."""

    sha: str
    subject: str
    author: str
    email: str
    at: datetime


class RepositoryMirrors:
    """The repositories of the configured hosts, as this process sees them."""

    def __init__(self, root: Path, integrations: Integrations) -> None:
        self._root = root
        self._by_host = {item.host: (kind, item) for kind, item in integrations.each()}
        self._fetches: dict[Path, _Coalesced] = {}

    def locate(self, url: str) -> GitTarget | None:
        """What a web address means; None if its host is no integration."""
        return parse_url(url, {h: kind for h, (kind, _) in self._by_host.items()})

    def target(self, host: str, repository: str, ref: str, path: str = "") -> GitTarget:
        """A place in a repository of a configured host.

        Raises:
            NotFound: if the host is no integration.
        """
        kind, _ = self._integration(host)
        return GitTarget(kind, host, repository, ref, path)

    async def fetch(self, target: GitTarget) -> str:
        """Bring the mirror up to date; the commit id that the target's ref has now.

        Raises:
            NotFound: if the repository or the ref does not exist.
            Unavailable: if the host does not answer.
        """
        mirror = self._mirror(target)
        if target.kind != "local":
            coalesced = self._fetches.setdefault(mirror, _Coalesced())
            extra = self._access(target)
            await coalesced.run(lambda: update(mirror, target.clone_url, extra))
        elif not mirror.is_dir():
            raise NotFound(
                f"There is no repository {target.repository} at {target.host}"
            )
        ref = target.ref or "HEAD"
        if not REF.fullmatch(ref):
            raise Invalid(f"ref: {ref!r} is not a Git ref")
        found = await self._git(
            target,
            ["rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"],
            allow=(1, 128),
        )
        if not found.strip():
            raise NotFound(f"{target.repository} at {target.host} has no ref {ref}")
        return found.decode().strip()

    async def read(self, target: GitTarget, commit: str, path: str) -> bytes:
        """One file at a commit; links are followed as in a checkout.

        Raises:
            Invalid: if a link leaves the repository or is part of a ring.
            NotFound: if there is no such file.
            TooLarge: if it is over `FILE_LIMIT` bytes.
        """
        clean = _clean(path)
        try:
            return await self._trees(target).read(commit, clean)
        except NotFound as error:
            raise NotFound(
                f"{target.repository}: {error.message} at {commit[:8]}"
            ) from None

    async def trail(self, target: GitTarget, commit: str, path: str) -> Sequence[str]:
        """The links that a file is read through, and where it lies; () without links.

        Raises:
            Invalid: if a link leaves the repository or is part of a ring.
        """
        return await self._trees(target).trail(commit, _clean(path))

    async def list(
        self, target: GitTarget, commit: str, prefix: str = ""
    ) -> Sequence[str]:
        """The paths of all files at a commit, below `prefix` if given."""
        arguments = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit]
        if prefix:
            arguments += ["--", _clean(prefix)]
        found = await self._git(target, arguments)
        return [part for part in found.decode(errors="replace").split("\0") if part]

    async def export(
        self,
        target: GitTarget,
        commit: str,
        prefix: str,
        folder: Path,
        *,
        follows: bool = False,
    ) -> ExportedTree:
        """Write the files below `prefix` into `folder`, relative to `prefix`.

        `follows` puts files in the place of links; without it links are written as
        they are.

        Raises:
            NotFound: if there is no such folder.
            Invalid: if a path breaks a rule, or a link leaves the repository.
            TooLarge: if it is over the limits of a tree.
        """
        return await self._trees(target).export(
            commit, _clean(prefix), folder, limits=TreeLimits(), follows=follows
        )

    async def commit_info(self, target: GitTarget, commit: str) -> CommitInfo:
        """Who made a commit, when and why."""
        found = await self._git(
            target, ["show", "-s", "--format=%H%x00%s%x00%an%x00%ae%x00%aI", commit]
        )
        sha, subject, author, email, at = found.decode(errors="replace").split("\0")
        return CommitInfo(
            sha, subject, author, email, datetime.fromisoformat(at.strip())
        )

    async def changed(
        self, target: GitTarget, before: str, after: str
    ) -> Sequence[str] | None:
        """The paths that differ between two commits; None if that cannot be told."""
        if NOBODY in (before, after):
            return None
        found = await self._git(
            target,
            ["diff", "--name-only", "-z", "--no-renames", before, after],
            allow=(128,),
        )
        return [part for part in found.decode(errors="replace").split("\0") if part]

    async def repositories(self, host: str) -> Sequence[str]:
        """The repositories of a host of type `local`, by name.

        Raises:
            Invalid: if the host is of another type: those are listed by their API.
        """
        kind, integration = self._integration(host)
        if kind != "local" or integration.directory is None:
            raise Invalid(f"{host}: only hosts of type local can be listed")
        found = await asyncio.to_thread(lambda: sorted(_bare(integration.directory)))
        return [path.name.removesuffix(".git") for path in found]

    async def create(self, host: str, repository: str, *, branch: str = "main") -> None:
        """Make an empty repository at a host of type `local`.

        Raises:
            Conflict: if there is one.
            Invalid: if the name breaks the rule, or the host is of another type.
        """
        kind, integration = self._integration(host)
        if kind != "local" or integration.directory is None:
            raise Invalid(
                f"{host}: repositories can be made at hosts of type local only"
            )
        if not NAME.fullmatch(repository) or UNFIT.search(repository):
            raise Invalid(
                f"repository: {repository!r} may hold letters, digits and -_. and "
                "must not end in .git or .lock"
            )
        path = integration.directory / f"{repository}.git"
        if path.exists():
            raise Conflict(f"There is a repository {repository} at {host} already")
        arguments = ["init", "--quiet", "--bare", f"--initial-branch={branch}"]
        if integration.hook_template is not None:
            arguments.append(f"--template={integration.hook_template}")
        # Made beside its place and moved there: nobody ever meets half a repository.
        with tempfile.TemporaryDirectory(dir=integration.directory) as parent:
            made = Path(parent) / "made.git"
            await run_git([*arguments, str(made)])
            await asyncio.to_thread(made.rename, path)

    async def push_tree(
        self,
        target: GitTarget,
        folder: Path,
        *,
        message: str,
        author: tuple[str, str],
    ) -> str:
        """Commit the files of `folder` as the first commit of a branch and push it.

        `target.ref` is the branch; `author` is name and email. The new commit's id.

        Raises:
            Conflict: if the branch exists.
            Invalid: naming the branch or a path that breaks a rule.
        """
        return await push_folder(
            folder,
            self._clone_url(target),
            target.ref,
            message=message,
            author=author,
            environment=self._access(target),
        )

    def _trees(self, target: GitTarget) -> GitTrees:
        return GitTrees(
            self._mirror(target),
            self._access(target),
            is_partial=target.kind != "local",
        )

    def _integration(self, host: str) -> tuple[str, Integration]:
        found = self._by_host.get(host)
        if found is None:
            raise NotFound(f"No integration is configured for the host {host}")
        return found

    def _mirror(self, target: GitTarget) -> Path:
        kind, integration = self._integration(target.host)
        if not NAME.fullmatch(target.repository) or ".." in target.repository:
            raise Invalid(
                f"repository: {target.repository!r} is not a repository's name"
            )
        if kind == "local" and integration.directory is not None:
            return integration.directory / f"{target.repository}.git"
        return self._root / target.host.replace(":", "_") / f"{target.repository}.git"

    def _clone_url(self, target: GitTarget) -> str:
        if target.kind == "local":
            return str(self._mirror(target))
        return target.clone_url

    def _access(self, target: GitTarget) -> dict[str, str]:
        kind, integration = self._integration(target.host)
        return access_environment(kind, integration, target.repository)

    async def _git(
        self,
        target: GitTarget,
        arguments: Sequence[str | Path],
        *,
        data: bytes | None = None,
        allow: Sequence[int] = (),
        limit: int = OUTPUT_LIMIT,
    ) -> bytes:
        """Run `git` in the target's mirror.

        Any command may have to ask the host: a mirror holds file contents only after
        they were read once. So every command gets what the host wants to see.
        """
        return await run_git(
            arguments,
            cwd=self._mirror(target),
            data=data,
            extra=self._access(target),
            allow=allow,
            limit=limit,
        )


class _Coalesced:
    """Runs that start after a call serve every call made before they start."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._started = 0

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        asked = self._started
        async with self._lock:
            # One run had begun when this was asked, a second began after: it serves.
            if self._started > asked:
                return
            self._started += 1
            await work()


def _clean(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\n" in path or "\0" in path:
        raise Invalid(f"path: {path!r} leads outside the repository")
    return "/".join(parts)


def _bare(directory: Path | None) -> list[Path]:
    if directory is None or not directory.is_dir():
        return []
    return [path for path in directory.glob("*.git") if (path / "HEAD").is_file()]
