"""The repositories that one reading fetched: each once, whatever comes of it."""

import asyncio
from collections import defaultdict

from services.catalog.ports import UnknownCommit
from shared.contracts.errors import CallboardError, NotFound
from shared.kit.git.addresses import GitTarget
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.not_found import (
    RefNotFound,
    fresh_copy,
    ref_not_found_message,
    repository_not_found_message,
)

#: A missing source and an unreadable one have the same message, for everybody. A push
#: and a scan read what everybody may see, and what their Location has entities from.
OR_HIDDEN = (
    ", it is not readable for you, or its descriptor cannot be read yet; a Location "
    "gets hidden files that are new to it when somebody who may read them registers "
    "it, again with onConflict=refresh"
)


class FetchedRepositories:
    """The commits of refs, for one reading.

    A host that is down takes a minute for each fetch, and a reading may have thousands
    of files there: an error counts for the rest of the reading.
    """

    def __init__(self, mirrors: RepositoryMirrors) -> None:
        self._mirrors = mirrors
        #: By host and repository: the error of its fetch, None if it was fetched.
        self._fetches: dict[tuple[str, str], CallboardError | None] = {}
        #: Host, repository and ref of which there is none, or none that begins so.
        self._missing_refs: set[tuple[str, str, str]] = set()
        self._locks: defaultdict[tuple[str, str], asyncio.Lock]
        self._locks = defaultdict(asyncio.Lock)

    async def resolve(self, target: GitTarget) -> tuple[GitTarget, str]:
        """The target with its whole ref, and its commit.

        Raises:
            UnknownCommit: if there is no such repository or ref.
            CallboardError: what the fetch of the repository raised.
        """
        repository = (target.host, target.repository)
        async with self._locks[repository]:
            error = self._fetches.get(repository)
            if error is not None:
                raise fresh_copy(error)
            if (*repository, target.ref) in self._missing_refs:
                raise UnknownCommit(ref_not_found_message(target))
            try:
                return await self._resolved(target, repository)
            except RefNotFound as missing:
                await self._note_missing(target, repository)
                raise UnknownCommit(missing.message) from missing

    async def _resolved(
        self, target: GitTarget, repository: tuple[str, str]
    ) -> tuple[GitTarget, str]:
        """The target with its ref and commit; a fetch, or its error, is noted."""
        if repository in self._fetches:
            return await self._mirrors.resolve(target, is_fetched=True)
        try:
            resolved = await self._mirrors.resolve(target)
        except RefNotFound:
            self._fetches[repository] = None
            raise
        except NotFound as error:
            # A token may not see what exists: that is no reason to delete.
            message = error.message
            if message == repository_not_found_message(target):
                message = f"{message}{OR_HIDDEN}"
            unknown = UnknownCommit(message)
            self._fetches[repository] = unknown
            raise fresh_copy(unknown) from error
        except CallboardError as error:
            self._fetches[repository] = fresh_copy(error)
            raise
        self._fetches[repository] = None
        return resolved

    async def _note_missing(
        self, target: GitTarget, repository: tuple[str, str]
    ) -> None:
        """Note that no address with this ref can be resolved, if that is so.

        Where an address does not show where its ref ends, another one may have a ref
        that begins in the same way.
        """
        if not target.is_open or not await self._mirrors.has_refs_below(target):
            self._missing_refs.add((*repository, target.ref))
