"""What is indexed of a record, so that no question looks through all words."""

import hashlib
import itertools
import string

import orjson
import pytest

from services.search.index.entry import IndexEntry, entry_of
from services.search.index.fields import Stemmer, schema
from services.search.index.translation import QueryTranslation
from services.search.model import IndexRecord
from services.search.opensearch.translation import request
from services.search.query import Step
from services.search.words import ENDINGS_LIMIT
from tests.search.fakes import search_request

#: Question words of which pieces are looked up, a run among them.
TERM = "petstore ledger v2 認証サービス über no"


def entry(text: str, title: str = "Cart") -> IndexEntry:
    document = {"title": title, "text": text}
    return entry_of(IndexRecord("entity", "api:default/cart", "t", True, document), 0)


def test_endings_of_names_are_indexed_apart_from_other_words() -> None:
    """A part of a name matches at once, a part of another word only as a fallback."""
    indexed = entry("petstores bookShelf", title="Petstore")
    assert indexed.inner.split() == ["etstore", "store", "tore", "tstore"]
    other = {"etstores", "stores", "tores", "tstores", "ores"}
    assert set(indexed.inner_text.split()) >= other | {"helf", "ookshelf"}
    assert entry("petstore", title="Petstore").inner_text == ""


def test_hashes_in_a_text_are_not_indexed_by_endings() -> None:
    """A changelog may have thousands of hashes, and nobody types a part of one."""
    digests = [hashlib.sha1(bytes([n])).hexdigest() for n in range(100)]
    assert max(map(len, entry(" ".join(digests)).inner_text.split())) < 10


def test_the_indexed_endings_of_a_text_are_limited() -> None:
    """However long its words are: the index grows with the text."""
    letters = itertools.permutations(string.ascii_lowercase, 3)
    words = ("".join(three) * 20 for three in itertools.islice(letters, 800))
    indexed = entry(" ".join(words))
    assert len(indexed.inner_text.split()) == ENDINGS_LIMIT


@pytest.mark.parametrize("step", ["exact", "forgiving", "most"])
def test_only_wildcards_scan_all_words(step: Step) -> None:
    """A query of many unknown words costs an engine little."""
    translation = QueryTranslation(schema(), Stemmer())
    assert "RegexQuery" in repr(translation.query(search_request("led*er"), step))
    assert b'"wildcard"' in orjson.dumps(request(search_request("led*er"), step))
    assert "RegexQuery" not in repr(translation.query(search_request(TERM), step))
    assert b'"wildcard"' not in orjson.dumps(request(search_request(TERM), step))
