"""Whose turn it is: a document with an expiry, renewed by who holds it.

It spares work and is no lock: who lost it unawares (a frozen process) still writes
nothing that a newer state would not stand against. Clocks may differ by seconds.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from services.search.opensearch.client import (
    MissingIndex,
    OpenSearchClient,
    VersionCollision,
)
from shared.contracts.errors import Unavailable
from shared.kit.processes import tasks

SECONDS = 20.0
DOCUMENT = "lease"


class Lease:
    """A claim to the work on an index; `target` is an alias of it.

    `holder` names the process: what it holds already it may take again.
    """

    def __init__(
        self,
        client: OpenSearchClient,
        target: str,
        holder: str,
        seconds: float = SECONDS,
    ) -> None:
        self._client = client
        self._path = f"/{target}/_doc/{DOCUMENT}"
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
        if not await self._claim():
            return False
        self._task = asyncio.create_task(self._keep(), name="search-lease")
        return True

    async def leave(self) -> None:
        """Give it back; without the server it ends by itself."""
        await self.drop()
        with contextlib.suppress(Unavailable):
            await self._claim(seconds=0.0)

    async def drop(self) -> None:
        """Renew it no more."""
        if self._task is not None:
            await tasks.end(self._task)
            self._task = None

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / 4)
            with contextlib.suppress(Unavailable):
                if not await self._claim():
                    return

    async def _claim(self, seconds: float | None = None) -> bool:
        held = await read(self._client, self._path)
        source = held["_source"]["kept"] if held else None
        if source and source["holder"] != self._holder and _runs(source):
            return False
        until = time.time() + (self._seconds if seconds is None else seconds)
        kept = {"holder": self._holder, "until": until}
        body = {"role": "lease", "ref": DOCUMENT, "shown": False, "kept": kept}
        params: dict[str, Any] = {"require_alias": "true"}
        if held:
            params["if_seq_no"] = held["_seq_no"]
            params["if_primary_term"] = held["_primary_term"]
        else:
            params["op_type"] = "create"
        try:
            await self._client.call("PUT", self._path, body, params)
        except VersionCollision:
            return False
        return True


async def read(client: OpenSearchClient, path: str) -> Mapping[str, Any] | None:
    """The lease as it is, or None if nobody ever took it."""
    try:
        found: Mapping[str, Any] = await client.call("GET", path)
    except MissingIndex:
        return None
    return found


async def is_held(client: OpenSearchClient, index: str) -> bool:
    """Whether somebody is at work on this index."""
    found = await read(client, f"/{index}/_doc/{DOCUMENT}")
    return found is not None and _runs(found["_source"]["kept"])


def _runs(kept: Mapping[str, Any]) -> bool:
    return float(kept["until"]) > time.time()
