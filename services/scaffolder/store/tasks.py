"""Runs and their logs in MongoDB: the collections `tasks` and `events`.

A run is one document: its state, its lease, and its unpublished events (`pending`,
`unsent`), so that a change and its events are one atomic write.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import BulkWriteError

from services.scaffolder.model import TakenOver, Task, TaskEvent, TaskQuery, now
from services.scaffolder.ports import Vault
from services.scaffolder.store import documents
from services.scaffolder.store.documents import Document
from shared.contracts.envelope import Envelope, Payload
from shared.contracts.topics import TEMPLATE_RUN
from shared.kit.documents.leases import LeaseWatch
from shared.kit.documents.migrations import StoredCollection, prepare
from shared.kit.documents.mongo import (
    Database,
    Index,
    only_duplicates,
    unavailable_as_error,
)
from shared.kit.events import outbox
from shared.kit.observability import tracing

SOURCE = "/scaffolder"
LEASE_SECONDS = 15.0
#: The `lease.until` of a run that its holder has released.
RELEASED = 0
#: A run that is open for so long is found by polling, should its event be lost.
WAITED_MS = 2_000
SOON_SECONDS = 0.02
_LISTED = 1000
TASKS = StoredCollection(
    "tasks",
    shape=2,
    steps={2: outbox.replace_old_marks},
    indexes=tuple(
        Index.on(field) for field in ("status", "created_by", "arrival", "unsent")
    ),
)
EVENTS = StoredCollection("events", indexes=(Index.on("task", "number", unique=True),))
LEASE_FIELDS = dict.fromkeys(("arrival", "epoch", "lease"), 1)


class MongoTaskStore:
    """The store of an installation; `nudge` wakes the relay of the outbox."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        nudge: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = LeaseWatch(LEASE_SECONDS, clock)
        self._database = database
        self._tasks = database[TASKS.name]
        self._events = database[EVENTS.name]
        self._vault = vault
        self._relay = nudge
        self._nudging: asyncio.TimerHandle | None = None

    async def prepare(self) -> None:
        """Migrate the stored documents to this version, and make the indexes."""
        await prepare(self._database, (TASKS, EVENTS))

    async def create(self, task: Task, change: Payload) -> None:
        document = documents.written(task, self._vault)
        document |= outbox.pending_fields(_pending(task, [change]))
        with unavailable_as_error(self._tasks):
            await self._tasks.insert_one(document)
        self._nudge()

    async def get(self, task_id: str) -> Task | None:
        with unavailable_as_error(self._tasks):
            document = await self._tasks.find_one({"_id": task_id})
        return documents.read(document, self._vault) if document else None

    async def find(self, query: TaskQuery) -> tuple[Sequence[Task], int]:
        filters = _filters(query)
        direction = DESCENDING if query.is_descending else ASCENDING
        first = "arrival" if query.order_by == "created_at" else query.order_by
        order: list[tuple[str, int]] = [(first, direction), ("arrival", direction)]
        limit = min(query.limit if query.limit is not None else _LISTED, _LISTED)
        with unavailable_as_error(self._tasks):
            total = await self._tasks.count_documents(filters)
            cursor = self._tasks.find(
                filters, dict.fromkeys(documents.LISTED_FIELDS, 1)
            )
            cursor = cursor.sort(order).skip(query.offset)
            items = await cursor.limit(limit).to_list(limit) if limit else []
            whole = [item["_id"] for item in items if not item.get("brief")]
            specs = await self._specs(whole)
        # In a thread, as reading a thousand specs takes a while.
        return await asyncio.to_thread(_listed, items, specs), total

    async def _specs(self, ids: Sequence[str]) -> Document:
        if not ids:
            return {}
        cursor = self._tasks.find({"_id": {"$in": list(ids)}}, {"spec": 1})
        return {item["_id"]: item["spec"] for item in await cursor.to_list(len(ids))}

    async def count_waiting(self, creator: str) -> tuple[int, int]:
        waiting = {"status": "open"}
        with unavailable_as_error(self._tasks):
            own = await self._tasks.count_documents({**waiting, "created_by": creator})
            return own, await self._tasks.count_documents(waiting)

    async def claim(
        self,
        task_id: str,
        owner: str,
        *,
        takes_back: bool = False,
        excluded_creators: Collection[str] = (),
    ) -> Task | None:
        creators: Document = {"created_by": {"$nin": sorted(excluded_creators)}}
        free: list[Document] = [
            {"status": "open"},
            {"status": "processing", "lease.until": RELEASED},
        ]
        if takes_back:
            free.append({"status": "processing", "lease.owner": owner})
        with unavailable_as_error(self._tasks):
            claimed = await self._claim_if(task_id, owner, creators, {"$or": free})
            if claimed is None:
                lease = await self._tasks.find_one(
                    {"_id": task_id, "status": "processing", **creators}, LEASE_FIELDS
                )
                if lease is not None and self._is_lease_over(lease):
                    claimed = await self._claim_if(task_id, owner, _as_leased(lease))
        return documents.read(claimed, self._vault) if claimed else None

    async def _claim_if(
        self, task_id: str, owner: str, *conditions: Document
    ) -> Document | None:
        lease = {"owner": owner, "until": _renewed()}
        claimed: Document | None = await self._tasks.find_one_and_update(
            # Written with `$and`: nx-27017 ignores the id beside an `$or`, and
            # would claim any run that matches.
            {"$and": [{"_id": task_id}, *conditions]},
            {
                "$set": {
                    "status": "processing",
                    "lease": lease,
                    "last_heartbeat_at": documents.stamp(now()),
                },
                "$inc": {"epoch": 1},
            },
            return_document=ReturnDocument.AFTER,
        )
        return claimed

    async def claimable(
        self, limit: int, excluded_creators: Collection[str] = ()
    ) -> Sequence[str]:
        creators = {"created_by": {"$nin": sorted(excluded_creators)}}
        waiting = {
            "status": "open",
            "arrival": {"$lt": _stamp_now() - WAITED_MS},
            **creators,
        }
        with unavailable_as_error(self._tasks):
            cursor = self._tasks.find(waiting, {"arrival": 1})
            cursor = cursor.sort([("arrival", ASCENDING)]).limit(limit)
            free = await cursor.to_list(limit)
            # As many as there are slots in all processes.
            running = self._tasks.find(
                {"status": "processing", **creators}, LEASE_FIELDS
            )
            free += [lease async for lease in running if self._is_lease_over(lease)]
        free.sort(key=lambda task: int(task["arrival"]))
        return [task["_id"] for task in free[:limit]]

    def _is_lease_over(self, lease: Document) -> bool:
        until = lease["lease"]["until"]
        is_over = self._watch.is_over(lease["_id"], (lease["epoch"], until))
        return is_over or until == RELEASED

    async def left_behind(self, owner: str) -> Sequence[str]:
        with unavailable_as_error(self._tasks):
            cursor = self._tasks.find(
                {"status": "processing", "lease.owner": owner}, {"_id": 1}
            )
            return [item["_id"] for item in await cursor.to_list(_LISTED)]

    async def record(self, task: Task, changes: Sequence[Payload]) -> None:
        task.last_heartbeat_at = now()
        fields: Document = {
            **documents.state(task, self._vault),
            "lease.until": _renewed(),
        }
        update: Document = {"$set": fields}
        if changes:
            pending = _pending(task, changes)
            fields["unsent"] = outbox.mark(pending)
            update["$push"] = {"pending": {"$each": pending}}
        await self._update_claimed(task, update)
        if changes:
            self._nudge()

    async def heartbeat(self, task: Task) -> bool:
        task.last_heartbeat_at = now()
        fields = {
            "last_heartbeat_at": documents.stamp(task.last_heartbeat_at),
            "lease.until": _renewed(),
        }
        document = await self._update_claimed(task, {"$set": fields})
        return bool(document.get("is_cancelling"))

    async def release(self, task: Task) -> None:
        await self._update_claimed(task, {"$set": {"lease.until": RELEASED}})

    async def request_cancellation(self, task_id: str) -> Task | None:
        with unavailable_as_error(self._tasks):
            document = await self._tasks.find_one_and_update(
                {"_id": task_id, "status": "processing"},
                {"$set": {"is_cancelling": True}},
                return_document=ReturnDocument.AFTER,
            )
        return documents.read(document, self._vault) if document else None

    async def cancel_open(self, task: Task, change: Payload) -> bool:
        fields = {"status": "cancelled", "secrets": None, "sequence": task.sequence}
        return await self._update_if("open", task, fields, change)

    async def reopen(self, task: Task, change: Payload) -> bool:
        fields = {
            **documents.state(task, self._vault),
            "arrival": _stamp_now(),
            "is_cancelling": False,
            "is_confidential": task.is_confidential,
        }
        ended = {"$in": ["failed", "cancelled"]}
        return await self._update_if(ended, task, fields, change)

    async def append(self, events: Sequence[TaskEvent]) -> None:
        if not events:
            return
        lines = [documents.written_event(event) for event in events]
        with unavailable_as_error(self._tasks):
            try:
                await self._events.insert_many(lines, ordered=False)
            except BulkWriteError as error:
                # Duplicates were stored by a write whose answer was lost.
                only_duplicates(error)

    async def events(self, task_id: str, after: int) -> Sequence[TaskEvent]:
        with unavailable_as_error(self._tasks):
            cursor = self._events.find({"task": task_id, "number": {"$gt": after}})
            lines = await cursor.sort([("number", ASCENDING)]).to_list(None)
        return [documents.read_event(item) for item in lines]

    async def last_number(self, task_id: str) -> int:
        with unavailable_as_error(self._tasks):
            cursor = self._events.find({"task": task_id}, {"number": 1})
            lines = await cursor.sort([("number", DESCENDING)]).limit(1).to_list(1)
        return int(lines[0]["number"]) if lines else 0

    async def ended_before(self, moment: datetime, ids: Iterable[str]) -> Sequence[str]:
        """Those of `ids` that are no run, or one that ended before `moment`."""
        task_ids = list(ids)
        with unavailable_as_error(self._tasks):
            fields = dict.fromkeys(("status", "last_heartbeat_at", "created_at"), 1)
            cursor = self._tasks.find({"_id": {"$in": task_ids}}, fields)
            tasks = {item["_id"]: item for item in await cursor.to_list(len(task_ids))}
        return [
            task_id
            for task_id in task_ids
            if task_id not in tasks or _is_over(tasks[task_id], moment)
        ]

    def _nudge(self) -> None:
        """Wake the relay soon: events of quick steps are published together."""
        if self._nudging is None:
            loop = asyncio.get_running_loop()
            self._nudging = loop.call_later(SOON_SECONDS, self._nudge_now)

    def _nudge_now(self) -> None:
        self._nudging = None
        self._relay()

    async def _update_claimed(self, task: Task, update: Document) -> Document:
        with unavailable_as_error(self._tasks):
            document = await self._tasks.find_one_and_update(
                {"_id": task.id, "epoch": task.epoch, "status": "processing"},
                update,
                return_document=ReturnDocument.AFTER,
            )
        if document is None:
            raise TakenOver(task.id)
        return dict(document)

    async def _update_if(
        self, status: Any, task: Task, fields: Document, change: Payload
    ) -> bool:
        pending = _pending(task, [change])
        update = {
            "$set": {**fields, "unsent": outbox.mark(pending)},
            "$push": {"pending": {"$each": pending}},
        }
        with unavailable_as_error(self._tasks):
            document = await self._tasks.find_one_and_update(
                {"_id": task.id, "status": status, "epoch": task.epoch}, update
            )
        if document is not None:
            self._nudge()
        return document is not None


def _as_leased(document: Document) -> Document:
    """The filter of a run whose lease has been neither renewed nor taken over."""
    lease = {"epoch": document["epoch"], "lease.until": document["lease"]["until"]}
    return {"status": "processing", **lease}


def _listed(items: Iterable[Document], specs: Document) -> list[Task]:
    """The runs of a list; one without a spec was deleted between the two reads."""
    pairs = ((item, item.get("brief") or specs.get(item["_id"])) for item in items)
    return [documents.listed(item, spec) for item, spec in pairs if spec is not None]


def _filters(query: TaskQuery) -> Document:
    filters: Document = {}
    creators = set(query.created_by)
    if query.visible_to is not None:
        allowed = set(query.visible_to)
        creators = creators & allowed if creators else allowed
    if creators or query.visible_to is not None:
        filters["created_by"] = {"$in": sorted(creators)}
    if query.status:
        filters["status"] = {"$in": list(query.status)}
    return filters


def _pending(task: Task, changes: Iterable[Payload]) -> list[str]:
    """The events as JSON texts, which every server stores unchanged in an array."""
    trace = tracing.fields() or task.trace
    envelopes = (
        Envelope.of(payload, source=SOURCE, subject=task.id, trace=trace)
        for payload in changes
    )
    events = (
        outbox.pending_event(TEMPLATE_RUN, task.id, envelope) for envelope in envelopes
    )
    return [orjson.dumps(event).decode() for event in events]


def _is_over(document: Document, moment: datetime) -> bool:
    """Whether the folder of a run is of no use: it may not be retried any more."""
    if document["status"] == "completed":
        return True
    last = document.get("last_heartbeat_at") or document["created_at"]
    ended = document["status"] in {"failed", "cancelled"}
    return ended and last < (documents.stamp(moment) or 0)


def _renewed() -> int:
    """What `lease.until` becomes: a value that it did not have before.

    It is the holder's time, which versions before compare with their own.
    """
    return _stamp_now() + int(LEASE_SECONDS * 1000)


def _stamp_now() -> int:
    return documents.stamp(datetime.now(UTC)) or 0
