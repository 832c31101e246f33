"""A process that brings documents to a newer shape, slowly: to be killed in the middle.

Run as `python -m tests.shared.migrating ADDRESS DATABASE`; it ends when all is done.
"""

import asyncio
import sys
from typing import Any

from shared.kit.documents import mongo
from shared.kit.documents.migrations import StoredCollection, prepare

LEASE_SECONDS = 1.5
STEP_SECONDS = 0.02


async def doubled(collection: Any) -> None:
    """Shape 2: `n` is `twice`, with the number doubled; one document at a time."""
    async for document in collection.find({"twice": None}):
        same = {"_id": document["_id"], "twice": None}
        change = {"$set": {"twice": document["n"] * 2}, "$inc": {"changed": 1}}
        await collection.update_one(same, change)
        # The pace of the work: its process is to be killed in the middle of it.
        await asyncio.sleep(STEP_SECONDS)


async def marked(collection: Any) -> None:
    """Shape 3, which relies on shape 2."""
    async for document in collection.find({"marked": None}):
        same = {"_id": document["_id"], "marked": None}
        await collection.update_one(same, {"$set": {"marked": document["twice"] + 1}})


THINGS = StoredCollection("things", shape=3, steps={2: doubled, 3: marked})


async def main(address: str, name: str) -> None:
    """Prepare the database, as each process of a service does at its start."""
    client = mongo.connect(address)
    print("begun", flush=True)
    await prepare(client[name], [THINGS], lease_seconds=LEASE_SECONDS)
    print("prepared", flush=True)
    client.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
