"""`python -m tests.bench.search [SIZE ...]`: both forms of the index, side by side.

Fills each from a made-up organisation, rebuilds it beside the live one, asks it, and
writes as events do. Prints medians; never fails for being slow. Processor time is that
of this process: of OpenSearch it is the client's. OpenSearch is started for it, or is
the one at `CALLBOARD_OPENSEARCH`.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.engines import opensearch
from services.search import resync
from services.search.alias import LocalAlias
from services.search.conditions import criteria_condition
from services.search.highlight import new_tags
from services.search.index.embedded import opener
from services.search.opensearch.alias import ServerAlias
from services.search.opensearch.client import OpenSearchClient
from services.search.ports import Alias
from services.search.resync import PARTS, Rebuilt, rebuild
from shared.kit.config.servers import Server
from tests.builders import component
from tests.search import corpus
from tests.search.fakes import MemoryOwners, entity_put, search_request

REBUILDS, QUESTIONS, EVENTS = 3, 400, 40
READABLE = criteria_condition(
    {
        "not": {
            "rule": "HAS_ANNOTATION",
            "params": {
                "annotation": "callboard.dev/visibility",
                "value": "restricted",
            },
        }
    }
)


def owners_of(size: int) -> MemoryOwners:
    """So many entities; every tenth has documentation of some pages."""
    owners = MemoryOwners()
    for number, entity in enumerate(corpus.entities(size)):
        put = owners.put(entity)
        if number % 10 == 0:
            owners.publish(put.ref, "s1", *corpus.sections(put.ref))
    return owners


async def measure(form: str, alias: Alias, owners: MemoryOwners) -> None:
    """One form at one size."""
    await alias.open()
    started_at, processor_started_at = time.perf_counter(), time.process_time()
    for part in PARTS:
        await resync.catch_up(alias, owners, part)
    first, processor = (
        time.perf_counter() - started_at,
        time.process_time() - processor_started_at,
    )
    records = await alias.live.index.count()
    rebuilt = [await _rebuilt(alias, owners) for _ in range(REBUILDS)]
    print(f"{form}: {len(owners.upserts)} entities, {records} records")
    _line("first filling", [first], "s")
    print(f"  {'':24} {records / processor:8.0f} records/s of processor time")
    _line("rebuild with proof", rebuilt, "s")
    print(f"  {'':24} {records / statistics.median(rebuilt):8.0f} records/s")
    _line("checksums", await _timed_sums(alias), "ms")
    _line("question", await _questions(alias, corpus.terms(QUESTIONS)), "ms")
    for kind, terms in kinds_of_terms(owners).items():
        durations = await _questions(alias, terms, time.process_time)
        _line(f"  {kind}, processor", durations, "ms")
    _line("event to searchable", await _events(alias, 1), "ms")
    _line("500 events as a batch", await _events(alias, 500, rounds=8), "ms")


async def _rebuilt(alias: Alias, owners: MemoryOwners) -> float:
    steps = [step async for step in rebuild(alias, owners)]
    assert isinstance(steps[-1], Rebuilt)
    return steps[-1].seconds


async def _timed_sums(alias: Alias) -> list[float]:
    durations = []
    for number in range(20):
        # A change between two of them: nothing is answered from a cache.
        await alias.apply([entity_put(component("bench-sum"), number + 1)])
        started_at = time.perf_counter()
        await alias.live.checksums()
        durations.append(1000 * (time.perf_counter() - started_at))
    return durations


def kinds_of_terms(owners: MemoryOwners) -> dict[str, list[str]]:
    """What is typed, by what an engine has to do for it; each term once."""
    chance = random.Random(QUESTIONS)
    refs = chance.sample(sorted(owners.upserts), min(QUESTIONS, len(owners.upserts)))
    names = [ref.rpartition("/")[2] for ref in refs]
    return {
        "number": list(dict.fromkeys(name.rpartition("-")[2] for name in names)),
        "name": names,
        "two letters": sorted({word[:2] for word in corpus.WORDS}),
        "slip": [corpus.slipped(chance, word) for word in corpus.WORDS],
        "nowhere": ["".join(chance.choices("qxzvj", k=7)) for _ in range(QUESTIONS)],
    }


async def _questions(
    alias: Alias,
    terms: Iterable[str],
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    durations = []
    for term in terms:
        question = search_request(term, readable=READABLE)
        started_at = clock()
        await alias.answering.index.find(question)
        durations.append(1000 * (clock() - started_at))
    return durations


async def _events(alias: Alias, size: int, rounds: int = EVENTS) -> list[float]:
    durations = []
    for number in range(rounds):
        puts = [
            entity_put(
                component(
                    f"bench-{size}-{entity_number}", {"description": f"round {number}"}
                ),
                number + 1,
            )
            for entity_number in range(size)
        ]
        started_at = time.perf_counter()
        await alias.apply(puts)
        durations.append(1000 * (time.perf_counter() - started_at))
    return durations


def _line(title: str, values: Sequence[float], unit: str) -> None:
    ordered = sorted(values)
    most = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    middle = statistics.median(ordered)
    print(f"  {title:24} {middle:8.2f} {unit} median, {most:8.2f} {unit} p99")


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[Server]:
    address = os.environ.get("CALLBOARD_OPENSEARCH")
    if address:
        yield Server(address)
        return
    engine = await asyncio.to_thread(
        opensearch.start, folder / "opensearch", folder / "opensearch.log"
    )
    try:
        yield engine.server
    finally:
        await asyncio.to_thread(engine.stop)


async def _main(sizes: Sequence[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with _server(folder) as server:
            for size in sizes:
                owners = owners_of(size)
                tags = new_tags()
                forms: dict[str, Alias] = {
                    "tantivy": LocalAlias(folder / f"tantivy-{size}", opener(tags)),
                    "OpenSearch": ServerAlias(
                        OpenSearchClient(server), f"bench-{os.getpid()}-{size}", tags
                    ),
                }
                for form, alias in forms.items():
                    await measure(form, alias, owners)
                    await alias.close()


if __name__ == "__main__":
    asyncio.run(_main([int(size) for size in sys.argv[1:]] or [10_000, 100_000]))
