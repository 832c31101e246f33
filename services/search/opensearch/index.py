"""Queries OpenSearch with the steps, totals and highlights of the embedded form."""

import asyncio
from collections.abc import Sequence

from services.search.highlight import Tags, marked
from services.search.index.fields import Stemmer
from services.search.model import Hit, HitPage
from services.search.opensearch.client import Json, MissingIndex, OpenSearchClient
from services.search.opensearch.translation import request
from services.search.query import SearchRequest, Step, steps
from shared.contracts.errors import Unavailable

BUILT = "The search index is being built; ask again soon"


class ServerIndex:
    """The index behind an alias of the server."""

    def __init__(self, client: OpenSearchClient, target: str, tags: Tags) -> None:
        self._client = client
        self._target = target
        self._tags = tags
        self._stemmer = Stemmer()

    async def find(self, question: SearchRequest) -> HitPage:
        term = question.term
        if not term.words and not term.empty:
            return HitPage(0, ())
        for step in steps(term):
            result = (await self._search(request(question, step)))["hits"]
            total = int(result["total"]["value"])
            if total:
                # In a thread, because highlighting long texts takes long.
                hits = await asyncio.to_thread(
                    self._hits, question, step, result["hits"]
                )
                return HitPage(total, hits)
        return HitPage(0, ())

    async def count(self) -> int:
        records = {"bool": {"must_not": [{"term": {"role": "lease"}}]}}
        body = {"size": 0, "track_total_hits": True, "query": records}
        return int((await self._search(body))["hits"]["total"]["value"])

    async def _search(self, body: Json) -> Json:
        try:
            return await self._client.search(self._target, body)
        except MissingIndex as error:
            raise Unavailable(BUILT) from error

    def _hits(
        self, question: SearchRequest, step: Step, hits: Sequence[Json]
    ) -> tuple[Hit, ...]:
        sources = [hit["_source"] for hit in hits]
        documents = [source["document"] for source in sources]
        stems = self._stemmer.stems_of(question.term)
        fields = marked(documents, question.term, stems, step, self._tags)
        return tuple(
            Hit(source["type"], source["ref"], source["document"], highlight)
            for source, highlight in zip(sources, fields, strict=True)
        )
