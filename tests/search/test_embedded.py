"""The embedded index: whole batches on disk, or nothing of them."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.search.documents import entity_record, facts_of, section_records
from services.search.highlight import Tags
from services.search.index import embedded
from services.search.index.embedded import TantivyIndex
from services.search.index_version import LocalIndexVersion
from services.search.model import HitPage, IndexRecord, PageSection, group_of
from services.search.ports import RecordIndex
from services.search.query import SearchRequest, Step
from shared.contracts.errors import Unavailable
from tests.builders import component
from tests.search.corpus import DOCUMENTED
from tests.search.fakes import entity_put, search_request, titles
from tests.search.test_index import ENTITIES

TAGS = Tags("<m>", "</m>")


@pytest.fixture
async def index(data: Path) -> AsyncIterator[RecordIndex]:
    index = TantivyIndex.open(data / "index", TAGS)
    yield index
    await index.close()


def records_of(*entities: Any) -> dict[str, list[IndexRecord]]:
    records = [entity_record(entity_put(entity)) for entity in entities]
    return {group_of("entity", record.ref): [record] for record in records}


async def filled(index: RecordIndex) -> RecordIndex:
    await index.replace(records_of(*ENTITIES))
    return index


async def test_writing_a_group_replaces_all_its_documents(index: RecordIndex) -> None:
    """A group holds the documents of its last write only."""
    await filled(index)
    changed = component("shop-monolith", {"description": "Basket"})
    await index.replace(records_of(changed))
    assert await titles(index, "basket") == ["shop-monolith"]
    assert await titles(index, "legacy") == []
    removed_group = group_of("entity", "component:default/shop-monolith")
    await index.replace({removed_group: ()})
    assert await titles(index, "basket") == []
    assert await index.count() == len(ENTITIES) - 1


async def test_stored_values_are_read_back_in_order(index: RecordIndex) -> None:
    """Sections come back in the order of their site, with the stored values."""
    sections = [
        PageSection(f"p{number}/", f"Page {number}", "x") for number in range(5)
    ]
    ref = "component:default/web"
    records = list(section_records(ref, sections, None))
    await index.replace({group_of("section", ref): records})
    values = await index.stored_values([group_of("section", ref), "entity|none"])
    assert [doc["path"] for doc, _ in values[group_of("section", ref)]] == [
        section.path for section in sections
    ]
    assert values["entity|none"] == []
    assert await titles(index, "page") == []


class Watched(TantivyIndex):
    """Notes in which thread each page was looked up, and each one marked."""

    lookups: list[str]
    markings: list[str]

    def _first_page(self, question: SearchRequest, steps: Sequence[Step]) -> Any:
        self.lookups.append(_thread())
        return super()._first_page(question, steps)

    def _answer(self, question: SearchRequest, page: Any) -> HitPage:
        self.markings.append(_thread())
        return super()._answer(question, page)


def _thread() -> str:
    return threading.current_thread().name.partition("_")[0]


@pytest.fixture
async def watched(data: Path) -> AsyncIterator[Watched]:
    index = Watched.open(data / "index", TAGS)
    assert isinstance(index, Watched)
    index.lookups, index.markings = [], []
    yield index
    await index.close()


async def test_expensive_queries_run_outside_the_event_loop(watched: Watched) -> None:
    """Wildcards and typos look through all words; usual terms do not."""
    await filled(watched)
    threads: dict[str, list[str]] = {}
    for term in ("monolith", "*lith", "mono*", "a b c d e f g", "monolhit"):
        watched.lookups = threads[term] = []
        await titles(watched, term)
    assert threads.pop("monolith") == [_thread()]
    assert threads.pop("monolhit") == [_thread(), "search"]
    assert set(map(tuple, threads.values())) == {("search",)}


async def test_long_pages_are_highlighted_outside_the_event_loop(
    watched: Watched,
) -> None:
    """Highlighting takes time by the letter, and documentation is long."""
    page = PageSection("p/", "Ledger", "Größere Beträge im Hauptbuch. " * 1_500)
    facts = facts_of(
        entity_record(
            entity_put(component("web", {"annotations": DOCUMENTED}))
        ).stored_values
    )
    records = list(section_records("component:default/web", [page], facts))
    group = group_of("section", "component:default/web")
    await watched.replace({**records_of(component("cart")), group: records})
    assert await titles(watched, "cart") == ["cart"]
    assert watched.markings == [_thread()]
    (hit,) = (await watched.find(search_request("hauptbuch"))).hits
    assert hit.highlight["text"].count("<m>") == 1_500
    assert watched.markings == [_thread(), "search"]


async def test_waiting_expensive_queries_are_limited(
    index: RecordIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query above the limit is refused with a request to come again."""
    await filled(index)
    monkeypatch.setattr(embedded, "WAITING_LIMIT", 3)
    answers = await asyncio.gather(
        *(index.find(search_request(f"*{n}h")) for n in range(20)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert len(refused) == 15
    assert (await index.find(search_request("*lith"))).total == 1


async def test_committed_documents_survive_a_restart(data: Path) -> None:
    """Committed documents are found when the directory is opened again."""
    index = TantivyIndex.open(data, TAGS)
    await filled(index)
    count = len(await index.indexed_versions())
    await index.close()
    again = TantivyIndex.open(data, TAGS)
    assert await titles(again, "monolith") == ["shop-monolith"]
    assert len(await again.indexed_versions()) == count == len(ENTITIES)
    await again.close()


async def test_a_damaged_index_fails_to_open(data: Path) -> None:
    """Damaged files are an error at opening, never wrong results later."""
    index = TantivyIndex.open(data, TAGS)
    await filled(index)
    await index.close()
    (data / "meta.json").write_bytes(b'{"torn')
    with pytest.raises(ValueError, match=r"."):
        TantivyIndex.open(data, TAGS)


WRITER = """
import asyncio, sys
from pathlib import Path
from services.search.index_version import LocalIndexVersion
from services.search.highlight import Tags
from services.search.index.embedded import TantivyIndex
from tests.builders import component
from tests.search.corpus import DOCUMENTED
from tests.search.fakes import entity_put

async def main():
    index = TantivyIndex.open(Path(sys.argv[1]), Tags("<m>", "</m>"))
    index_version = await LocalIndexVersion.of("1", index, complete=True)
    revision = 0
    while True:
        revision += 1
        puts = [
            entity_put(component(f"c{n}", {"description": f"r{revision}"}), revision)
            for n in range(50)
        ]
        await index_version.apply(puts)
        print(revision, flush=True)

asyncio.run(main())
"""


async def test_a_kill_during_a_write_leaves_complete_batches(data: Path) -> None:
    """After kill -9 the index opens, and has each batch completely or not at all."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(data)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert process.stdout is not None
    batches = 0
    while batches < 8:
        batches = int(await asyncio.to_thread(process.stdout.readline))
    os.kill(process.pid, signal.SIGKILL)
    rest = process.communicate()[0]
    batches = int(rest.split()[-1]) if rest.split() else batches

    index = TantivyIndex.open(data, TAGS)
    index_version = await LocalIndexVersion.of("1", index, complete=True)
    revisions = {v.revision for v in index_version.ledger.entities.values()}
    assert len(index_version.ledger.entities) == 50
    assert revisions in ({batches}, {batches + 1})
    revision = revisions.pop()
    page = await index.find(search_request(f"r{revision}"))
    assert page.total == 50
    await index.close()


async def test_a_cancelled_write_ends_before_the_next_begins(data: Path) -> None:
    """Its thread finishes first, so that two writes never overlap."""
    index = TantivyIndex.open(data / "index", TAGS)
    many = records_of(*(component(f"part-{number}") for number in range(3000)))
    writing = asyncio.create_task(index.replace(many))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await index.replace(records_of(component("last")))
    await index.close()
