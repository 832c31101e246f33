"""Roots in MongoDB, under the name of their Location entity."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pymongo.errors import DuplicateKeyError

from services.catalog.model import RootLocation
from services.catalog.ports import RootChanges
from services.catalog.store.collections import LOCATIONS, REMOVED_LOCATIONS
from services.catalog.store.documents import root_document, stamp, stored_root
from shared.kit.documents.mongo import Database, Document, unavailable_as_error

#: How long it can be asked for that a root was removed.
REMOVAL_AGE = timedelta(days=1)


class MongoRootLocationStore:
    """The `RootLocationStore` port."""

    def __init__(self, database: Database) -> None:
        self._collection = database[LOCATIONS.name]
        self._removals = database[REMOVED_LOCATIONS.name]

    async def every(self) -> Sequence[RootLocation]:
        with unavailable_as_error(self._collection):
            documents = await self._collection.find({}).to_list(None)
        return [stored_root(document) for document in documents]

    async def load(self, names: Sequence[str]) -> Sequence[RootLocation]:
        with unavailable_as_error(self._collection):
            documents = await self._collection.find(
                {"_id": {"$in": list(names)}}
            ).to_list(None)
        return [stored_root(document) for document in documents]

    async def of_source(self, source: str) -> RootLocation | None:
        with unavailable_as_error(self._collection):
            document = await self._collection.find_one({"source": source})
        return stored_root(document) if document else None

    async def changed_since(self, moment: datetime) -> RootChanges:
        edge = stamp(moment)
        with unavailable_as_error(self._collection):
            # Versions before this was stored wrote no moment: those are not among them.
            written = await self._collection.find(
                {"updated": {"$gte": edge}}, {"version": 1}
            ).to_list(None)
            removals = await self._removals.find({"removed": {"$gte": edge}}).to_list(
                None
            )
        return RootChanges(
            {document["_id"]: document["version"] for document in written},
            frozenset(document["_id"] for document in removals),
        )

    async def put(self, root: RootLocation) -> RootLocation | None:
        new_root = replace(root, version=root.version + 1)
        document = {**root_document(new_root), "updated": stamp(datetime.now(UTC))}
        with unavailable_as_error(self._collection):
            if root.version == 0:
                try:
                    await self._collection.insert_one(document)
                except DuplicateKeyError:
                    return None
                return new_root
            result = await self._collection.replace_one(_same(root), document)
        return new_root if result.matched_count else None

    async def remove(self, root: RootLocation) -> bool:
        now = datetime.now(UTC)
        removal = {"_id": root.name, "removed": stamp(now)}
        with unavailable_as_error(self._collection):
            # First: who reads it too early loads the root, and finds the name again.
            await self._removals.replace_one({"_id": root.name}, removal, upsert=True)
            await self._removals.delete_many(
                {"removed": {"$lt": stamp(now - REMOVAL_AGE)}}
            )
            result = await self._collection.delete_one(_same(root))
        return bool(result.deleted_count)


def _same(root: RootLocation) -> Document:
    """Matches a root as it was read: one that was made anew counts from 1 again."""
    return {
        "_id": root.name,
        "version": root.version,
        "created": root.created.isoformat(),
    }
