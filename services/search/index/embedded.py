"""The tantivy index: one writer, commits that are whole or not there at all."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import tantivy
from tantivy import Order, Query

from services.search.highlight import Tags, is_long, marked
from services.search.index.fields import Stemmer, register, schema, to_tantivy
from services.search.index.translation import QueryTranslation
from services.search.model import Document, Hit, HitPage, IndexRecord
from services.search.ports import Kept
from services.search.query import SearchRequest, Step, is_costly, steps
from shared.contracts.errors import Unavailable

WRITER_BYTES = 20_000_000
#: Above so many records a query may take milliseconds: it leaves the event loop.
LARGE = 40_000
#: Costly questions are answered by so many threads, and so many may wait for them.
THREADS, WAITING = 2, 64


@dataclass(frozen=True, slots=True)
class _Page:
    """What a step found: type, ref and document of each record, not marked yet."""

    step: Step = "exact"
    total: int = 0
    stored: Sequence[tuple[str, str, Document]] = ()

    @property
    def documents(self) -> list[Document]:
        return [document for _, _, document in self.stored]


class TantivyIndex:
    """An index in a directory. Open with `open`, in a thread: it reads files."""

    def __init__(self, index: tantivy.Index, tags: Tags) -> None:
        self._index = index
        self._schema = index.schema
        self._tags = tags
        self._writer = index.writer(WRITER_BYTES, 1)
        self._stemmer = Stemmer()
        self._translation = QueryTranslation(self._schema, self._stemmer)
        self._writing = asyncio.Lock()
        self._searcher = index.searcher()
        self._closed = False
        self._threads = ThreadPoolExecutor(THREADS, "search")
        self._costly = 0

    @classmethod
    def open(cls, directory: Path, tags: Tags) -> "TantivyIndex":
        """The index in a directory; a new one if there is none.

        Raises:
            ValueError: if what is there is no index of this schema, or is broken.
        """
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()) and not tantivy.Index.exists(str(directory)):
            raise ValueError("files, but no index among them")
        index = tantivy.Index(schema(), str(directory), reuse=True)
        index.config_reader("manual")
        register(index)
        index.reload()
        return cls(index, tags)

    async def replace(self, groups: Mapping[str, Sequence[IndexRecord]]) -> None:
        """One commit for all groups; about 12 ms and 40 µs a record."""
        async with self._writing:
            self._usable()
            writing = asyncio.ensure_future(asyncio.to_thread(self._replace, groups))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                # A thread cannot be cancelled: the next writer waits for its end.
                await asyncio.gather(writing, return_exceptions=True)
                raise

    def _replace(self, groups: Mapping[str, Sequence[IndexRecord]]) -> None:
        try:
            for group, records in groups.items():
                self._writer.delete_documents_by_term("group", group)
                for number, record in enumerate(records):
                    self._writer.add_document(to_tantivy(record, number))
            self._writer.commit()
        except (OSError, ValueError) as error:
            # What was added of a batch must not ride in the next one's commit.
            self._writer.rollback()
            raise Unavailable(f"The index cannot be written: {error}") from error
        self._index.reload()
        self._searcher = self._index.searcher()

    async def find(self, question: SearchRequest) -> HitPage:
        self._usable()
        wanted = steps(question.term)
        if self._searcher.num_docs <= LARGE and not is_costly(question.term):
            page = self._first_page(question, wanted[:1])
            wanted = wanted[1:]
            if page.total or not wanted:
                if question.term.words and is_long(page.documents):
                    return await self._beside(partial(self._answer, question, page))
                return self._answer(question, page)
        return await self._beside(partial(self._find, question, wanted))

    async def _beside(self, answer: Callable[[], HitPage]) -> HitPage:
        """Answer in a thread: an engine that walks through all its words takes long."""
        if self._costly >= THREADS + WAITING:
            raise Unavailable("Too many costly searches at once; try again")
        self._costly += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, answer)
        finally:
            self._costly -= 1

    def _find(self, question: SearchRequest, wanted: Sequence[Step]) -> HitPage:
        return self._answer(question, self._first_page(question, wanted))

    def _first_page(self, question: SearchRequest, wanted: Sequence[Step]) -> _Page:
        """The page of the first step that finds anything."""
        term, searcher = question.term, self._searcher
        if not term.words and not term.empty:
            return _Page()
        for step in wanted:
            page = self._page(searcher, question, step)
            if page.total:
                return page
        return _Page()

    def _page(
        self, searcher: tantivy.Searcher, question: SearchRequest, step: Step
    ) -> _Page:
        query = self._translation.query(question, step)
        order: dict[str, Any] = {"weight_by_field": "weight"}
        if not question.term.words:
            order = {"order_by_field": "sort", "order": Order.Asc}
        offset = question.page * question.limit
        # At least one: the engine refuses a page of none, and totals cost the same.
        found = searcher.search(query, max(1, question.limit), offset=offset, **order)
        hits = found.hits[: question.limit]
        stored = [_stored(searcher.doc(address), "stored") for _, address in hits]
        return _Page(step, int(found.count or 0), stored)  # type: ignore[attr-defined]

    def _answer(self, question: SearchRequest, page: _Page) -> HitPage:
        stems = self._stemmer.stems_of(question.term)
        fields = marked(page.documents, question.term, stems, page.step, self._tags)
        hits = tuple(
            Hit(kind, ref, document, highlight)
            for (kind, ref, document), highlight in zip(
                page.stored, fields, strict=True
            )
        )
        return HitPage(page.total, hits)

    async def stored_values(self, groups: Sequence[str]) -> dict[str, list[Kept]]:
        self._usable()
        return await asyncio.to_thread(self._stored_values, groups)

    def _stored_values(self, groups: Sequence[str]) -> dict[str, list[Kept]]:
        found: dict[str, list[Kept]] = {}
        for group in groups:
            query = Query.term_query(self._schema, "group", group, "basic")
            documents = self._documents(query)
            found[group] = [
                (
                    _stored(document, "stored")[2],
                    _stored(document, "kept"),
                )
                for document in documents
            ]
        return found

    async def holdings(self) -> list[tuple[str, str, Mapping[str, object]]]:
        """All of it is read here: what is torn shows when the index is opened.

        Raises:
            ValueError: if the stored values cannot be read.
        """
        self._usable()
        return await asyncio.to_thread(self._holdings)

    def _holdings(self) -> list[tuple[str, str, Mapping[str, object]]]:
        queries = {
            role: Query.term_query(self._schema, "role", role, "basic")
            for role in ("entity", "site")
        }
        with _broken_is_an_error():
            return [
                (role, _stored(document, "stored")[1], _stored(document, "kept"))
                for role, query in queries.items()
                for document in self._documents(query)
            ]

    def _documents(self, query: Query) -> list[tantivy.Document]:
        searcher = self._searcher
        limit = max(1, searcher.num_docs)
        hits = searcher.search(Query.const_score_query(query, 1.0), limit).hits
        # In the order of writing within a segment: sections of a site stay in order.
        places = sorted((place.segment_ord, place.doc) for _, place in hits)
        return [searcher.doc(tantivy.DocAddress(*place)) for place in places]

    async def count(self) -> int:
        return int(self._searcher.num_docs)

    async def close(self) -> None:
        """Wait for merges to end; later calls answer that the index is closed."""
        async with self._writing:
            if not self._closed:
                self._closed = True
                self._threads.shutdown(wait=False)
                await asyncio.to_thread(self._writer.wait_merging_threads)

    def _usable(self) -> None:
        if self._closed:
            raise Unavailable("The index was closed; another takes its place")


def _stored(document: tantivy.Document, field: str) -> Any:
    value: bytes = document.get_first(field)  # type: ignore[assignment]
    return orjson.loads(value)


@contextmanager
def _broken_is_an_error() -> Iterator[None]:
    """Tantivy panics where stored bytes contradict themselves."""
    try:
        yield
    except BaseException as error:
        # PyO3's exception for panics has no importable name.
        if type(error).__name__ == "PanicException":
            raise ValueError(f"the index is broken: {error}") from error
        raise


def opener(tags: Tags) -> Callable[[Path], TantivyIndex]:
    """What opens indexes whose highlights carry these tags."""
    return lambda directory: TantivyIndex.open(directory, tags)
