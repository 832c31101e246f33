"""Tantivy and OpenSearch side by side: the same documents, questions and answers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.search.alias import LocalAlias
from services.search.conditions import criteria_condition
from services.search.index.embedded import opener
from services.search.index.fields import spaced_analyzer
from services.search.model import HitPage, SiteUpsert
from services.search.opensearch.alias import ServerAlias
from services.search.opensearch.client import OpenSearchClient
from services.search.opensearch.index import ServerIndex
from services.search.opensearch.translation import request
from services.search.ports import Alias, SearchIndex
from services.search.query import SearchRequest, parse_term, steps
from services.search.words import tokens
from shared.kit.config.servers import Server
from shared.text.folding import folded
from tests.search import corpus
from tests.search.conftest import TAGS, fresh_name
from tests.search.fakes import entity_put, search_request
from tests.search.test_index import PUBLIC_OR_OWNED

pytestmark = pytest.mark.asyncio(loop_scope="module")
SIZE, QUESTIONS = 600, 300
NEAR = 0.05
CONDITIONS = (
    None,
    PUBLIC_OR_OWNED,
    {"anyOf": [PUBLIC_OR_OWNED["anyOf"][0]]},
    {
        "allOf": [
            {"rule": "IS_ENTITY_KIND", "params": {"kinds": ["Component"]}},
            {"not": {"rule": "IS_ENTITY_OWNER", "params": {"claims": ["x"]}}},
            {"anyOf": [PUBLIC_OR_OWNED["anyOf"][0]]},
        ]
    },
)
Pair = tuple[SearchIndex, SearchIndex]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(
    opensearch: Server, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pair]:
    """Both forms with the same organisation and its documentation."""
    folder: Path = tmp_path_factory.mktemp("parity")
    forms: list[Alias] = [
        LocalAlias(folder, opener(TAGS)),
        ServerAlias(OpenSearchClient(opensearch), fresh_name(), TAGS),
    ]
    for form in forms:
        await form.open()
        puts = [entity_put(entity) for entity in corpus.entities(SIZE)]
        await form.apply(puts)
        sites = [
            SiteUpsert(ref := str(put.entity.ref), "s1", corpus.sections(ref))
            for put in puts[::10]
        ]
        await form.apply(sites)
        await form.completed()
    yield forms[0].answering.index, forms[1].answering.index
    for form in forms:
        await form.close()


async def answers(both: Pair, question: SearchRequest) -> tuple[HitPage, HitPage]:
    embedded, server = both
    return await embedded.find(question), await server.find(question)


def places(page: HitPage) -> list[str]:
    return [str(hit.document["location"]) for hit in page.hits]


async def scores(both: Pair, question: SearchRequest) -> dict[str, float]:
    """What the server gives its best hits, by their places."""
    server = both[1]
    assert isinstance(server, ServerIndex)
    for step in steps(question.term):
        body = {**request(question, step), "size": 50}
        hits = (await server._search(body))["hits"]["hits"]
        if hits:
            break
    return {hit["_source"]["document"]["location"]: hit["sort"][0] for hit in hits}


async def test_both_engines_give_the_same_results(both: Pair) -> None:
    """Equal totals, equal first five results and equal highlights for any query.

    Lucene leaves fields without words out of a word's rarity, tantivy does not: hits
    whose scores are as good as equal may change places, in few queries.
    """
    differ: list[Any] = []
    for number, term in enumerate(corpus.terms(QUESTIONS)):
        parameters = corpus.CHOICES[number % len(corpus.CHOICES)]
        criteria = CONDITIONS[number % len(CONDITIONS)]
        readable = criteria_condition(criteria) if criteria is not None else None
        question = search_request(term, readable=readable, **parameters)
        embedded_page, server_page = await answers(both, question)
        assert embedded_page.total == server_page.total, (term, parameters)
        if embedded_page.hits[:5] == server_page.hits[:5]:
            continue
        differ.append(
            (term, parameters, places(embedded_page)[:5], places(server_page)[:5])
        )
        scored = await scores(both, question)
        for mine, other in zip(
            places(embedded_page)[:5], places(server_page)[:5], strict=True
        ):
            assert abs(scored[mine] / scored[other] - 1) < NEAR, differ[-1]
    assert len(differ) <= QUESTIONS // 50, differ


async def test_both_engines_page_in_the_same_order(both: Pair) -> None:
    """Without a term the order is the same to the last page."""
    for page in range(7):
        embedded_page, server_page = await answers(
            both, SearchRequest(page=page, limit=100)
        )
        assert embedded_page == server_page


async def test_both_engines_give_the_same_suggestions(both: Pair) -> None:
    """Terms that are typed letter by letter complete to the same titles."""
    for word in ("payment", "Straße", "librari", "service"):
        for end in range(1, len(word) + 1):
            question = SearchRequest(parse_term(word[:end]), limit=16, within="title")
            embedded_page, server_page = await answers(both, question)
            assert embedded_page.total == server_page.total, word[:end]
            assert embedded_page.hits[:5] == server_page.hits[:5], word[:end]

    # Phrases of pairs may score as good as equal: their order is not compared.
    for end in range(1, 7):
        question = SearchRequest(
            parse_term("認証サービス"[:end]), limit=16, within="title"
        )
        embedded_page, server_page = await answers(both, question)
        assert embedded_page.total == server_page.total > 0


TEXTS = (
    "Shopping-cart_service v2.0 (beta)",
    "Überweisungen, café, naïve, Straße, Ærøskøbing",
    "данные 数据 検索 データ ०१२ ½ Ⅳ x² a²b",
    "snake_case camelCase kebab-case dotted.name mail@example.com https://x.y/z?q=1",
    "it's the teams' O'Neill don't ’ — … • ™ 🎭 emoji🎭inside",
    "tab\tnew\nline\u00a0nbsp\u200bzero\u00adsoft",
    "generic generously running runner libraries ponies flies dying skies news",
    "documentation documented documents automation",
    f"{'x' * 59} {'y' * 60} {'z' * 61}",
)


@pytest.mark.parametrize("analyzer", ["spaced", "stems"])
async def test_both_engines_split_and_stem_text_alike(
    opensearch: Server, analyzer: str
) -> None:
    """Text is split into the same words, and words have the same stems.

    But for the few (organ-, univers-, past-, ...) that newer Snowballs reduce less.
    """
    client = OpenSearchClient(opensearch)
    alias = ServerAlias(client, fresh_name(), TAGS)
    await alias.open()
    own_analyzer = spaced_analyzer(stemming=analyzer == "stems")
    try:
        for written in (*TEXTS, " ".join(corpus.WORDS)):
            text = " ".join(tokens(folded(written)))
            body = {"analyzer": analyzer, "text": text}
            with client.calls() as server:
                answer = await server.indices.analyze(
                    index=alias._live_alias, body=body
                )
            server_tokens = [token["token"] for token in answer["tokens"]]
            assert server_tokens == own_analyzer.analyze(text)
    finally:
        await alias.close()
