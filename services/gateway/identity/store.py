"""Keeps which sessions were ended before their time, until that time is over."""

import time
from collections.abc import Callable
from typing import Any

from motor.motor_asyncio import AsyncIOMotorCollection

from shared.kit.mongo import unavailable_as_error


class MongoEndedSessions:
    """`EndedSessions`: answered from memory, kept in the gateway's database."""

    def __init__(
        self,
        collection: AsyncIOMotorCollection[dict[str, Any]],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._collection = collection
        self._clock = clock
        self._known: dict[str, float] = {}

    async def load(self) -> None:
        """Reads what was ended before this process started, drops what is over."""
        now = self._clock()
        with unavailable_as_error():
            await self._collection.delete_many({"until": {"$lte": now}})
            async for found in self._collection.find({}):
                self._known[found["_id"]] = found["until"]

    def ended(self, session: str) -> bool:
        return session in self._known

    async def end(self, session: str, until: float) -> None:
        """Ends the session here at once, and for later processes."""
        now = self._clock()
        self._known = {k: v for k, v in self._known.items() if v > now}
        self._known[session] = until
        with unavailable_as_error():
            await self._collection.replace_one(
                {"_id": session}, {"_id": session, "until": until}, upsert=True
            )
