"""A lease in a document of the index, renewed by its holder.

`LeaseWatch` decides when it is over; each renewal changes the document's sequence
number. A process that lost the lease without noticing cannot overwrite newer states.
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
#: The holder of a released lease.
NOBODY = ""


class Lease:
    """The right to work on an index; `target` is an alias of it.

    `holder` identifies the process, which may take its own lease again. `watch` is
    shared by the process' leases, which last for `seconds`.
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
        """Take the lease if it is free and hold it while the block runs."""
        taken = await self.take()
        try:
            yield taken
        finally:
            if taken:
                await self.leave()

    async def take(self) -> bool:
        """Take the lease if it is free, and renew it regularly."""
        if not await self._claim(self._holder):
            return False
        self._task = asyncio.create_task(self._renew(), name="search-lease")
        return True

    async def leave(self) -> None:
        """Release the lease; if the server is unavailable, it expires."""
        await self.drop()
        with contextlib.suppress(Unavailable):
            await self._claim(NOBODY)

    async def drop(self) -> None:
        """Stop renewing the lease."""
        if self._task is not None:
            await tasks.end(self._task)
            self._task = None

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / 4)
            with contextlib.suppress(Unavailable):
                if not await self._claim(self._holder):
                    return

    async def _claim(self, holder: str) -> bool:
        """Write the holder, unless another process holds the lease."""
        lease = await read(self._client, self._target)
        if lease is not None and not self._is_free(lease):
            return False
        options: dict[str, Any] = {"op_type": "create"}
        if lease is not None:
            sequence, term = lease.place
            options = {"if_seq_no": sequence, "if_primary_term": term}
        values = {"holder": holder}
        try:
            with self._client.calls() as server:
                await server.index(
                    index=self._target,
                    id=DOCUMENT,
                    body={
                        "role": "lease",
                        "ref": DOCUMENT,
                        "shown": False,
                        "kept": values,
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
    """The lease of an index or alias; None if it was never taken."""
    try:
        with client.calls() as server:
            return StoredDocument.of(await server.get(index=target, id=DOCUMENT))
    except MissingIndex:
        return None
