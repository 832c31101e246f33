"""Long API definitions in MongoDB, each once, under the hash of its text (ADR 0019).

A text is put before the entity that refers to it. As long as no revision refers to it,
it carries the moment when it was put last (`touched`). The outbox takes that mark away
when it stores the revision. Revisions are kept for good, and so are their definitions.
What still has the mark after days came with an entity that was never stored.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pymongo.errors import DuplicateKeyError

from services.catalog.store.collections import DEFINITIONS
from services.catalog.store.documents import stamp
from shared.contracts.errors import Unavailable
from shared.kit.documents.mongo import Database, Document, unavailable_as_error

UNUSED_AFTER = timedelta(days=7)
#: A mark that is younger is left as it is: it saves a write.
YOUNG = timedelta(days=1)
TRIES = 5
#: With the language behind it: the field of the words of a text's operations.
OPERATIONS = "operations"


class MongoDefinitionStore:
    """The `DefinitionStore` port, and what removes unused definitions."""

    def __init__(self, database: Database) -> None:
        self._collection = database[DEFINITIONS.name]

    async def put(self, name: str, text: str) -> None:
        with unavailable_as_error(self._collection):
            for _ in range(TRIES):
                if await self._is_put(name, text):
                    return
        raise Unavailable("A definition is being written by others; try again")

    async def _is_put(self, name: str, text: str) -> bool:
        """Store or mark a text; False if another process was faster."""
        now = datetime.now(UTC)
        document = await self._collection.find_one({"_id": name}, {"touched": 1})
        if document is None:
            document = {"_id": name, "text": text, "touched": stamp(now)}
            try:
                await self._collection.insert_one(document)
            except DuplicateKeyError:
                return False
            return True
        mark = document.get("touched")
        if mark is None or mark > stamp(now - YOUNG):
            return True
        done = await self._collection.update_one(
            {"_id": name, "touched": mark}, {"$set": {"touched": stamp(now)}}
        )
        return bool(done.matched_count)

    async def texts(self, names: Sequence[str]) -> Mapping[str, str]:
        with unavailable_as_error(self._collection):
            documents = await self._collection.find(
                {"_id": {"$in": list(names)}}, {"text": 1}
            ).to_list(None)
        return {document["_id"]: document["text"] for document in documents}

    async def operations(self, name: str, kind: str) -> str | None:
        with unavailable_as_error(self._collection):
            document = await self._collection.find_one(
                {"_id": name}, {f"{OPERATIONS}_{kind}": 1}
            )
        words = (document or {}).get(f"{OPERATIONS}_{kind}")
        return words if isinstance(words, str) else None

    async def remember_operations(self, name: str, kind: str, words: str) -> None:
        with unavailable_as_error(self._collection):
            await self._collection.update_one(
                {"_id": name}, {"$set": {f"{OPERATIONS}_{kind}": words}}
            )

    async def keep(self, names: Collection[str]) -> None:
        """Keep these for good: a stored revision refers to them."""
        if names:
            await self._collection.update_many(
                {"_id": {"$in": list(names)}}, {"$unset": {"touched": ""}}
            )

    async def unused(self, *, now: datetime | None = None) -> list[str]:
        """The definitions that no revision came to refer to."""
        with unavailable_as_error(self._collection):
            documents = self._collection.find(_marked_before(now), {"_id": 1})
            return [document["_id"] async for document in documents]

    async def remove(
        self, names: Sequence[str], *, now: datetime | None = None
    ) -> None:
        """Remove those of these that are still unused."""
        with unavailable_as_error(self._collection):
            await self._collection.delete_many(
                {"_id": {"$in": list(names)}, **_marked_before(now)}
            )


def _marked_before(now: datetime | None) -> Document:
    limit = stamp((now or datetime.now(UTC)) - UNUSED_AFTER)
    return {"touched": {"$gt": "", "$lt": limit}}
