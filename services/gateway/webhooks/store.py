"""Stores the fingerprints of published deliveries for a while (MongoDB)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import UpdateOne

from shared.kit.documents.migrations import StoredCollection
from shared.kit.documents.mongo import Collection, Index, unavailable_as_error

#: Hosts repeat a failed delivery for at most three days.
RETENTION = timedelta(days=30)
SWEEP_EVERY = 200
BATCH = 1000
Document = dict[str, Any]


async def dates_to_numbers(collection: Collection) -> None:
    """Shape 2: `at` is a number of milliseconds since 1970, and no date."""
    updates: list[UpdateOne] = []
    async for document in collection.find({}, {"at": 1}):
        if isinstance(document.get("at"), datetime):
            # Only if the date is unchanged, so that no newer number is lost.
            unchanged = {"_id": document["_id"], "at": document["at"]}
            updates.append(
                UpdateOne(unchanged, {"$set": {"at": _stamp(document["at"])}})
            )
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
                expired = {"at": {"$lt": _stamp(now - RETENTION)}}
                await self._collection.delete_many(expired)
        self._marked += 1


def _stamp(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
