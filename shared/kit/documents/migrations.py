"""Brings stored documents to the shape that this version works with, once.

Each collection has a shape, a whole number, kept in `callboard_meta` beside the
collections of its service. A newer version's step brings it up by one. Of several
processes one holds the lease and works; the others wait for it. A step may be broken
off anywhere and begun anew, and for a moment two processes may be at it (one stood
still and woke): so it changes each document by a filter that fits only once.

Not for what changes all documents of a large installation at once: those steps run
while nobody is served.
"""

import asyncio
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pymongo.errors import DuplicateKeyError

from shared.contracts.errors import Unavailable
from shared.kit.documents.leases import LeaseWatch
from shared.kit.documents.mongo import (
    Collection,
    Database,
    Document,
    Index,
    Unfit,
    ensure_indexes,
    unavailable_as_error,
)
from shared.kit.observability import logs
from shared.kit.processes import tasks

Step = Callable[[Collection], Awaitable[None]]
META = "callboard_meta"
LEASE = "lease"
#: While a backup is put back; what is there is not whole.
RESTORING = "restoring"
#: The shape of documents that were written before there were shapes.
FIRST = 1
#: A holder that did not say for so long that it is alive is dead.
LEASE_SECONDS = 15.0
BEAT_SECONDS = 3.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class StoredCollection:
    """What a store keeps in one collection.

    `steps` maps a shape to what brings documents to it from the shape before.
    """

    name: str
    shape: int = FIRST
    indexes: tuple[Index, ...] = ()
    steps: Mapping[int, Step] = field(default_factory=dict)


async def prepare(
    database: Database,
    collections: Sequence[StoredCollection],
    *,
    lease_seconds: float = LEASE_SECONDS,
) -> None:
    """Bring a service's collections to their shapes, and make their indexes.

    Raises:
        Unfit: if a collection's documents are newer than this version, or an index
            has other options than it must have.
        Unavailable: if the store does not answer.
    """
    with unavailable_as_error():
        if await _behind(database, collections):
            await _migrate(database, collections, lease_seconds)
        for kept in collections:
            await ensure_indexes(database[kept.name], kept.indexes)


async def _behind(
    database: Database, collections: Sequence[StoredCollection]
) -> list[StoredCollection]:
    """The collections that are not at their shape yet, or have none."""
    found = {d["_id"]: d async for d in database[META].find({})}
    if RESTORING in found:
        raise Unfit(
            f"{database.name}: a restore was broken off, or still runs; let it end, or "
            "repeat `callboard restore` with --force"
        )
    shapes = {kept.name: found.get(kept.name, {}).get("shape") for kept in collections}
    for kept in collections:
        shape = shapes[kept.name]
        if shape is not None and shape > kept.shape:
            raise Unfit(
                f"{database.name}.{kept.name}: its documents have shape {shape}, and "
                f"this version knows {kept.shape} at most; run the version that wrote "
                "them, or restore a backup from before"
            )
    return [kept for kept in collections if shapes[kept.name] != kept.shape]


async def _migrate(
    database: Database,
    collections: Sequence[StoredCollection],
    seconds: float,
) -> None:
    async with _lease(database[META], seconds) as holding:
        for kept in await _behind(database, collections):
            await holding.whole(_bring(database, kept))


async def _bring(database: Database, kept: StoredCollection) -> None:
    """Bring one collection to its shape; it says how far it is after each step."""
    log = logs.get_logger("documents")
    collection = database[kept.name]
    shape = await _shape(database, kept)
    while shape < kept.shape:
        shape += 1
        begun = time.monotonic()
        step = kept.steps.get(shape)
        if step is None:
            raise Unfit(
                f"{collection.full_name}: there is no way from shape {shape - 1} to "
                f"{shape} in this version; run an older one first"
            )
        await step(collection)
        await database[META].update_one(
            {"_id": kept.name, "shape": shape - 1}, {"$set": {"shape": shape}}
        )
        took = round(time.monotonic() - begun, 3)
        log.info("documents_migrated", collection=kept.name, shape=shape, seconds=took)


async def _shape(database: Database, kept: StoredCollection) -> int:
    """The shape a collection has; an empty one has the newest without any work."""
    held = await database[META].find_one({"_id": kept.name})
    if held is not None:
        return int(held["shape"])
    first = await database[kept.name].find_one({}, {"_id": 1})
    shape = kept.shape if first is None else FIRST
    try:
        await database[META].insert_one({"_id": kept.name, "shape": shape})
    except DuplicateKeyError:
        return await _shape(database, kept)
    return shape


class _Holding:
    """A lease that this process has; its work ends when the lease is another's."""

    def __init__(self, meta: Collection, token: str, seconds: float) -> None:
        self._meta = meta
        self._token = token
        self._every = min(BEAT_SECONDS, seconds / 4)

    async def whole(self, work: Awaitable[None]) -> None:
        """Do this work while saying that this process is alive.

        Raises:
            Unavailable: if the lease was lost.
        """
        task = asyncio.ensure_future(work)
        beating = asyncio.create_task(self._beat(), name="lease")
        try:
            await asyncio.wait({task, beating}, return_when=asyncio.FIRST_COMPLETED)
            if beating.done() and not task.done():
                beating.result()
            await task
        finally:
            await tasks.end(task, beating)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            done = await self._meta.update_one(
                {"_id": LEASE, "token": self._token}, {"$inc": {"beat": 1}}
            )
            if not done.matched_count:
                raise Unavailable("The migration of documents was taken over")


@asynccontextmanager
async def _lease(meta: Collection, seconds: float) -> AsyncIterator[_Holding]:
    """Hold the database's lease; waits while another holds it and renews its `beat`."""
    token = uuid.uuid4().hex
    mine = {"token": token, "owner": f"{socket.gethostname()}:{os.getpid()}", "beat": 0}
    watch = LeaseWatch(seconds)
    while not await _taken(meta, mine, None):
        held = await meta.find_one({"_id": LEASE}) or {}
        is_over = watch.is_over(LEASE, (held.get("token"), held.get("beat")))
        if is_over and await _taken(meta, mine, held):
            break
        await asyncio.sleep(min(LOOK_SECONDS, seconds / 4))
    try:
        yield _Holding(meta, token, seconds)
    finally:
        await meta.delete_one({"_id": LEASE, "token": token})


async def _taken(meta: Collection, mine: Document, held: Document | None) -> bool:
    """Take a lease that nobody has, or that of the dead."""
    if held is None:
        try:
            await meta.insert_one({"_id": LEASE, **mine})
        except DuplicateKeyError:
            return False
        return True
    same = {"_id": LEASE, "token": held.get("token"), "beat": held.get("beat")}
    done = await meta.replace_one(same, {"_id": LEASE, **mine})
    return bool(done.matched_count)
