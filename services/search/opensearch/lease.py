"""Whose turn it is: a lease in a document of the index, renewed by its holder.

When it is over `LeaseWatch` says, as for every lease; each write of the document gives
it another sequence number. A process that lost it unawares (it stood still) writes
nothing that a newer state would not stand against.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.search.opensearch.client import (
    MissingIndex,
    OpenSearchClient,
    StoredDocument,
    VersionCollision,
)
from shared.contracts.errors import Unavailable
from shared.kit.documents.leases import LeaseWatch
from shared.kit.processes import tasks

SECONDS = 20.0
DOCUMENT = "lease"
#: The holder of a lease that was given back.
NOBODY = ""


class Lease:
    """A claim to the work on an index; `target` is an alias of it.

    `holder` names the process: what it holds already it may take again. `watch` is the
    process', of leases that last for `seconds`.
    """

    def __init__(
        self,
        client: OpenSearchClient,
        target: str,
        holder: str,
        watch: LeaseWatch,
        *,
        seconds: float = SECONDS,
    ) -> None:
        self._client = client
        self._target = target
        self._watch = watch
        self._seconds = seconds
        self._holder = holder
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[bool]:
        """Whether it was free; held until the end of the block then."""
        taken = await self.take()
        try:
            yield taken
        finally:
            if taken:
                await self.leave()

    async def take(self) -> bool:
        """Take it if it is free, and keep it."""
        if not await self._claim(self._holder):
            return False
        self._task = asyncio.create_task(self._keep(), name="search-lease")
        return True

    async def leave(self) -> None:
        """Give it back; without the server it ends by itself."""
        await self.drop()
        with contextlib.suppress(Unavailable):
            await self._claim(NOBODY)

    async def drop(self) -> None:
        """Renew it no more."""
        if self._task is not None:
            await tasks.end(self._task)
            self._task = None

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / 4)
            with contextlib.suppress(Unavailable):
                if not await self._claim(self._holder):
                    return

    async def _claim(self, holder: str) -> bool:
        """Write who holds it now, unless another process does."""
        lease = await read(self._client, self._target)
        if lease is not None and not self._is_free(lease):
            return False
        options: dict[str, Any] = {"op_type": "create"}
        if lease is not None:
            sequence, term = lease.place
            options = {"if_seq_no": sequence, "if_primary_term": term}
        kept = {"holder": holder}
        try:
            with self._client.calls() as server:
                await server.index(
                    index=self._target,
                    id=DOCUMENT,
                    body={
                        "role": "lease",
                        "ref": DOCUMENT,
                        "shown": False,
                        "kept": kept,
                    },
                    require_alias=True,
                    **options,
                )
        except VersionCollision:
            return False
        return True

    def _is_free(self, lease: StoredDocument) -> bool:
        if lease.source["kept"]["holder"] in {NOBODY, self._holder}:
            return True
        return self._watch.is_over(self._target, lease.place)


async def read(client: OpenSearchClient, target: str) -> StoredDocument | None:
    """The lease of an index or alias; None if nobody ever took it."""
    try:
        with client.calls() as server:
            return StoredDocument.of(await server.get(index=target, id=DOCUMENT))
    except MissingIndex:
        return None
