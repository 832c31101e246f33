"""Roots in MongoDB, under the name of their Location entity."""

from collections.abc import Sequence
from dataclasses import replace

from pymongo.errors import DuplicateKeyError

from services.catalog.model import RootLocation
from services.catalog.store.collections import LOCATIONS
from services.catalog.store.documents import root_document, stored_root
from shared.kit.documents.mongo import Database, Document, unavailable_as_error


class MongoRootLocationStore:
    """The `RootLocationStore` port."""

    def __init__(self, database: Database) -> None:
        self._collection = database[LOCATIONS.name]

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

    async def put(self, root: RootLocation) -> RootLocation | None:
        new_root = replace(root, version=root.version + 1)
        document = root_document(new_root)
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
        with unavailable_as_error(self._collection):
            result = await self._collection.delete_one(_same(root))
        return bool(result.deleted_count)


def _same(root: RootLocation) -> Document:
    """Matches a root as it was read: one that was made anew counts from 1 again."""
    return {
        "_id": root.name,
        "version": root.version,
        "created": root.created.isoformat(),
    }
