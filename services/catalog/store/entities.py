"""Entities in MongoDB: state, revision and event in one write of one document.

A deleted entity stays as a tombstone, so that its revisions go on counting should it
come back. Pending events are never pushed onto the array on the server: an update
carries the whole array, which every MongoDB-compatible server understands alike.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from services.catalog.model import EntityRevision, StoredChange, StoredEntity
from services.catalog.ports import WriteResult
from services.catalog.store import collections, documents
from services.catalog.store.definitions import MongoDefinitionStore
from services.catalog.store.pending import pending_event
from shared.contracts.trace import Trace
from shared.kit.documents import migrations
from shared.kit.documents.mongo import (
    Database,
    Document,
    away_seconds,
    only_duplicates,
    unavailable_as_error,
)
from shared.kit.events import outbox
from shared.kit.observability import tracing

BATCH = 1000
#: Sorts behind every moment.
ENDLESS = "~"


@dataclass(slots=True)
class _Step:
    """A change, the document it makes, and the revision it must find (0: nothing)."""

    change: StoredChange
    document: Document
    stored: StoredEntity | None
    expected: int


class MongoEntityStore:
    """The `EntityStore` port."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.collection = database[collections.ENTITIES.name]
        self._revisions = database[collections.REVISIONS.name]
        self.definitions = MongoDefinitionStore(database)

    async def prepare(self) -> None:
        """Migrate documents to this version's shapes, and create the indexes."""
        await migrations.prepare(self._database, collections.COLLECTIONS)

    def away_seconds(self) -> float:
        """For how many seconds the store has not answered; 0 if it answers."""
        return away_seconds(self._database)

    async def check(self) -> None:
        """Raise Unavailable unless the store answers."""
        with unavailable_as_error(self.collection):
            await self.collection.find_one({"_id": ""}, {"_id": 1})

    async def every(self) -> AsyncIterator[Sequence[StoredEntity]]:
        batch: list[Document] = []
        with unavailable_as_error(self.collection):
            cursor = self.collection.find({"deleted": False}, {"pending": 0})
            async for document in cursor.batch_size(BATCH):
                batch.append(document)
                if len(batch) >= BATCH:
                    yield await asyncio.to_thread(_parsed, batch)
                    batch = []
        yield await asyncio.to_thread(_parsed, batch)

    async def load(self, refs: Sequence[str]) -> Mapping[str, StoredEntity]:
        with unavailable_as_error(self.collection):
            entity_documents = await self.collection.find(
                {"_id": {"$in": list(refs)}, "deleted": False}, {"pending": 0}
            ).to_list(None)
        return {stored.ref: stored for stored in _parsed(entity_documents)}

    async def versions(self, moments: Sequence[datetime] = ()) -> Mapping[str, int]:
        versions: dict[str, int] = {}
        edges = ["", *(documents.stamp(moment) for moment in moments), ENDLESS]
        with unavailable_as_error(self.collection):
            for start, end in pairwise(dict.fromkeys(edges)):
                # What is written meanwhile moves to a later part, and counts there.
                versions |= await self._written_revisions({"$gte": start, "$lt": end})
        return {ref: revision for ref, revision in versions.items() if revision}

    async def changed_since(self, moment: datetime) -> Mapping[str, int]:
        with unavailable_as_error(self.collection):
            return await self._written_revisions({"$gte": documents.stamp(moment)})

    async def _written_revisions(self, moments: Document) -> dict[str, int]:
        """The revisions of what was written in these moments; 0: it is deleted."""
        entity_documents = await self.collection.find(
            {"updated": moments}, {"revision": 1, "deleted": 1}
        ).to_list(None)
        return {
            document["_id"]: 0 if document["deleted"] else document["revision"]
            for document in entity_documents
        }

    async def write(self, changes: Sequence[StoredChange]) -> WriteResult:
        stored: list[StoredEntity] = []
        deleted: list[str] = []
        lost: list[str] = []
        for start in range(0, len(changes), BATCH):
            batch = changes[start : start + BATCH]
            with tracing.span("store entities", {"callboard.entities": len(batch)}):
                steps = await self._batch(batch)
            for step, applied in steps:
                if not applied:
                    lost.append(step.change.ref)
                elif step.stored is None:
                    deleted.append(step.change.ref)
                else:
                    stored.append(step.stored)
        return WriteResult(stored, deleted, lost)

    async def _batch(self, changes: Sequence[StoredChange]) -> list[tuple[_Step, bool]]:
        trace = tracing.fields()
        with unavailable_as_error(self.collection):
            updates = [change for change in changes if change.before is not None]
            stored_versions = await self._stored_versions(
                [change.ref for change in updates]
            )
            steps = await asyncio.to_thread(_steps, changes, stored_versions, trace)
            results = await self._insert([s for s in steps if not s.expected], trace)
            return results + await self._replace([s for s in steps if s.expected])

    async def _stored_versions(self, refs: Sequence[str]) -> Mapping[str, Document]:
        if not refs:
            return {}
        entity_documents = await self.collection.find(
            {"_id": {"$in": list(refs)}}, {"revision": 1, "pending": 1, "deleted": 1}
        ).to_list(None)
        return {document["_id"]: document for document in entity_documents}

    async def _insert(
        self, steps: Sequence[_Step], trace: Trace
    ) -> list[tuple[_Step, bool]]:
        if not steps:
            return []
        try:
            await self.collection.insert_many(
                [step.document for step in steps], ordered=False
            )
        except BulkWriteError as error:
            duplicates = only_duplicates(error)
        else:
            return [(step, True) for step in steps]
        results = [(step, True) for n, step in enumerate(steps) if n not in duplicates]
        return results + await self._revive([steps[n] for n in duplicates], trace)

    async def _revive(
        self, steps: Sequence[_Step], trace: Trace
    ) -> list[tuple[_Step, bool]]:
        """Write over tombstones; entities that exist already are lost."""
        stored_versions = await self._stored_versions(
            [step.change.ref for step in steps]
        )
        over_tombstones = [
            s for s in steps if stored_versions.get(s.change.ref, {}).get("deleted")
        ]
        lost_steps = [
            (s, False)
            for s in steps
            if not stored_versions[s.change.ref].get("deleted")
        ]
        revivals = _steps(
            [step.change for step in over_tombstones], stored_versions, trace
        )
        return lost_steps + await self._replace(revivals)

    async def _replace(self, steps: Sequence[_Step]) -> list[tuple[_Step, bool]]:
        if not steps:
            return []
        result = await self.collection.bulk_write(
            [
                ReplaceOne(
                    {"_id": step.change.ref, "revision": step.expected}, step.document
                )
                for step in steps
            ],
            ordered=False,
        )
        if result.matched_count == len(steps):
            return [(step, True) for step in steps]
        # Some met another revision: the current documents show which.
        current_documents = await self.collection.find(
            {"_id": {"$in": [step.change.ref for step in steps]}}, {"event": 1}
        ).to_list(None)
        events = {
            document["_id"]: document.get("event") for document in current_documents
        }
        return [(s, events.get(s.change.ref) == s.document["event"]) for s in steps]

    async def keep_revisions(self, entity_documents: Sequence[Document]) -> None:
        """Write the history's entries of pending events; the outbox calls it first."""
        entries = _entries(entity_documents)
        if not entries:
            return
        try:
            await self._revisions.insert_many(entries, ordered=False)
        except BulkWriteError as error:
            # The entry was written before and its event not taken: once is enough.
            only_duplicates(error)
        pending = (
            event
            for document in entity_documents
            for event in document.get("pending", ())
        )
        await self.definitions.keep(
            {str(event["definition"]) for event in pending if "definition" in event}
        )

    async def history(
        self, ref: str, *, limit: int, before: int | None = None
    ) -> tuple[Sequence[EntityRevision], int]:
        with unavailable_as_error(self.collection):
            document = await self.collection.find_one(
                {"_id": ref}, {"revision": 1, "pending": 1}
            )
            if document is None:
                return [], 0
            newest = document["revision"]
            top = min(newest, before - 1) if before is not None else newest
            numbers = range(top, max(top - limit, 0), -1)
            ids = [documents.revision_id(ref, number) for number in numbers]
            stored_entries = await self._revisions.find({"_id": {"$in": ids}}).to_list(
                None
            )
        # What the outbox has not come to yet is in the entity's own document.
        entries = {
            entry["_id"]: entry for entry in [*_entries([document]), *stored_entries]
        }
        page = [entries[key] for key in ids if key in entries]
        return [documents.stored_revision(entry) for entry in page], newest


def _parsed(entity_documents: Sequence[Document]) -> list[StoredEntity]:
    return [documents.stored_entity(document) for document in entity_documents]


def _entries(entity_documents: Sequence[Document]) -> list[Document]:
    return [
        documents.revision_document(event)
        for document in entity_documents
        for event in document.get("pending", ())
    ]


def _steps(
    changes: Sequence[StoredChange],
    stored_versions: Mapping[str, Document],
    trace: Trace,
) -> list[_Step]:
    now = datetime.now(UTC)
    return [
        _step(change, stored_versions.get(change.ref), now, trace) for change in changes
    ]


def _step(
    change: StoredChange, stored_version: Document | None, now: datetime, trace: Trace
) -> _Step:
    """The write that a change comes to; over a tombstone its count goes on."""
    expected = change.before.revision if change.before else 0
    if change.before is None and stored_version is not None:
        expected = stored_version["revision"]
    revision = expected + 1
    event = pending_event(change, revision, now, trace)
    stored = (
        replace(change.after, revision=revision, updated=now) if change.after else None
    )
    state = (
        documents.entity_document(stored)
        if stored is not None
        else documents.tombstone(change.ref, revision, now)
    )
    pending = list(stored_version.get("pending", ())) if stored_version else []
    document = {
        **state,
        "event": event["id"],
        **outbox.pending_fields([*pending, event]),
    }
    return _Step(change, document, stored, expected)
