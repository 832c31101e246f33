"""Brings stored documents to the shape that this version works with, once.

Each collection has a shape, a whole number, stored in `callboard_meta` beside the
collections of its service. A step of a newer version raises it by one. One of several
processes holds the lease and migrates; the others wait. A step may be interrupted
anywhere and repeated, and two processes may run it for a moment (one was frozen), so it
changes each document by a filter that matches only once.

Do not change all documents of a large installation in a step: the service answers no
requests while the steps run.
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
#: The mark while a backup is restored and the collections are incomplete.
RESTORING = "restoring"
#: The shape of documents from before shapes were stored.
FIRST_SHAPE = 1
#: A holder that has not renewed its lease for so long is dead.
LEASE_SECONDS = 15.0
RENEW_SECONDS = 3.0
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class StoredCollection:
    """One collection of a store.

    `steps` maps a shape to the step that migrates documents from the shape before.
    """

    name: str
    shape: int = FIRST_SHAPE
    indexes: tuple[Index, ...] = ()
    steps: Mapping[int, Step] = field(default_factory=dict)


async def prepare(
    database: Database,
    collections: Sequence[StoredCollection],
    *,
    lease_seconds: float = LEASE_SECONDS,
) -> None:
    """Migrate a service's collections to their shapes, and create their indexes.

    Raises:
        Unfit: if a collection's documents are newer than this version, or an index
            has other options than it must have.
        Unavailable: if the store does not answer.
    """
    with unavailable_as_error():
        if await _outdated(database, collections):
            await _migrate(database, collections, lease_seconds)
        for collection in collections:
            await ensure_indexes(database[collection.name], collection.indexes)


async def _outdated(
    database: Database, collections: Sequence[StoredCollection]
) -> list[StoredCollection]:
    """The collections whose shape is older or not stored."""
    meta = {document["_id"]: document async for document in database[META].find({})}
    if RESTORING in meta:
        raise Unfit(
            f"{database.name}: a restore was broken off, or still runs; let it end, or "
            "repeat `callboard restore` with --force"
        )
    shapes = {
        collection.name: meta.get(collection.name, {}).get("shape")
        for collection in collections
    }
    for collection in collections:
        shape = shapes[collection.name]
        if shape is not None and shape > collection.shape:
            raise Unfit(
                f"{database.name}.{collection.name}: its documents have shape {shape}, "
                f"and this version knows {collection.shape} at most; run the version "
                "that wrote them, or restore a backup from before"
            )
    return [
        collection
        for collection in collections
        if shapes[collection.name] != collection.shape
    ]


async def _migrate(
    database: Database,
    collections: Sequence[StoredCollection],
    seconds: float,
) -> None:
    async with _lease(database[META], seconds) as held_lease:
        for collection in await _outdated(database, collections):
            await held_lease.renew_during(_migrate_collection(database, collection))


async def _migrate_collection(database: Database, stored: StoredCollection) -> None:
    """Migrate one collection; its shape is stored after each step."""
    log = logs.get_logger("documents")
    collection = database[stored.name]
    shape = await _shape(database, stored)
    while shape < stored.shape:
        shape += 1
        start = time.monotonic()
        step = stored.steps.get(shape)
        if step is None:
            raise Unfit(
                f"{collection.full_name}: there is no way from shape {shape - 1} to "
                f"{shape} in this version; run an older one first"
            )
        await step(collection)
        await database[META].update_one(
            {"_id": stored.name, "shape": shape - 1}, {"$set": {"shape": shape}}
        )
        seconds = round(time.monotonic() - start, 3)
        log.info(
            "documents_migrated", collection=stored.name, shape=shape, seconds=seconds
        )


async def _shape(database: Database, stored: StoredCollection) -> int:
    """The shape of a collection; an empty one gets the newest without migration."""
    document = await database[META].find_one({"_id": stored.name})
    if document is not None:
        return int(document["shape"])
    first = await database[stored.name].find_one({}, {"_id": 1})
    shape = stored.shape if first is None else FIRST_SHAPE
    try:
        await database[META].insert_one({"_id": stored.name, "shape": shape})
    except DuplicateKeyError:
        return await _shape(database, stored)
    return shape


class _HeldLease:
    """The lease of this process; its work ends when another process takes it."""

    def __init__(self, meta: Collection, token: str, seconds: float) -> None:
        self._meta = meta
        self._token = token
        self._every = min(RENEW_SECONDS, seconds / 4)

    async def renew_during(self, work: Awaitable[None]) -> None:
        """Do the work while renewing the lease.

        Raises:
            Unavailable: if the lease was lost.
        """
        task = asyncio.ensure_future(work)
        renewal = asyncio.create_task(self._renew(), name="lease")
        try:
            await asyncio.wait({task, renewal}, return_when=asyncio.FIRST_COMPLETED)
            if renewal.done() and not task.done():
                renewal.result()
            await task
        finally:
            await tasks.end(task, renewal)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            result = await self._meta.update_one(
                {"_id": LEASE, "token": self._token}, {"$inc": {"beat": 1}}
            )
            if not result.matched_count:
                raise Unavailable("The migration of documents was taken over")


@asynccontextmanager
async def _lease(meta: Collection, seconds: float) -> AsyncIterator[_HeldLease]:
    """Hold the database's lease; wait while another holder renews its `beat`."""
    token = uuid.uuid4().hex
    own_lease = {
        "token": token,
        "owner": f"{socket.gethostname()}:{os.getpid()}",
        "beat": 0,
    }
    watch = LeaseWatch(seconds)
    while not await _take(meta, own_lease, None):
        lease = await meta.find_one({"_id": LEASE}) or {}
        is_over = watch.is_over(LEASE, (lease.get("token"), lease.get("beat")))
        if is_over and await _take(meta, own_lease, lease):
            break
        await asyncio.sleep(min(POLL_SECONDS, seconds / 4))
    try:
        yield _HeldLease(meta, token, seconds)
    finally:
        await meta.delete_one({"_id": LEASE, "token": token})


async def _take(meta: Collection, own_lease: Document, lease: Document | None) -> bool:
    """Try to take a free lease, or the given lease of a dead holder."""
    if lease is None:
        try:
            await meta.insert_one({"_id": LEASE, **own_lease})
        except DuplicateKeyError:
            return False
        return True
    expected = {"_id": LEASE, "token": lease.get("token"), "beat": lease.get("beat")}
    result = await meta.replace_one(expected, {"_id": LEASE, **own_lease})
    return bool(result.matched_count)
