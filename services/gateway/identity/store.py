"""Stores which sessions were ended before they expired, until they expire."""

import asyncio
import time
from collections.abc import Callable

from shared.contracts.errors import CallboardError
from shared.kit.documents.migrations import StoredCollection
from shared.kit.documents.mongo import Collection, Index, unavailable_as_error

ENDED_SESSIONS = StoredCollection(
    "ended_sessions", indexes=(Index.on("until"), Index.on("at"))
)
#: Seconds between two polls: a session that another gateway ended may count so long.
POLL_SECONDS = 1.0
#: Seconds that a request waits for a poll; then the sessions in memory count.
POLL_WAIT_SECONDS = 0.25
#: Overlap of two polls, because clocks differ and a write takes time.
OVERLAP_SECONDS = 60.0


class MongoEndedSessions:
    """`EndedSessions` in memory and in the gateway's database.

    Sessions that other gateways ended are polled when sessions are used, at most once
    a second for all of them.
    """

    def __init__(
        self,
        collection: Collection,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._collection = collection
        self._clock = clock
        self._expiries: dict[str, float] = {}
        self._polled_at = 0.0
        self._poll: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Read the ended sessions, and delete those that have expired."""
        now = self._clock()
        with unavailable_as_error(self._collection):
            await self._collection.delete_many({"until": {"$lte": now}})
            async for document in self._collection.find({}):
                self._expiries[document["_id"]] = document["until"]
        self._polled_at = now

    async def ended(self, session: str) -> bool:
        if session in self._expiries:
            return True
        if self._poll is None and self._clock() - self._polled_at >= POLL_SECONDS:
            self._poll = asyncio.create_task(self._read_new(), name="ended-sessions")
        if self._poll is not None:
            await asyncio.wait({self._poll}, timeout=POLL_WAIT_SECONDS)
        return session in self._expiries

    async def _read_new(self) -> None:
        """Read the sessions that were ended since the last poll."""
        now = self._clock()
        since = {"at": {"$gt": self._polled_at - OVERLAP_SECONDS}}
        try:
            with unavailable_as_error(self._collection):
                async for document in self._collection.find(since):
                    self._expiries[document["_id"]] = document["until"]
        except CallboardError:
            # Readiness reports the error; the next poll covers the same time.
            return
        else:
            self._polled_at = now
        finally:
            self._poll = None

    async def end(self, session: str, until: float) -> None:
        """End the session here at once, and store that."""
        now = self._clock()
        self._expiries = {
            ended: expiry for ended, expiry in self._expiries.items() if expiry > now
        }
        self._expiries[session] = until
        with unavailable_as_error(self._collection):
            await self._collection.replace_one(
                {"_id": session},
                {"_id": session, "until": until, "at": now},
                upsert=True,
            )
