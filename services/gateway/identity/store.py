"""Keeps which sessions were ended before their time, until that time is over."""

import asyncio
import time
from collections.abc import Callable

from shared.contracts.errors import CallboardError
from shared.kit.documents.migrations import StoredCollection
from shared.kit.documents.mongo import Collection, Index, unavailable_as_error

ENDED_SESSIONS = StoredCollection(
    "ended_sessions", indexes=(Index.on("until"), Index.on("at"))
)
#: So long a session that another gateway ended may still count here.
LOOK_SECONDS = 1.0
#: No request waits longer for that look: while the documents are away memory counts.
PATIENCE_SECONDS = 0.25
#: Clocks differ, and a write takes its time: what is older was seen before.
MARGIN_SECONDS = 60.0


class MongoEndedSessions:
    """`EndedSessions`: answered from memory, kept in the gateway's database.

    What other gateways ended is looked up when sessions are used, at most once a
    second for all of them.
    """

    def __init__(
        self,
        collection: Collection,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._collection = collection
        self._clock = clock
        self._known: dict[str, float] = {}
        self._looked = 0.0
        self._look: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Reads what was ended before this process started, drops what is over."""
        now = self._clock()
        with unavailable_as_error(self._collection):
            await self._collection.delete_many({"until": {"$lte": now}})
            async for found in self._collection.find({}):
                self._known[found["_id"]] = found["until"]
        self._looked = now

    async def ended(self, session: str) -> bool:
        if session in self._known:
            return True
        if self._look is None and self._clock() - self._looked >= LOOK_SECONDS:
            self._look = asyncio.create_task(self._learn(), name="ended-sessions")
        if self._look is not None:
            await asyncio.wait({self._look}, timeout=PATIENCE_SECONDS)
        return session in self._known

    async def _learn(self) -> None:
        """Read what was ended elsewhere since the last look."""
        now = self._clock()
        since = {"at": {"$gt": self._looked - MARGIN_SECONDS}}
        try:
            with unavailable_as_error(self._collection):
                async for found in self._collection.find(since):
                    self._known[found["_id"]] = found["until"]
        except CallboardError:
            # Readiness says so already; the next look goes as far back as this one.
            return
        else:
            self._looked = now
        finally:
            self._look = None

    async def end(self, session: str, until: float) -> None:
        """Ends the session here at once, and for later processes."""
        now = self._clock()
        self._known = {k: v for k, v in self._known.items() if v > now}
        self._known[session] = until
        with unavailable_as_error(self._collection):
            await self._collection.replace_one(
                {"_id": session},
                {"_id": session, "until": until, "at": now},
                upsert=True,
            )
