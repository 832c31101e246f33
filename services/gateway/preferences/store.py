"""Keeps user settings in the gateway's database (MongoDB)."""

from collections.abc import Sequence
from typing import Any

from motor.motor_asyncio import AsyncIOMotorCollection

from shared.kit.migrations import Kept
from shared.kit.mongo import unavailable_as_error

#: Found by their ids alone, which are made of person, bucket and key.
PREFERENCES = Kept("preferences")


class MongoPreferences:
    """`Preferences`: one document a (person, bucket, key)."""

    def __init__(self, collection: AsyncIOMotorCollection[dict[str, Any]]) -> None:
        self._collection = collection

    async def get(
        self, person: str, wanted: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Any]:
        ids = {_id(person, bucket, key): (bucket, key) for bucket, key in wanted}
        found: dict[tuple[str, str], Any] = {}
        with unavailable_as_error(self._collection):
            async for document in self._collection.find({"_id": {"$in": list(ids)}}):
                found[ids[document["_id"]]] = document["value"]
        return found

    async def put(self, person: str, bucket: str, key: str, value: Any) -> None:
        document = {"_id": _id(person, bucket, key), "person": person, "value": value}
        with unavailable_as_error(self._collection):
            await self._collection.replace_one(
                {"_id": document["_id"]}, document, upsert=True
            )

    async def drop(self, person: str, bucket: str, key: str) -> None:
        with unavailable_as_error(self._collection):
            await self._collection.delete_one({"_id": _id(person, bucket, key)})


def _id(person: str, bucket: str, key: str) -> str:
    # The unit separator is refused in bucket and key, so no two can meet in one id.
    return f"{person}\x1f{bucket}\x1f{key}"
