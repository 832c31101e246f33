"""What the document store gives: medians of three rounds, one client, its own server.

Run as `python -m tests.bench.documents [embedded|servers [OPTIONS]]`; options are those
of a MongoDB address, such as `?journal=false`.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml
from pymongo import ReplaceOne

from deploy.embedded import engines
from deploy.engines import documents
from shared.kit.documents import mongo
from tests import builders
from tests.catalog.running import running

ROUNDS = 3
SINGLE, BULK, WRITERS, ENTITIES = 1000, 5000, 16, 10_000
#: Options of the address. The second server looks through a whole collection for each
#: compare-and-set (an index serves a filter of just its fields): it needs patience.
DEFAULTS = {
    "embedded": engines.UNSYNCED.removeprefix("/"),
    "servers": "?socketTimeoutMS=180000",
}
Measure = Callable[[Any], Awaitable[float]]


def document(number: int) -> dict[str, Any]:
    """About a kilobyte, as an entity's is."""
    return {"_id": f"component:default/c{number}", "n": 0, "entity": "x" * 1000}


async def find_by_id(collection: Any) -> float:
    for number in range(SINGLE):
        await collection.find_one({"_id": f"component:default/c{number}"})
    return SINGLE


async def find_and_modify(collection: Any) -> float:
    for number in range(SINGLE):
        one = {"_id": f"component:default/c{number}"}
        await collection.find_one_and_update(one, {"$inc": {"n": 1}})
    return SINGLE


async def find_and_modify_by_many(collection: Any) -> float:
    async def writer(first: int) -> None:
        for number in range(first, SINGLE, WRITERS):
            one = {"_id": f"component:default/c{number}"}
            await collection.find_one_and_update(one, {"$inc": {"n": 1}})

    await asyncio.gather(*(writer(first) for first in range(WRITERS)))
    return SINGLE


async def replace_in_batches(collection: Any) -> float:
    for start in range(0, BULK, 1000):
        batch = [document(number) for number in range(start, start + 1000)]
        writes = [ReplaceOne({"_id": one["_id"]}, one) for one in batch]
        await collection.bulk_write(writes, ordered=False)
    return BULK


async def insert_in_batches(collection: Any) -> float:
    await collection.delete_many({})
    for start in range(0, BULK, 1000):
        batch = [document(number) for number in range(start, start + 1000)]
        await collection.insert_many(batch, ordered=False)
    return BULK


MEASURES: dict[str, Measure] = {
    "insert in batches of 1,000": insert_in_batches,
    "replace in batches of 1,000": replace_in_batches,
    "find by id": find_by_id,
    "find and modify": find_and_modify,
    "find and modify by 16 writers": find_and_modify_by_many,
}


async def registration(client: Any, folder: Path, number: int) -> float:
    """Seconds until POST /locations has answered for a file of 10,000 entities."""
    folder.mkdir()
    file = folder / "all.yaml"
    entities = [builders.component(f"c{n}") for n in range(ENTITIES)]
    file.write_text(yaml.dump_all(entities, Dumper=yaml.CSafeDumper))
    async with running(client[f"catalog_{number}"], folder) as catalog:
        started_at = time.perf_counter()
        answer = await catalog.register(file)
        assert answer.status_code == 201, answer.text
        return time.perf_counter() - started_at


async def main(form: str, options: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = documents.start if form == "servers" else engines.start_documents
        started_at = time.perf_counter()
        engine = start(folder / "store", folder / "store.log")
        print(f"{form}: started in {time.perf_counter() - started_at:.1f} s")
        client = mongo.connect(f"{engine.address}/{options}")
        try:
            for title, measure in MEASURES.items():
                rates = []
                for _ in range(ROUNDS):
                    started_at = time.perf_counter()
                    count = await measure(client["bench"]["documents"])
                    rates.append(count / (time.perf_counter() - started_at))
                print(f"{title}: {statistics.median(rates):,.0f}/s")
            took = [
                await registration(client, folder / f"r{n}", n) for n in range(ROUNDS)
            ]
            print(
                f"POST /locations of 10,000 entities: {statistics.median(took):.2f} s"
            )
        finally:
            client.close()
            engine.stop()


if __name__ == "__main__":
    form, *more = sys.argv[1:] or ["embedded"]
    asyncio.run(main(form, more[0] if more else DEFAULTS[form]))
