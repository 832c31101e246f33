"""Keeps user settings in the gateway's database (MongoDB)."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from motor.motor_asyncio import AsyncIOMotorCollection

from shared.contracts.errors import Conflict
from shared.kit.migrations import Kept
from shared.kit.mongo import unavailable_as_error

#: Found by their ids alone, which are made of person, bucket and key.
PREFERENCES = Kept("preferences")
#: How many settings one person may keep.
MOST_SETTINGS = 500


class MongoPreferences:
    """`Preferences`: one document a (person, bucket, key).

    Values are kept as JSON text: the server does not take every key of an object.
    """

    def __init__(self, collection: AsyncIOMotorCollection[dict[str, Any]]) -> None:
        self._collection = collection

    async def get(
        self, person: str, wanted: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Any]:
        ids = {_id(person, bucket, key): (bucket, key) for bucket, key in wanted}
        found: dict[tuple[str, str], Any] = {}
        with unavailable_as_error(self._collection):
            async for document in self._collection.find({"_id": {"$in": list(ids)}}):
                found[ids[document["_id"]]] = _value(document)
        return found

    async def put(self, person: str, bucket: str, key: str, value: Any) -> None:
        text = orjson.dumps(value).decode()
        document = {"_id": _id(person, bucket, key), "person": person, "text": text}
        same = {"_id": document["_id"]}
        with unavailable_as_error(self._collection):
            done = await self._collection.replace_one(same, document)
            if done.matched_count:
                return
            own = {"_id": {"$gt": _id(person, "", ""), "$lt": f"{person}\x20"}}
            if await self._collection.count_documents(own) >= MOST_SETTINGS:
                raise Conflict(
                    f"key: at most {MOST_SETTINGS} settings a person; delete others"
                )
            await self._collection.replace_one(same, document, upsert=True)

    async def drop(self, person: str, bucket: str, key: str) -> None:
        with unavailable_as_error(self._collection):
            await self._collection.delete_one({"_id": _id(person, bucket, key)})


def _value(document: Mapping[str, Any]) -> Any:
    """The value of a document; earlier versions kept it as it is."""
    text = document.get("text")
    return document["value"] if text is None else orjson.loads(text)


def _id(person: str, bucket: str, key: str) -> str:
    # The unit separator is refused in bucket and key, so no two can meet in one id.
    return f"{person}\x1f{bucket}\x1f{key}"
