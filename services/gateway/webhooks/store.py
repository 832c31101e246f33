"""Keeps the numbers of published deliveries for a while (MongoDB)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorCollection

from shared.kit.mongo import unavailable_as_error

#: Hosts send a failed delivery again for three days at the most.
KEPT = timedelta(days=30)
SWEEP_EVERY = 200


class MongoDeliveries:
    """`Deliveries`: the number is the document's id, so it is unique."""

    def __init__(self, collection: AsyncIOMotorCollection[dict[str, Any]]) -> None:
        self._collection = collection
        self._marked = 0

    async def told(self, delivery: str) -> bool:
        with unavailable_as_error():
            return await self._collection.find_one({"_id": delivery}) is not None

    async def mark(self, delivery: str) -> None:
        now = datetime.now(UTC)
        with unavailable_as_error():
            await self._collection.replace_one(
                {"_id": delivery}, {"_id": delivery, "at": now}, upsert=True
            )
            if self._marked % SWEEP_EVERY == 0:
                await self._collection.delete_many({"at": {"$lt": now - KEPT}})
        self._marked += 1
