"""The events of revisions in MongoDB, as the outbox stored them."""

from collections.abc import Mapping, Sequence

from services.catalog.store.collections import REVISIONS
from services.catalog.store.documents import revision_id
from shared.kit.documents.mongo import Database, unavailable_as_error


class MongoRevisionLog:
    """The `RevisionLog` port."""

    def __init__(self, database: Database) -> None:
        self._revisions = database[REVISIONS.name]

    async def events(
        self, revisions: Sequence[tuple[str, int]]
    ) -> Mapping[tuple[str, int], str]:
        ids = {revision_id(ref, number): (ref, number) for ref, number in revisions}
        with unavailable_as_error(self._revisions):
            entries = await self._revisions.find({"_id": {"$in": list(ids)}}).to_list(
                None
            )
        return {ids[entry["_id"]]: entry["event"] for entry in entries}
