"""Shapes of documents: brought up once, whoever is killed, and never downwards."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.gateway.webhooks.store import DELIVERIES, MongoDeliveries
from shared.contracts.errors import Unavailable
from shared.kit.documents.migrations import META, StoredCollection, prepare
from shared.kit.documents.mongo import Index, Unfit
from tests.shared.migrating import LEASE_SECONDS, THINGS
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
MANY = 120


async def shapes(database: Any) -> dict[str, int]:
    return {d["_id"]: d["shape"] async for d in database[META].find({})}


async def old_things(database: Any) -> None:
    await database["things"].insert_many([{"_id": n, "n": n} for n in range(MANY)])


async def process(address: str, name: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.shared.migrating", address, name, cwd=ROOT
    )


async def test_an_empty_database_has_the_newest_shape(database: Any) -> None:
    """Nothing is migrated; indexes are created; a second run changes nothing."""
    collection = StoredCollection("t", shape=7, indexes=(Index.on("due"),))
    await prepare(database, [collection])
    assert await shapes(database) == {"t": 7}
    assert len(await database["t"].index_information()) == 2
    await prepare(database, [collection])
    assert await shapes(database) == {"t": 7}


async def test_older_documents_are_migrated(database: Any) -> None:
    """Each step runs in its order; the lease is released."""
    await old_things(database)
    await prepare(database, [THINGS, StoredCollection("other")])
    assert await shapes(database) == {"things": 3, "other": 1}
    document = await database["things"].find_one({"_id": 5})
    assert document == {"_id": 5, "n": 5, "twice": 10, "changed": 1, "marked": 11}


async def test_newer_documents_are_refused_by_name(database: Any) -> None:
    """An older version does not start on documents of a newer one."""
    await prepare(database, [StoredCollection("things", shape=2)])
    expected = rf"{database.name}\.things: .* shape 2, .* knows 1 at most"
    with pytest.raises(Unfit, match=expected):
        await prepare(database, [StoredCollection("things")])


async def test_a_gap_between_versions_is_refused_by_name(database: Any) -> None:
    """Documents that are too old for any step are left unchanged."""
    await old_things(database)
    with pytest.raises(Unfit, match="no way from shape 1 to 2"):
        await prepare(database, [StoredCollection("things", shape=2)])
    assert await shapes(database) == {"things": 1}


async def test_concurrent_migrations_survive_a_killed_process(
    database: Any, mongodb: str
) -> None:
    """Four start together, the active one is killed: every document changes once."""
    await old_things(database)
    running = [await process(mongodb, database.name) for _ in range(4)]
    changed = {"changed": {"$gt": 0}}

    async def half() -> bool:
        count: int = await database["things"].count_documents(changed)
        return count >= MANY // 3

    await until(half, "the migration is in its middle")
    lease = await database[META].find_one({"_id": "lease"})
    holder = int(lease["owner"].rpartition(":")[2])
    os.kill(holder, signal.SIGKILL)
    ended = [await asyncio.wait_for(event.wait(), 60) for event in running]
    assert sorted(ended) == [-signal.SIGKILL, 0, 0, 0]
    assert await shapes(database) == {"things": 3}
    event = await database["things"].find({}).to_list(None)
    assert [thing["changed"] for thing in event] == [1] * MANY
    assert all(thing["marked"] == 2 * thing["n"] + 1 for thing in event)


async def test_a_suspended_migration_does_no_harm(database: Any, mongodb: str) -> None:
    """Another process takes over; the first one notices, and both end well."""
    await old_things(database)
    first = await process(mongodb, database.name)

    async def at_work() -> bool:
        return bool(await database["things"].count_documents({"changed": 1}))

    await until(at_work, "the migration has begun")
    first.send_signal(signal.SIGSTOP)
    await prepare(database, [THINGS], lease_seconds=LEASE_SECONDS)
    assert await shapes(database) == {"things": 3}
    first.send_signal(signal.SIGCONT)
    await asyncio.wait_for(first.wait(), 30)
    things = await database["things"].find({}).to_list(None)
    assert [thing["changed"] for thing in things] == [1] * MANY


async def test_a_migration_that_loses_its_lease_stops(database: Any) -> None:
    """The step of a holder that was taken for dead ends with the reason."""
    started = asyncio.Event()

    async def endless(_collection: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    await database["t"].insert_one({"_id": 1})
    collection = StoredCollection("t", shape=2, steps={2: endless})
    work = asyncio.create_task(prepare(database, [collection], lease_seconds=1))
    await started.wait()
    await database[META].update_one({"_id": "lease"}, {"$set": {"token": "other"}})
    with pytest.raises(Unavailable, match="taken over"):
        await asyncio.wait_for(work, 10)


async def test_deliveries_of_the_first_version_are_swept_like_new_ones(
    database: Any,
) -> None:
    """Dates become numbers: old deliveries are deleted, young ones remembered."""
    now = datetime.now(UTC)
    old, young = now - timedelta(days=31), now - timedelta(days=1)
    stored_deliveries = database["deliveries"]
    await stored_deliveries.insert_many(
        [{"_id": "old", "at": old}, {"_id": "young", "at": young}]
    )
    await prepare(database, [DELIVERIES])
    deliveries = MongoDeliveries(stored_deliveries)
    await deliveries.mark("new")
    assert [await deliveries.was_published(key) for key in ("old", "young", "new")] == [
        False,
        True,
        True,
    ]
