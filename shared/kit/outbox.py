"""The relay between a document and the event log: nothing stored stays unsaid.

A state document carries its pending events (`pending`, each with `id`, `topic`, `key`
and the envelope as `value`) and `unsent: 1` while it has any, so that one atomic write
of one document holds both the change and its telling (ADR 0002). The relay publishes
in order and removes what the log has taken; a crash in between says a thing twice,
never not at all.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

import orjson
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from shared.contracts.envelope import Envelope, to_bytes
from shared.contracts.errors import CallboardError
from shared.kit import logs, measures, tasks
from shared.kit.bus import Bus

Document = Mapping[str, Any]
BATCH = 500
SWEEP_SECONDS = 2.0
#: A broker that is away refuses at once, so asking again soon costs little.
LONGEST_WAIT_SECONDS = 3.0


def pending_event(topic: str, key: str, envelope: Envelope) -> dict[str, Any]:
    """One event as it waits inside its document."""
    return {
        "id": envelope.id,
        "topic": topic,
        "key": key,
        "value": to_bytes(envelope.document()).decode(),
    }


class Relay:
    """Publishes the pending events of one collection.

    `before_publish` sees a batch of documents first (the catalog keeps its revisions
    there); it must be idempotent. `nudge` wakes the relay, a slow sweep is the net.
    """

    def __init__(
        self,
        collection: AsyncIOMotorCollection[dict[str, Any]],
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
        self._depth = measures.OUTBOX_DEPTH.labels(collection.full_name)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="outbox")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task)

    def nudge(self) -> None:
        """Something was just written."""
        self._wake.set()

    async def depth(self) -> int:
        """How many documents have something unsaid."""
        found = int(await self._collection.count_documents({"unsent": 1}))
        self._depth.set(found)
        return found

    async def _measure(self) -> None:
        # Where the documents are away too, the last known depth stays.
        with contextlib.suppress(PyMongoError):
            await self.depth()

    async def drain(self) -> int:
        """Publish everything there is; the number of events published."""
        total = 0
        async with self._lock:
            while documents := await self._next():
                total += await self._publish(documents)
        return total

    async def _next(self) -> list[dict[str, Any]]:
        return await self._collection.find({"unsent": 1}).limit(BATCH).to_list(BATCH)

    async def _publish(self, documents: Sequence[dict[str, Any]]) -> int:
        if self._before is not None:
            await self._before(documents)
        events = [_event(e) for held in documents for e in held.get("pending", ())]
        await self._bus.publish_many(
            (event["topic"], event["key"], _wire(event["value"])) for event in events
        )
        await self._collection.bulk_write(
            [_cleared(document) for document in documents], ordered=False
        )
        return len(events)

    async def _run(self) -> None:
        wait = SWEEP_SECONDS
        while True:
            try:
                await self.drain()
                self._depth.set(0)
                wait = SWEEP_SECONDS
            except (CallboardError, PyMongoError) as error:
                self._log.warning("outbox_waits", error=str(error))
                await self._measure()
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            except Exception:  # noqa: BLE001 - the edge: a silent end would lose events
                self._log.exception("outbox_failed")
                wait = LONGEST_WAIT_SECONDS
            # Not `wait_for`: in Python 3.11 it may lose a cancellation that meets its
            # result (python/cpython#86296), and this task would never end.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            self._wake.clear()


def _event(waiting: Any) -> Mapping[str, Any]:
    """A pending event; the embedded store makes text of what is `$push`ed."""
    found: Mapping[str, Any] = (
        orjson.loads(waiting) if isinstance(waiting, str) else waiting
    )
    return found


def _wire(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else to_bytes(value)


def _cleared(document: Document) -> UpdateOne:
    """Remove what was published, unless the document was written meanwhile.

    A newer write has one event more, or others: the size and the last id tell. Then
    the next round publishes what it holds (again, in part: at least once).
    """
    pending = document.get("pending", ())
    filters: dict[str, Any] = {"_id": document["_id"]}
    held: list[dict[str, Any]] = [{"pending": {"$size": len(pending)}}]
    if pending:
        last = pending[-1]
        is_text = isinstance(last, str)
        held.append({"pending": last} if is_text else {"pending.id": last["id"]})
    filters["$and"] = held
    return UpdateOne(filters, {"$set": {"pending": []}, "$unset": {"unsent": ""}})
