"""How a record lies in tantivy: the schema, its analyzers, and one record's fields."""

import hashlib
from typing import Any

import orjson
import tantivy

from services.search.model import Record, group_of
from services.search.query import folded

#: Longer words are no words: base64, hashes.
LONGEST_WORD = 60


def schema() -> tantivy.Schema:
    """The fields; `words` holds every word once, for beginnings and slips."""
    builder = tantivy.SchemaBuilder()
    for name in ("group", "role", "shown", "type", "marks", "whole"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("title", "keywords", "text"):
        builder.add_text_field(name, tokenizer_name="words", index_option="position")
    builder.add_text_field("about", tokenizer_name="words", index_option="basic")
    builder.add_text_field("words", tokenizer_name="words", index_option="basic")
    builder.add_text_field("stems", tokenizer_name="stems", index_option="freq")
    builder.add_text_field(
        "sort", tokenizer_name="raw", fast=True, index_option="basic"
    )
    builder.add_float_field("weight", fast=True)
    for name in ("stored", "kept"):
        builder.add_bytes_field(name, stored=True)
    return builder.build()


def words_analyzer(*, stemming: bool = False) -> tantivy.TextAnalyzer:
    """Letters and digits make words, in lower case without accents."""
    builder = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(LONGEST_WORD))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
    )
    if stemming:
        builder = builder.filter(tantivy.Filter.stemmer("english"))
    return builder.build()


def register(index: tantivy.Index) -> None:
    """Give an opened index its analyzers; they are not kept in its directory."""
    index.register_tokenizer("words", words_analyzer())
    index.register_tokenizer("stems", words_analyzer(stemming=True))


def to_tantivy(record: Record, number: int) -> tantivy.Document:
    """One record as tantivy takes it; `number` tells records of one group apart."""
    document = tantivy.Document()
    document.add_text("group", group_of(record.role, record.ref))
    document.add_text("role", record.role)
    document.add_bytes("stored", _json([record.type, record.ref, record.document]))
    document.add_bytes("kept", _json(record.kept))
    if not record.shown:
        return document
    document.add_text("shown", "yes")
    document.add_text("type", record.type)
    for mark in record.marks:
        document.add_text("marks", mark)
    _add_words(document, record)
    key = f"{record.type}|{record.ref}|{number}"
    title = folded(str(record.document.get("title", "")))
    document.add_text("sort", f"{title[:40]}\0{key}")
    document.add_float("weight", record.weight + _jitter(key))
    return document


def _add_words(document: tantivy.Document, record: Record) -> None:
    title = str(record.document.get("title", ""))
    text = str(record.document.get("text", ""))
    name = record.ref.rpartition("/")[2] if record.role == "entity" else ""
    for whole in {folded(title).strip(), name} - {""}:
        document.add_text("whole", whole)
    document.add_text("title", title)
    document.add_text("keywords", record.keywords)
    document.add_text("about", record.about)
    document.add_text("text", text)
    everything = (title, record.keywords, record.about, text)
    for words in everything:
        document.add_text("words", words)
    document.add_text("stems", f"{title} {record.keywords} {text}")


def _jitter(key: str) -> float:
    """Too small to rank by, enough that equal hits keep one order from page to page."""
    part = hashlib.blake2b(key.encode(), digest_size=2).digest()
    return int.from_bytes(part, "big") / 65536 / 200


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
