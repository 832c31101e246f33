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
    """An index on the server and the aliases that point to it."""

    name: str
    aliases: frozenset[str]


class ServerAlias:
    """The alias of the index on the server; `name` is the prefix of all its names."""

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
        self._query_alias = f"{name}-v{SCHEMA}"
        self._live_alias, self._rebuild_alias = (
            f"{self._query_alias}-live",
            f"{self._query_alias}-rising",
        )
        self._lease_seconds = lease_seconds
        self._watch = LeaseWatch(lease_seconds)
        self._holder = secrets.token_hex(8)
        index = ServerIndex(client, self._query_alias, tags)
        self._live = ServerIndexVersion(
            client, self._live_alias, index, prompt=True, begin=self._ensure_index
        )
        self._candidate = self._version_of(self._rebuild_alias)
        self._rebuild: tuple[str, Lease] | None = None

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
            await self._ensure_index()
            await self._delete_leftovers(await self._list_indices())
        except Unavailable as error:
            logs.get_logger("search").warning("index_unavailable", error=str(error))

    async def close(self) -> None:
        await self.abandon()
        await self._client.close()

    async def check(self) -> None:
        body = {"size": 0, "track_total_hits": False, "terminate_after": 1}
        try:
            await self._client.search(self._query_alias, body)
        except MissingIndex as error:
            raise Unavailable("The search index is being built") from error

    async def apply(self, changes: Sequence[Change]) -> int:
        if await self._client.has_alias(self._rebuild_alias):
            try:
                await self._candidate.apply(changes)
            except MissingIndex:
                logs.get_logger("search").info("rebuild_index_missing")
        return await self._live.apply(changes)

    async def completed(self) -> None:
        indices = await self._list_indices()
        for index in indices:
            if (
                self._live_alias in index.aliases
                and self._query_alias not in index.aliases
            ):
                await self._alias({"add": self._of(index.name, self._query_alias)})
        await self._delete_leftovers(indices)

    def turn(self) -> AbstractAsyncContextManager[bool]:
        return self._lease(self._live_alias).holding()

    async def begin(self) -> ServerIndexVersion:
        indices = await self._list_indices()
        await self._delete_leftovers(indices)
        if any(
            self._rebuild_alias in index.aliases for index in await self._list_indices()
        ):
            raise Conflict("The index is being rebuilt already")
        name = _next_name(self._query_alias, indices)
        try:
            await self._create(name, self._rebuild_alias, _filling_alias(name))
        except VersionCollision as error:
            raise Conflict("The index is being rebuilt already") from error
        claim = self._lease(_filling_alias(name))
        await claim.take()
        self._rebuild = name, claim
        return self._version_of(_filling_alias(name))

    def _lease(self, target: str) -> Lease:
        seconds = self._lease_seconds
        return Lease(self._client, target, self._holder, self._watch, seconds=seconds)

    async def switch(self) -> None:
        if self._rebuild is None:
            raise Conflict("No index is being rebuilt")
        name, claim = self._rebuild
        previous = [
            i.name for i in await self._list_indices() if self._live_alias in i.aliases
        ]
        try:
            await self._alias(
                {"remove": {**self._of(name, self._rebuild_alias), "must_exist": True}},
                {"remove": self._of(name, _filling_alias(name))},
                {"add": self._of(name, self._live_alias)},
                {"add": self._of(name, self._query_alias)},
                *({"remove_index": {"index": index}} for index in previous),
            )
        except MissingIndex as error:
            raise Conflict("Another process took over the rebuild") from error
        self._rebuild = None
        await claim.drop()
        await self._delete_leftovers(await self._list_indices())

    async def abandon(self) -> None:
        rebuild, self._rebuild = self._rebuild, None
        if rebuild is not None:
            name, claim = rebuild
            await claim.drop()
            try:
                await self._delete(name)
            except Unavailable as error:
                # Another process deletes it when its lease has ended.
                logs.get_logger("search").warning(
                    "leftover_index_not_deleted", error=str(error)
                )

    def _version_of(self, target: str) -> ServerIndexVersion:
        index = ServerIndex(self._client, target, self._tags)
        return ServerIndexVersion(self._client, target, index, prompt=False)

    async def _ensure_index(self) -> None:
        """Create the first index unless it exists.

        Its name is fixed, so that only one of several processes can create it.
        """
        if await self._client.has_alias(self._live_alias):
            return
        try:
            await self._create(f"{self._query_alias}-000000", self._live_alias)
        except VersionCollision:
            logs.get_logger("search").info("index_created_by_another_process")

    async def _create(self, name: str, *aliases: str) -> None:
        body = {
            "settings": {"index": SETTINGS},
            "mappings": MAPPING,
            "aliases": {alias: {} for alias in aliases},
        }
        with self._client.calls() as server:
            await server.indices.create(index=name, body=body)

    async def _list_indices(self) -> list[AliasState]:
        """The indices of this schema, oldest first."""
        with self._client.calls() as server:
            response = await server.indices.get_alias(index=f"{self._query_alias}-*")
        names = re.compile(rf"{re.escape(self._query_alias)}-\d{{6}}(-[0-9a-f]{{4}})?")
        return [
            AliasState(name, frozenset(index["aliases"]))
            for name, index in sorted(response.items())
            if names.fullmatch(name)
        ]

    async def _delete_leftovers(self, indices: Sequence[AliasState]) -> None:
        """Delete indices of rebuilds whose process died.

        An index without a lease has just been created by its process.
        """
        for index in indices:
            if self._live_alias in index.aliases:
                continue
            current_lease = await lease.read(self._client, index.name)
            if self._watch.is_over(index.name, current_lease and current_lease.place):
                await self._delete(index.name)
                logs.get_logger("search").info(
                    "leftover_index_deleted", index=index.name
                )

    async def _delete(self, name: str) -> None:
        with self._client.calls() as server:
            await server.indices.delete(index=name, ignore_unavailable=True)

    async def _alias(self, *actions: Json) -> None:
        with self._client.calls() as server:
            await server.indices.update_aliases(body={"actions": list(actions)})

    @staticmethod
    def _of(index: str, alias: str) -> dict[str, Any]:
        return {"index": index, "alias": alias}


def _filling_alias(name: str) -> str:
    """The alias that the process of a rebuild writes through."""
    return f"{name}-filling"


def _next_name(prefix: str, indices: Sequence[AliasState]) -> str:
    """A unique name, so that a late deletion never deletes another index."""
    numbers = [int(index.name[len(prefix) + 1 :][:6]) for index in indices]
    return f"{prefix}-{max(numbers, default=0) + 1:06d}-{secrets.token_hex(2)}"
