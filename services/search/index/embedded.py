"""The tantivy index: one writer, atomic commits."""

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
from services.search.ports import StoredRecord
from services.search.query import SearchRequest, Step, is_costly, steps
from shared.contracts.errors import Unavailable

WRITER_BYTES = 20_000_000
#: With more records a query may take milliseconds, so it runs in a thread.
LARGE_INDEX_RECORDS = 40_000
#: The threads for costly queries, and the most queries that may wait for them.
THREADS, WAITING_LIMIT = 2, 64


@dataclass(frozen=True, slots=True)
class _Page:
    """The result of a search step: type, ref and document of each hit."""

    step: Step = "exact"
    total: int = 0
    stored: Sequence[tuple[str, str, Document]] = ()

    @property
    def documents(self) -> list[Document]:
        return [document for _, _, document in self.stored]


class TantivyIndex:
    """An index in a folder; `open` reads files, so it must run in a thread."""

    def __init__(self, index: tantivy.Index, tags: Tags) -> None:
        self._index = index
        self._schema = index.schema
        self._tags = tags
        self._writer = index.writer(WRITER_BYTES, 1)
        self._stemmer = Stemmer()
        self._translation = QueryTranslation(self._schema, self._stemmer)
        self._writing = asyncio.Lock()
        self._searcher = index.searcher()
        self._is_closed = False
        self._threads = ThreadPoolExecutor(THREADS, "search")
        self._costly_searches = 0

    @classmethod
    def open(cls, directory: Path, tags: Tags) -> "TantivyIndex":
        """Open the index in a folder, or create one.

        Raises:
            ValueError: if it is no index of this schema, or is damaged.
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
        """Replace all groups in one commit; takes 12 ms, and 40 µs for each record."""
        async with self._writing:
            self._require_open()
            writing = asyncio.ensure_future(asyncio.to_thread(self._replace, groups))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                # A thread cannot be cancelled, so the next writer waits for its end.
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
            # Records of a failed batch must not be part of the next commit.
            self._writer.rollback()
            raise Unavailable(f"The index cannot be written: {error}") from error
        self._index.reload()
        self._searcher = self._index.searcher()

    async def find(self, question: SearchRequest) -> HitPage:
        self._require_open()
        steps_left = steps(question.term)
        if self._searcher.num_docs <= LARGE_INDEX_RECORDS and not is_costly(
            question.term
        ):
            page = self._first_page(question, steps_left[:1])
            steps_left = steps_left[1:]
            if page.total or not steps_left:
                if question.term.words and is_long(page.documents):
                    return await self._run_in_thread(
                        partial(self._answer, question, page)
                    )
                return self._answer(question, page)
        return await self._run_in_thread(partial(self._find, question, steps_left))

    async def _run_in_thread(self, answer: Callable[[], HitPage]) -> HitPage:
        """Run a costly query in a thread."""
        if self._costly_searches >= THREADS + WAITING_LIMIT:
            raise Unavailable("Too many costly searches at once; try again")
        self._costly_searches += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, answer)
        finally:
            self._costly_searches -= 1

    def _find(self, question: SearchRequest, steps_left: Sequence[Step]) -> HitPage:
        return self._answer(question, self._first_page(question, steps_left))

    def _first_page(self, question: SearchRequest, steps_left: Sequence[Step]) -> _Page:
        """The page of the first step that has hits."""
        term, searcher = question.term, self._searcher
        if not term.words and not term.empty:
            return _Page()
        for step in steps_left:
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
        # tantivy refuses a limit of 0; a limit of 1 costs the same.
        result = searcher.search(query, max(1, question.limit), offset=offset, **order)
        hits = result.hits[: question.limit]
        stored = [_stored(searcher.doc(address), "stored") for _, address in hits]
        return _Page(step, int(result.count or 0), stored)  # type: ignore[attr-defined]

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

    async def stored_values(
        self, groups: Sequence[str]
    ) -> dict[str, list[StoredRecord]]:
        self._require_open()
        return await asyncio.to_thread(self._stored_values, groups)

    def _stored_values(self, groups: Sequence[str]) -> dict[str, list[StoredRecord]]:
        stored: dict[str, list[StoredRecord]] = {}
        for group in groups:
            query = Query.term_query(self._schema, "group", group, "basic")
            documents = self._documents(query)
            stored[group] = [
                (
                    _stored(document, "stored")[2],
                    _stored(document, "kept"),
                )
                for document in documents
            ]
        return stored

    async def indexed_versions(self) -> list[tuple[str, str, Mapping[str, object]]]:
        """Read all stored values, which also reveals a damaged index at its opening.

        Raises:
            ValueError: if the stored values cannot be read.
        """
        self._require_open()
        return await asyncio.to_thread(self._holdings)

    def _holdings(self) -> list[tuple[str, str, Mapping[str, object]]]:
        queries = {
            role: Query.term_query(self._schema, "role", role, "basic")
            for role in ("entity", "site")
        }
        with _panics_as_errors():
            return [
                (role, _stored(document, "stored")[1], _stored(document, "kept"))
                for role, query in queries.items()
                for document in self._documents(query)
            ]

    def _documents(self, query: Query) -> list[tantivy.Document]:
        searcher = self._searcher
        limit = max(1, searcher.num_docs)
        hits = searcher.search(Query.const_score_query(query, 1.0), limit).hits
        # In the order of writing, so that a site's sections stay in order.
        places = sorted((place.segment_ord, place.doc) for _, place in hits)
        return [searcher.doc(tantivy.DocAddress(*place)) for place in places]

    async def count(self) -> int:
        return int(self._searcher.num_docs)

    async def close(self) -> None:
        """Close the index after its merges; later calls raise Unavailable."""
        async with self._writing:
            if not self._is_closed:
                self._is_closed = True
                self._threads.shutdown(wait=False)
                await asyncio.to_thread(self._writer.wait_merging_threads)

    def _require_open(self) -> None:
        if self._is_closed:
            raise Unavailable("The index was closed; another takes its place")


def _stored(document: tantivy.Document, field: str) -> Any:
    value: bytes = document.get_first(field)  # type: ignore[assignment]
    return orjson.loads(value)


@contextmanager
def _panics_as_errors() -> Iterator[None]:
    """Raise ValueError for tantivy's panic at damaged files."""
    try:
        yield
    except BaseException as error:
        # PyO3's exception for panics cannot be imported.
        if type(error).__name__ == "PanicException":
            raise ValueError(f"the index is broken: {error}") from error
        raise


def opener(tags: Tags) -> Callable[[Path], TantivyIndex]:
    """A function that opens indexes whose highlights have these tags."""
    return lambda directory: TantivyIndex.open(directory, tags)
