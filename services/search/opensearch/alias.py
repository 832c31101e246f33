"""Index versions on the server, behind aliases that all replicas of search share.

Each version is an index with a unique name: `NAME-v1-000000`, `NAME-v1-000001-3f2a`.
The alias `NAME-v1-live` points to the index that takes changes, `NAME-v1` to the same
index once it is complete, `NAME-v1-rising` to one that a rebuild fills; changes go to
both. The switch is one atomic request. An index that takes no changes and that no
process fills is left over from a process that died, and is deleted.
"""

import re
import secrets
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from services.search.highlight import Tags
from services.search.model import Change
from services.search.opensearch import lease
from services.search.opensearch.client import (
    Json,
    MissingIndex,
    OpenSearchClient,
    VersionCollision,
)
from services.search.opensearch.index import ServerIndex
from services.search.opensearch.index_version import ServerIndexVersion
from services.search.opensearch.lease import Lease
from services.search.opensearch.schema import MAPPING, SCHEMA, SETTINGS
from shared.contracts.errors import Conflict, Unavailable
from shared.kit.documents.leases import LeaseWatch
from shared.kit.observability import logs


@dataclass(frozen=True, slots=True)
class AliasState:
    """An index as it is on the server."""

    name: str
    aliases: frozenset[str]


class ServerAlias:
    """`name` begins the names of all indices and aliases."""

    quarantine_reason = None

    def __init__(
        self,
        client: OpenSearchClient,
        name: str,
        tags: Tags,
        *,
        lease_seconds: float = lease.SECONDS,
    ) -> None:
        self._client = client
        self._name = name
        self._tags = tags
        self._answers = f"{name}-v{SCHEMA}"
        self._takes, self._rises = f"{self._answers}-live", f"{self._answers}-rising"
        self._lease_seconds = lease_seconds
        self._watch = LeaseWatch(lease_seconds)
        self._holder = secrets.token_hex(8)
        answers = ServerIndex(client, self._answers, tags)
        self._live = ServerIndexVersion(
            client, self._takes, answers, prompt=True, begin=self._begun
        )
        self._others = self._filling(self._rises)
        self._rising: tuple[str, Lease] | None = None

    @property
    def live(self) -> ServerIndexVersion:
        return self._live

    @property
    def answering(self) -> ServerIndexVersion:
        """The live index. The server knows whether it is complete."""
        return self._live

    async def open(self) -> None:
        """Create the first index if there is none. Does not wait for the server."""
        try:
            await self._begun()
            await self._collect(await self._standing())
        except Unavailable as error:
            logs.get_logger("search").warning("index_away", error=str(error))

    async def close(self) -> None:
        await self.abandon()
        await self._client.close()

    async def check(self) -> None:
        body = {"size": 0, "track_total_hits": False, "terminate_after": 1}
        try:
            await self._client.search(self._answers, body)
        except MissingIndex as error:
            raise Unavailable("The search index is being built") from error

    async def apply(self, changes: Sequence[Change]) -> int:
        if await self._client.has_alias(self._rises):
            try:
                await self._others.apply(changes)
            except MissingIndex:
                logs.get_logger("search").info("rising_index_gone")
        return await self._live.apply(changes)

    async def completed(self) -> None:
        standing = await self._standing()
        for index in standing:
            if self._takes in index.aliases and self._answers not in index.aliases:
                await self._alias({"add": self._of(index.name, self._answers)})
        await self._collect(standing)

    def turn(self) -> AbstractAsyncContextManager[bool]:
        return self._lease(self._takes).holding()

    async def begin(self) -> ServerIndexVersion:
        standing = await self._standing()
        await self._collect(standing)
        if any(self._rises in index.aliases for index in await self._standing()):
            raise Conflict("The index is being rebuilt already")
        name = _next(self._answers, standing)
        try:
            await self._create(name, self._rises, _own(name))
        except VersionCollision as error:
            raise Conflict("The index is being rebuilt already") from error
        claim = self._lease(_own(name))
        await claim.take()
        self._rising = name, claim
        return self._filling(_own(name))

    def _lease(self, target: str) -> Lease:
        seconds = self._lease_seconds
        return Lease(self._client, target, self._holder, self._watch, seconds=seconds)

    async def switch(self) -> None:
        if self._rising is None:
            raise Conflict("No index is being rebuilt")
        name, claim = self._rising
        old = [i.name for i in await self._standing() if self._takes in i.aliases]
        try:
            await self._alias(
                {"remove": {**self._of(name, self._rises), "must_exist": True}},
                {"remove": self._of(name, _own(name))},
                {"add": self._of(name, self._takes)},
                {"add": self._of(name, self._answers)},
                *({"remove_index": {"index": index}} for index in old),
            )
        except MissingIndex as error:
            raise Conflict("Another process took over the rebuild") from error
        self._rising = None
        await claim.drop()
        await self._collect(await self._standing())

    async def abandon(self) -> None:
        rising, self._rising = self._rising, None
        if rising is not None:
            name, claim = rising
            await claim.drop()
            try:
                await self._delete(name)
            except Unavailable as error:
                # Its lease ends, and whoever looks next collects it.
                logs.get_logger("search").warning("index_left", error=str(error))

    def _filling(self, target: str) -> ServerIndexVersion:
        index = ServerIndex(self._client, target, self._tags)
        return ServerIndexVersion(self._client, target, index, prompt=False)

    async def _begun(self) -> None:
        """There is an index that takes changes; of several who make it one does.

        Always by the same name: two of them would be one too many.
        """
        if await self._client.has_alias(self._takes):
            return
        try:
            await self._create(f"{self._answers}-000000", self._takes)
        except VersionCollision:
            logs.get_logger("search").info("index_made_by_another")

    async def _create(self, name: str, *aliases: str) -> None:
        body = {
            "settings": {"index": SETTINGS},
            "mappings": MAPPING,
            "aliases": {alias: {} for alias in aliases},
        }
        with self._client.calls() as server:
            await server.indices.create(index=name, body=body)

    async def _standing(self) -> list[AliasState]:
        """The indices of this schema, oldest first."""
        with self._client.calls() as server:
            found = await server.indices.get_alias(index=f"{self._answers}-*")
        names = re.compile(rf"{re.escape(self._answers)}-\d{{6}}(-[0-9a-f]{{4}})?")
        return [
            AliasState(name, frozenset(index["aliases"]))
            for name, index in sorted(found.items())
            if names.fullmatch(name)
        ]

    async def _collect(self, standing: Sequence[AliasState]) -> None:
        """Remove what a process that died left behind.

        An index that has no lease yet is one whose process has just made it.
        """
        for index in standing:
            if self._takes in index.aliases:
                continue
            held = await lease.read(self._client, index.name)
            if self._watch.is_over(index.name, held and held.place):
                await self._delete(index.name)
                logs.get_logger("search").info("index_collected", index=index.name)

    async def _delete(self, name: str) -> None:
        with self._client.calls() as server:
            await server.indices.delete(index=name, ignore_unavailable=True)

    async def _alias(self, *actions: Json) -> None:
        with self._client.calls() as server:
            await server.indices.update_aliases(body={"actions": list(actions)})

    @staticmethod
    def _of(index: str, alias: str) -> dict[str, Any]:
        return {"index": index, "alias": alias}


def _own(name: str) -> str:
    """The alias that the process which fills an index writes by."""
    return f"{name}-filling"


def _next(prefix: str, standing: Sequence[AliasState]) -> str:
    """A name that no index had before: a late clean-up deletes no other index by it."""
    numbers = [int(index.name[len(prefix) + 1 :][:6]) for index in standing]
    return f"{prefix}-{max(numbers, default=0) + 1:06d}-{secrets.token_hex(2)}"
