"""Stores user settings in the gateway's database (MongoDB)."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from shared.contracts.errors import Conflict
from shared.kit.documents.migrations import StoredCollection
from shared.kit.documents.mongo import Collection, unavailable_as_error

#: Settings are read by their ids, which consist of person, bucket and key.
PREFERENCES = StoredCollection("preferences")
#: Settings that one person may store, and bytes of their JSON together.
MOST_SETTINGS = 500
MOST_BYTES = 4 * 1024 * 1024


class MongoPreferences:
    """`PreferenceStore`: one document for each (person, bucket, key).

    Values are stored as JSON text, because the server does not take every key.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def get(
        self, person: str, keys: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Any]:
        ids = {_id(person, bucket, key): (bucket, key) for bucket, key in keys}
        values: dict[tuple[str, str], Any] = {}
        with unavailable_as_error(self._collection):
            async for document in self._collection.find({"_id": {"$in": list(ids)}}):
                values[ids[document["_id"]]] = _value(document)
        return values

    async def put(self, person: str, bucket: str, key: str, value: Any) -> None:
        text = orjson.dumps(value)
        setting = _id(person, bucket, key)
        document = {
            "_id": setting,
            "person": person,
            "text": text.decode(),
            "size": len(text),
        }
        with unavailable_as_error(self._collection):
            sizes = await self._sizes(person)
            _check_room(sizes, setting, len(text))
            await self._collection.replace_one({"_id": setting}, document, upsert=True)

    async def _sizes(self, person: str) -> dict[str, int]:
        """The bytes of each setting of a person by id; 0 where no size is stored."""
        own = {"_id": {"$gt": _id(person, "", ""), "$lt": f"{person}\x20"}}
        documents = self._collection.find(own, {"size": True})
        return {
            document["_id"]: document.get("size", 0) async for document in documents
        }

    async def drop(self, person: str, bucket: str, key: str) -> None:
        with unavailable_as_error(self._collection):
            await self._collection.delete_one({"_id": _id(person, bucket, key)})


def _check_room(sizes: Mapping[str, int], setting: str, size: int) -> None:
    """Refuse a new or larger setting beyond a person's limits.

    Simultaneous requests may all pass; the excess is bounded, as each value is.
    """
    if setting not in sizes and len(sizes) >= MOST_SETTINGS:
        raise Conflict(f"key: at most {MOST_SETTINGS} settings a person; delete others")
    growth = size - sizes.get(setting, 0)
    if growth > 0 and sum(sizes.values()) + growth > MOST_BYTES:
        raise Conflict(
            f"value: at most {MOST_BYTES} bytes of settings a person; delete others"
        )


def _value(document: Mapping[str, Any]) -> Any:
    """The value of a document; earlier versions stored it without JSON text."""
    text = document.get("text")
    return document["value"] if text is None else orjson.loads(text)


def _id(person: str, bucket: str, key: str) -> str:
    # Bucket and key must not contain the unit separator, so ids are unique.
    return f"{person}\x1f{bucket}\x1f{key}"
