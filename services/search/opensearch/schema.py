"""How a record lies in OpenSearch: the mapping, its analyzers, and one document.

Words come ready, the same as the embedded index has them: only stems are made here, and
a test holds them together. Beside what is searched, an entity's and a site's document
says which version it shows, and eight numbers by which checksums are counted in the
index itself.
"""

from collections.abc import Mapping
from typing import Any

from services.search.index.entry import FORMAT, SEARCHED, entry_of
from services.search.model import IndexRecord
from services.search.query import DEEPEST, LONGEST_PAGE

#: Part of every index's name, so that another schema has other indices.
SCHEMA = FORMAT
#: Lucene refuses terms above 32,766 bytes.
TERM_BYTES = 8_000
#: For so long the version of a deleted section is compared with late writes.
DELETED_VERSION_TIME = "15m"

_EXACT = {"type": "keyword", "doc_values": False, "ignore_above": TERM_BYTES}
_VALUE = {"type": "keyword", "ignore_above": TERM_BYTES}
_STORED = {"type": "object", "enabled": False}


def _words(options: str) -> dict[str, Any]:
    return {"type": "text", "analyzer": "spaced", "index_options": options}


SETTINGS: Mapping[str, Any] = {
    # One shard of a million records answers in milliseconds, and scores are computed
    # over all records.
    "number_of_shards": 1,
    "auto_expand_replicas": "0-1",
    "max_result_window": DEEPEST + LONGEST_PAGE,
    "gc_deletes": DELETED_VERSION_TIME,
    "analysis": {
        "filter": {"english": {"type": "stemmer", "language": "porter2"}},
        "analyzer": {
            "spaced": {"type": "custom", "tokenizer": "whitespace"},
            "stems": {
                "type": "custom",
                "tokenizer": "whitespace",
                "filter": ["english"],
            },
        },
    },
}
MAPPING: Mapping[str, Any] = {
    "dynamic": "strict",
    "_source": {"excludes": list(SEARCHED)},
    "properties": {
        "role": _EXACT,
        "ref": _VALUE,
        "shown": {"type": "boolean", "doc_values": False},
        "type": _EXACT,
        "marks": _EXACT,
        "whole": _EXACT,
        "title": _words("positions"),
        "keywords": _words("positions"),
        "about": _words("positions"),
        "text": _words("positions"),
        "words": {**_words("docs"), "norms": False},
        "inner": {**_words("docs"), "norms": False},
        "inner_text": {**_words("docs"), "norms": False},
        "stems": {"type": "text", "analyzer": "stems", "index_options": "freqs"},
        "sort": {"type": "keyword", "index": False},
        "factor": {"type": "double", "index": False},
        # The part of the checksums that the document counts in.
        "held": _VALUE,
        "uid": {"type": "keyword", "index": False},
        "revision": {"type": "long", "index": False},
        "at": {"type": "double"},
        "site": {"type": "keyword", "index": False},
        "digest": {"type": "short", "index": False},
        "document": _STORED,
        "kept": _STORED,
    },
}


def identity(role: str, ref: str, number: int | None = None) -> str:
    """The id of a document: one of an entity, one of a site, one per section."""
    return f"{role}|{ref}" if number is None else f"{role}|{ref}|{number:05d}"


def body_of(record: IndexRecord, number: int = 0) -> dict[str, Any]:
    """The OpenSearch document of a record; `number` is its position in its group."""
    body: dict[str, Any] = {
        "role": record.role,
        "ref": record.ref,
        "shown": record.is_visible,
        "document": record.document,
    }
    if record.stored_values:
        body["kept"] = record.stored_values
    if not record.is_visible:
        return body
    entry = entry_of(record, number)
    return body | {
        "type": record.type,
        "marks": record.marks,
        "whole": entry.whole,
        **{name: getattr(entry, name) for name in SEARCHED},
        "sort": entry.sort,
        "factor": entry.factor,
    }


def digits(digest: int) -> list[int]:
    """A checksum's part as eight numbers, one for each byte and its position.

    The XOR of all parts has the bits of every byte value that occurs an odd number of
    times at a position, and the server can count occurrences of a number.
    """
    return [place * 256 + byte for place, byte in enumerate(digest.to_bytes(8, "big"))]


def checksum(counts: Mapping[int, int]) -> int:
    """The XOR of all parts, computed from the number of occurrences of each number."""
    total = bytearray(8)
    for number, count in counts.items():
        if count % 2:
            total[number // 256] ^= number % 256
    return int.from_bytes(total, "big")
