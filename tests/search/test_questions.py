"""A table of questions in many languages, each to both forms of the index."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from services.search.alias import LocalAlias
from services.search.index.embedded import opener
from services.search.model import PageSection, SiteUpsert
from services.search.opensearch.alias import ServerAlias
from services.search.opensearch.client import OpenSearchClient
from services.search.ports import Alias, SearchIndex
from services.search.query import SearchRequest, parse_term
from tests.builders import component
from tests.search.conftest import TAGS, fresh_name
from tests.search.fakes import entity_put, search_request

pytestmark = pytest.mark.asyncio(loop_scope="module")
FOLDER = Path(__file__).parent
DOCS = {"backstage.io/techdocs-ref": "dir:."}
LANGUAGES, QUESTIONS = 15, 200


@dataclass(frozen=True)
class Row:
    """A question with the expected results (`first` before all) and the absent ones."""

    language: str
    question: str
    expected: frozenset[str]
    first: str
    absent: frozenset[str]


def rows() -> list[Row]:
    lines = (FOLDER / "questions.tsv").read_text(encoding="utf-8").splitlines()[1:]
    parsed_rows = []
    for line in lines:
        language, question, keys, absent = line.split("\t")
        first = next((key[1:] for key in keys.split() if key.startswith("*")), "")
        expected = frozenset(key.lstrip("*") for key in keys.split())
        parsed_rows.append(
            Row(language, question, expected, first, frozenset(absent.split()))
        )
    return parsed_rows


def texts() -> Mapping[str, tuple[str, str]]:
    lines = (FOLDER / "texts.tsv").read_text(encoding="utf-8").splitlines()[1:]
    parts = (line.split("\t") for line in lines)
    return {key: (title, text) for key, title, text in parts}


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["embedded", "opensearch"]
)
async def index(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SearchIndex]:
    """Each text as an entity, and its second half once more as documentation."""
    alias: Alias
    if request.param == "embedded":
        alias = LocalAlias(tmp_path_factory.mktemp("questions"), opener(TAGS))
    else:
        client = OpenSearchClient(request.getfixturevalue("opensearch"))
        alias = ServerAlias(client, fresh_name(), TAGS)
    await alias.open()
    for number, (title, text) in enumerate(texts().values()):
        metadata = {"title": title, "description": text, "annotations": DOCS}
        put = entity_put(component(f"x{number}q", metadata))
        page = SiteUpsert(put.ref, "s1", (PageSection("p/", f"Zz{number}zz", text),))
        await alias.apply([put, page])
    await alias.completed()
    yield alias.answering.index
    await alias.close()


async def found(index: SearchIndex, question: SearchRequest) -> list[str]:
    """The keys of what is found, documentation and entities alike, best first."""
    keys = list(texts())
    hits = (await index.find(question)).hits
    numbers = (int(hit.ref.rpartition("/x")[2].rstrip("q")) for hit in hits)
    return [keys[number] for number in numbers]


async def test_every_query_finds_its_expected_entity(index: SearchIndex) -> None:
    """Whatever letters are typed; an entity of exactly that name is first."""
    wrong = []
    for row in rows():
        keys = await found(index, search_request(row.question, pageLimit=100))
        is_right = row.expected <= set(keys) and not row.absent & set(keys)
        if not is_right or (row.first and keys[0] != row.first):
            wrong.append((row.language, row.question, sorted(row.expected), keys))
    assert wrong == []


async def test_suggestions_follow_each_letter(index: SearchIndex) -> None:
    """From its second letter to its last a title's first word suggests the title."""
    wrong = []
    for key, (title, _) in texts().items():
        word = title.split(maxsplit=1)[0]
        for end in range(2, len(word) + 1):
            question = SearchRequest(parse_term(word[:end]), limit=50, within="title")
            if key not in await found(index, question):
                wrong.append((key, word[:end]))
    assert wrong == []


async def test_documentation_is_found_by_its_words(index: SearchIndex) -> None:
    """Whole words of each text lead to the page that has it."""
    wrong = []
    for key, (_, text) in texts().items():
        for word in text.split():
            question = search_request(
                word.strip(",.，"), types="techdocs", pageLimit=100
            )
            if key not in await found(index, question):
                wrong.append((key, word))
    assert wrong == []


async def test_the_table_is_large() -> None:
    """Two hundred questions in fifteen languages and more."""
    assert len(rows()) >= QUESTIONS
    assert len({row.language for row in rows()}) >= LANGUAGES
