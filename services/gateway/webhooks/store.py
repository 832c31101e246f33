"""Keeps the fingerprints of published deliveries for a while (MongoDB)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import UpdateOne

from shared.kit.documents.migrations import StoredCollection
from shared.kit.documents.mongo import Collection, Index, unavailable_as_error

#: Hosts send a failed delivery again for three days at the most.
KEPT = timedelta(days=30)
SWEEP_EVERY = 200
BATCH = 1000
Document = dict[str, Any]


async def dates_to_numbers(collection: Collection) -> None:
    """Shape 2: `at` is milliseconds since 1970, as everywhere else, and no date."""
    updates: list[UpdateOne] = []
    async for found in collection.find({}, {"at": 1}):
        if isinstance(found.get("at"), datetime):
            # Only over the date that was read: nobody's newer number is lost.
            same = {"_id": found["_id"], "at": found["at"]}
            updates.append(UpdateOne(same, {"$set": {"at": _stamp(found["at"])}}))
    for start in range(0, len(updates), BATCH):
        await collection.bulk_write(updates[start : start + BATCH], ordered=False)


DELIVERIES = StoredCollection(
    "deliveries", shape=2, indexes=(Index.on("at"),), steps={2: dates_to_numbers}
)


class MongoDeliveries:
    """`Deliveries`: the fingerprint is the document's id, so it is unique."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._marked = 0

    async def was_published(self, delivery: str) -> bool:
        with unavailable_as_error(self._collection):
            return await self._collection.find_one({"_id": delivery}) is not None

    async def mark(self, delivery: str) -> None:
        now = datetime.now(UTC)
        document = {"_id": delivery, "at": _stamp(now)}
        with unavailable_as_error(self._collection):
            await self._collection.replace_one({"_id": delivery}, document, upsert=True)
            if self._marked % SWEEP_EVERY == 0:
                old = {"at": {"$lt": _stamp(now - KEPT)}}
                await self._collection.delete_many(old)
        self._marked += 1


def _stamp(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
