"""Source code by Git: mirrors of repositories, read at a commit.

One mirror per repository and process; a push costs one fetch of what changed, whatever
the number of files, and no host's REST quota. Repositories of an integration of type
`local` are read where they lie. Web addresses are translated in `giturls`.
"""

import asyncio
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from shared.contracts.errors import Conflict, Invalid, NotFound
from shared.guards.addresses import normal_netloc
from shared.guards.foreign_trees import TreeLimits
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git.access import access_environment
from shared.kit.git.addresses import GitTarget, are_names, check_git_path, parse_url
from shared.kit.git.command import OUTPUT_LIMIT, run_git
from shared.kit.git.mirror_updates import Coalesced, update
from shared.kit.git.push import push_folder
from shared.kit.git.trees import ExportedTree, GitTrees

NOBODY = "0" * 40
NAME = re.compile(r"[A-Za-z0-9._][\w.-]*")
#: In names that are fit for addresses, but not for a folder `NAME.git` of a host.
UNFIT = re.compile(r"/|\.\.|(\.git|\.lock|\.)$")
#: What no name of a ref holds (git-check-ref-format).
NO_REF = re.compile(r"^[-/]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|(/|\.|\.lock)$")
COMMIT = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """One commit: who wrote it, when, and the first line of why."""

    sha: str
    subject: str
    author: str
    email: str
    at: datetime


def no_repository(target: GitTarget) -> str:
    """What is said of a repository that is not there."""
    return f"There is no repository {target.repository} at {target.host}"


class RepositoryMirrors:
    """The repositories of the configured hosts, as this process sees them."""

    def __init__(self, root: Path, integrations: Integrations) -> None:
        self._root = root
        self._by_host = {
            normal_netloc(item.host): (kind, item) for kind, item in integrations.each()
        }
        self._kinds = {host: kind for host, (kind, _) in self._by_host.items()}
        self._fetches: dict[Path, Coalesced] = {}
        #: Refs that addresses were about, by repository: where such a ref's name ends.
        self._refs: dict[tuple[str, str], set[str]] = {}

    def locate(self, url: str) -> GitTarget | None:
        """What a web address means; None if its host is no integration.

        Raises:
            Invalid: if the address is no place in a repository of its host.
        """
        target = parse_url(url, self._kinds)
        if target is None or not target.is_open:
            return target
        refs = self._refs.get((target.host, target.repository), ())
        known = next((ref for ref, _ in target.readings() if ref in refs), None)
        return target if known is None else target.with_ref(known)

    def target(self, host: str, repository: str, ref: str, path: str = "") -> GitTarget:
        """A place in a repository of a configured host.

        Raises:
            NotFound: if the host is no integration.
        """
        kind, _ = self._integration(host)
        return GitTarget(kind, normal_netloc(host), repository, ref, path)

    async def fetch(self, target: GitTarget) -> str:
        """Bring the mirror up to date; the commit id that the target's ref has now.

        Raises:
            NotFound: if the repository or the ref does not exist.
            Unavailable: if the host does not answer.
        """
        _, commit = await self.resolve(target)
        return commit

    async def resolve(self, target: GitTarget) -> tuple[GitTarget, str]:
        """Fetch, and decide what an open target's ref is: the longest that exists.

        The target, and the commit id that its ref has now.

        Raises:
            NotFound: if the repository or the ref does not exist.
            Unavailable: if the host does not answer.
        """
        await self._update(target)
        names = {ref: _ref_names(ref) for ref, _ in target.readings()}
        questions = [f"{name}^{{commit}}" for some in names.values() for name in some]
        answer = await self._git(
            target,
            ["cat-file", "--batch-check=%(objectname) %(objecttype)"],
            data="".join(f"{question}\n" for question in questions).encode(),
            allow=(128,),
        )
        answers = iter(answer.decode(errors="replace").splitlines())
        for ref, some in names.items():
            for words in [next(answers, "").split(" ") for _ in some]:
                if words[-1] == "commit":
                    key = (target.host, target.repository)
                    self._refs.setdefault(key, set()).add(ref)
                    return target.with_ref(ref), words[0]
        raise NotFound(_no_ref(target))

    async def default_branch(self, target: GitTarget) -> str:
        """The name of a fetched repository's default branch."""
        arguments = ["symbolic-ref", "--short", "HEAD"]
        name = await self._git(target, arguments, allow=(1, 128))
        return name.decode(errors="replace").strip() or "HEAD"

    async def _update(self, target: GitTarget) -> None:
        mirror = self._mirror(target)
        if target.kind != "local":
            coalesced = self._fetches.setdefault(mirror, Coalesced())
            extra = self._access(target)
            await coalesced.run(lambda: update(mirror, target.clone_url, extra))
        elif not mirror.is_dir():
            raise NotFound(no_repository(target))

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
            message = f"{target.repository}: {error.message} at {commit[:8]}"
            raise type(error)(message) from None

    async def follow_path(
        self, target: GitTarget, commit: str, path: str
    ) -> Sequence[str]:
        """The links that a file is read through, and where it lies; () without links.

        Raises:
            Invalid: if a link leaves the repository or is part of a ring.
        """
        return await self._trees(target).follow_path(commit, _clean(path))

    async def list(
        self, target: GitTarget, commit: str, prefix: str = ""
    ) -> Sequence[str]:
        """The paths of all files at a commit, below `prefix` if given."""
        arguments = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit]
        if prefix:
            arguments += ["--", _clean(prefix)]
        found = await self._git(target, arguments)
        return await asyncio.to_thread(_split, found)

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
        found = self._by_host.get(host) or self._by_host.get(normal_netloc(host))
        if found is None:
            raise NotFound(f"No integration is configured for the host {host}")
        return found

    def _mirror(self, target: GitTarget) -> Path:
        """Where the repository's mirror lies; that of a local one: itself.

        Raises:
            Invalid: if a part of the repository's name cannot be a folder's.
        """
        kind, integration = self._integration(target.host)
        if not are_names(target.repository):
            raise Invalid(
                f"repository: {target.repository!r} is not a repository's name"
            )
        if kind == "local" and integration.directory is not None:
            if not NAME.fullmatch(target.repository):
                raise NotFound(no_repository(target))
            return integration.directory / f"{target.repository}.git"
        host = target.host.replace(":", "_")
        # Names of other hosts hold spaces and more; ordinary ones stay as they are.
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


def _split(printed: bytes) -> list[str]:
    """The paths that git printed, each with a NUL behind it."""
    return [part for part in printed.decode(errors="replace").split("\0") if part]


def _ref_names(ref: str) -> list[str]:
    """What Git may call a ref of this name; nothing if it can be no ref."""
    if not ref:
        return ["HEAD"]
    if NO_REF.search(ref):
        return []
    if ref.startswith("refs/"):
        return [ref]
    names = [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/{ref}"]
    return [*names, ref] if COMMIT.fullmatch(ref) else names


def _no_ref(target: GitTarget) -> str:
    where = f"{target.repository} at {target.host}"
    if target.is_open:
        return (
            f"{where} has no ref {target.ref}, and no branch or tag with a longer name "
            f"that {target.ref}/{target.path} begins with"
        )
    if not target.ref:
        return f"{where} has no commit on its default branch"
    return f"{where} has no ref {target.ref}"


def _clean(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Invalid(f"path: {path!r} leads outside the repository")
    check_git_path(path)
    return "/".join(parts)


def _bare(directory: Path | None) -> list[Path]:
    if directory is None or not directory.is_dir():
        return []
    return [path for path in directory.glob("*.git") if (path / "HEAD").is_file()]
