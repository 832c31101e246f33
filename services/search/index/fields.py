"""tantivy's schema, its analyzers, and the document of a record."""

from typing import Any

import orjson
import tantivy

from services.search.index.entry import FORMAT, SEARCHED, IndexEntry, entry_of
from services.search.model import IndexRecord, group_of
from services.search.query import Term


def schema() -> tantivy.Schema:
    """The schema for `IndexEntry`; a changed schema makes a new index."""
    builder = tantivy.SchemaBuilder()
    for name in ("group", "role", "shown", "type", "marks", "whole"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("title", "keywords", "about", "text"):
        builder.add_text_field(name, tokenizer_name="spaced", index_option="position")
    for name in ("words", "inner", "inner_text"):
        builder.add_text_field(name, tokenizer_name="spaced", index_option="basic")
    builder.add_text_field("stems", tokenizer_name="stems", index_option="freq")
    builder.add_text_field(
        "sort", tokenizer_name="raw", fast=True, index_option="basic"
    )
    builder.add_float_field("weight", fast=True)
    # The last field is empty; its name makes each format a different schema.
    for name in ("stored", "kept", f"format{FORMAT}"):
        builder.add_bytes_field(name, stored=True)
    return builder.build()


def spaced_analyzer(*, stemming: bool = False) -> tantivy.TextAnalyzer:
    """An analyzer that only splits at spaces."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    if stemming:
        builder = builder.filter(tantivy.Filter.stemmer("english"))
    return builder.build()


def register(index: tantivy.Index) -> None:
    """Register the analyzers of an opened index; tantivy does not store them."""
    index.register_tokenizer("spaced", spaced_analyzer())
    index.register_tokenizer("stems", spaced_analyzer(stemming=True))


def to_tantivy(record: IndexRecord, number: int) -> tantivy.Document:
    """The tantivy document of a record; `number` is its position in its group."""
    document = tantivy.Document()
    document.add_text("group", group_of(record.role, record.ref))
    document.add_text("role", record.role)
    document.add_bytes("stored", _json([record.type, record.ref, record.document]))
    document.add_bytes("kept", _json(record.stored_values))
    if not record.is_visible:
        return document
    entry = entry_of(record, number)
    document.add_text("shown", "yes")
    document.add_text("type", record.type)
    for mark in record.marks:
        document.add_text("marks", mark)
    _add_words(document, entry)
    document.add_text("sort", entry.sort)
    # tantivy computes the factor by the same formula.
    document.add_float("weight", entry.weight)
    return document


def _add_words(document: tantivy.Document, entry: IndexEntry) -> None:
    for whole in entry.whole:
        document.add_text("whole", whole)
    for name in SEARCHED:
        document.add_text(name, getattr(entry, name))


class Stemmer:
    """Stems words as the field `stems` does."""

    def __init__(self) -> None:
        self._analyzer = spaced_analyzer(stemming=True)

    def stem(self, token: str) -> str:
        """The stem of a word, or the word itself."""
        stems: list[str] = self._analyzer.analyze(token)
        return stems[0] if stems else token

    def stems_of(self, term: Term) -> tuple[tuple[str, str], ...]:
        """The typed words with their stems, for highlighting."""
        tokens = (token for word in term.words for token in word.tokens)
        return tuple((token, self.stem(token)) for token in tokens)


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
