"""Repositories at the configured hosts of type `local`."""

from pathlib import Path

from shared.contracts.errors import NotFound
from shared.kit.git.mirrors import RepositoryMirrors


class GitRepositories:
    """Makes repositories and their first commit."""

    def __init__(self, mirrors: RepositoryMirrors) -> None:
        self._mirrors = mirrors

    async def create(self, host: str, repository: str, branch: str) -> None:
        await self._mirrors.create(host, repository, branch=branch)

    async def head(self, host: str, repository: str, branch: str) -> str | None:
        """The branch's commit, None if the repository has no such branch.

        Raises:
            NotFound: if there is no such repository.
            Invalid: if the host is of a type where none can be made.
        """
        if repository not in await self._mirrors.repositories(host):
            raise NotFound(f"There is no repository {repository} at {host}")
        try:
            return await self._mirrors.fetch(
                self._mirrors.target(host, repository, branch)
            )
        except NotFound:
            return None

    async def push(
        self,
        host: str,
        repository: str,
        branch: str,
        folder: Path,
        *,
        message: str,
        author: tuple[str, str],
    ) -> str:
        target = self._mirrors.target(host, repository, branch)
        return await self._mirrors.push_tree(
            target, folder, message=message, author=author
        )

    def pages(self, host: str, repository: str, branch: str) -> tuple[str, str]:
        target = self._mirrors.target(host, repository, branch)
        return target.repository_url, target.url("tree").rstrip("/")
