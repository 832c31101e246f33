"""The relay from documents to the event log, which publishes every pending event.

A state document contains its pending events (`pending`, each with `id`, `topic`, `key`
and the envelope as `value`) and, while it has any, a mark (`unsent`): one atomic write
of one document stores both the change and its event (ADR 0002). Every write that adds
an event sets a new, larger mark. The relay publishes a batch in order and then clears
the documents whose marks are still those that it read. A crash in between publishes an
event twice, but none is lost.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, TypedDict

import orjson
from pymongo.errors import PyMongoError

from shared.contracts.envelope import Envelope, to_bytes
from shared.contracts.errors import CallboardError
from shared.kit.documents.mongo import Collection, Document, counted
from shared.kit.events import metrics
from shared.kit.events.bus import Bus
from shared.kit.events.spans import sending, traces_of
from shared.kit.observability import logs
from shared.kit.processes import tasks

BATCH = 500
#: Documents with pending events. A range, for which every server has an index.
UNSENT: Document = {"unsent": {"$gt": ""}}
SWEEP_SECONDS = 2.0


class PendingEvent(TypedDict):
    """An event that waits inside its document; `value` is its envelope as JSON."""

    id: str
    topic: str
    key: str
    value: str


#: As `pending_event` makes it, or that as JSON text: not every server pushes objects.
StoredEvent = PendingEvent | str


def pending_event(topic: str, key: str, envelope: Envelope) -> PendingEvent:
    """One event as it waits inside its document."""
    return {
        "id": envelope.id,
        "topic": topic,
        "key": key,
        "value": to_bytes(envelope.document()).decode(),
    }


def pending_fields(events: Sequence[StoredEvent]) -> Document:
    """The fields of a document that hold its pending events, the newest last."""
    return {"pending": list(events), "unsent": mark(events)}


def mark(events: Sequence[StoredEvent]) -> str:
    """The value of `unsent` for a document with these pending events.

    It ends with the last event's id, which shows whether both fields were read as they
    were written together.
    """
    return f"{time.time_ns():016x}-{_last(events)}"


async def replace_old_marks(collection: Collection) -> None:
    """Replace the marks of an older version (`unsent: 1`)."""
    async for document in collection.find({"unsent": 1}, {"pending": 1}):
        change: Document = {"$unset": {"unsent": ""}}
        if document.get("pending"):
            change = {"$set": {"unsent": mark(document["pending"])}}
        await collection.update_one({"_id": document["_id"], "unsent": 1}, change)


class OutboxRelay:
    """Publishes the pending events of one collection.

    `before_publish` gets each batch of documents first (the catalog stores revisions in
    it); it must be idempotent. `nudge` wakes the relay; a slow sweep covers its loss.
    """

    def __init__(
        self,
        collection: Collection,
        bus: Bus,
        *,
        before_publish: Callable[[Sequence[Document]], Awaitable[None]] | None = None,
    ) -> None:
        self._collection = collection
        self._bus = bus
        self._before = before_publish
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger("outbox")
        self._depth = metrics.OUTBOX_DEPTH.labels(collection.full_name)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="outbox")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task)

    def nudge(self) -> None:
        """Wake the relay, because an event was stored."""
        self._wake.set()

    async def depth(self) -> int:
        """The number of documents with pending events, as `mongo.counted` counts."""
        depth = await counted(self._collection, UNSENT)
        self._depth.set(depth)
        return depth

    async def _measure(self) -> None:
        # While the documents are unavailable too, the metric stays.
        with contextlib.suppress(PyMongoError):
            await self.depth()

    async def drain(self) -> int:
        """Publish all pending events; returns their number."""
        total = 0
        async with self._lock:
            while documents := await self._next():
                total += await self._publish(documents)
        return total

    async def _next(self) -> list[Document]:
        documents = await self._collection.find(UNSENT).limit(BATCH).to_list(BATCH)
        # Some servers show a document in the middle of a write.
        return [document for document in documents if _is_whole(document)]

    async def _publish(self, documents: Sequence[Document]) -> int:
        if self._before is not None:
            await self._before(documents)
        events = [
            _event(e) for document in documents for e in document.get("pending", ())
        ]
        with sending(str(events[0]["topic"]), traces_of(events)):
            await self._bus.publish_many(
                (event["topic"], event["key"], _wire(event["value"]))
                for event in events
            )
        published = {
            "_id": {"$in": [document["_id"] for document in documents]},
            "unsent": {"$in": [document["unsent"] for document in documents]},
        }
        nothing = {"$set": {"pending": []}, "$unset": {"unsent": ""}}
        await self._collection.update_many(published, nothing)
        return len(events)

    async def _run(self) -> None:
        while True:
            try:
                await self.drain()
                self._depth.set(0)
            except (CallboardError, PyMongoError) as error:
                self._log.warning("outbox_waits", error=str(error))
                await self._measure()
            except Exception:  # noqa: BLE001 - the edge: a silent end would lose events
                self._log.exception("outbox_failed")
            # Not `wait_for`: in Python 3.11 it may lose a cancellation that meets its
            # result (python/cpython#86296), and this task would never end.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._wake.wait()
            self._wake.clear()


def _is_whole(document: Document) -> bool:
    """Whether the mark belongs to the events that were read with it."""
    pending, marked = document.get("pending") or (), document.get("unsent", "")
    return bool(pending) and marked.endswith(f"-{_last(pending)}")


def _last(events: Sequence[StoredEvent]) -> str:
    return str(_event(events[-1])["id"])


def _event(stored: StoredEvent) -> PendingEvent:
    event: PendingEvent = orjson.loads(stored) if isinstance(stored, str) else stored
    return event


def _wire(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else to_bytes(value)
