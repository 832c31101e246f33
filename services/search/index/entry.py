"""The entry that an engine indexes for a record: words by field, sort key, weight."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

from services.search.model import IndexRecord
from services.search.words import (
    endings,
    parts,
    pieces,
    tokens,
    without_digits,
    words_of,
)
from shared.text.folding import folded

#: Increased whenever the words of the same text change: an index of another format is
#: not used but rebuilt.
FORMAT = 4
#: The fields of an entry that engines split into words and do not store.
SEARCHED = (
    *("title", "keywords", "about", "text"),
    *("words", "inner", "inner_text", "stems"),
)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """The fields of one record, the same for every engine.

    Texts are folded words separated by spaces, which engines only split. `words` has
    every word once, including parts of compound words; `inner` has the endings of the
    words in names, `inner_text` those of other words; `stems` has the words that an
    engine stems. A hit's score is multiplied by `factor`. `sort` orders results of a
    query without words, and is unique within a group.
    """

    title: str
    keywords: str
    about: str
    text: str
    words: str
    inner: str
    inner_text: str
    stems: str
    whole: tuple[str, ...]
    sort: str
    weight: float

    @property
    def factor(self) -> float:
        """The weight as a multiplier of at least 1."""
        return math.log2(2.0 + self.weight)


def entry_of(record: IndexRecord, number: int) -> IndexEntry:
    """The entry of a shown record; `number` is its position in its group."""
    title = str(record.document.get("title", ""))
    name = record.ref.rpartition("/")[2] if record.role == "entity" else ""
    texts = (title, record.keywords, record.about, _text(record))
    folded_texts = [folded(text) for text in texts]
    piece_lists = [pieces(text) for text in folded_texts]
    fields = [tokens(pieces_of_text) for pieces_of_text in piece_lists]
    spaced = [" ".join(field) for field in fields]
    words = _words(texts, fields)
    names = {*fields[0], *fields[1]}
    key = f"{record.type}|{record.ref}|{number}"
    return IndexEntry(
        title=spaced[0],
        keywords=spaced[1],
        about=spaced[2],
        text=spaced[3],
        words=" ".join(words),
        inner=" ".join(endings(names)),
        inner_text=" ".join(endings(without_digits(words.keys() - names))),
        stems=" ".join(words_of([*piece_lists[0], *piece_lists[1], *piece_lists[3]])),
        whole=tuple(sorted({_whole(title), _whole(name)} - {""})),
        sort=f"{folded_texts[0][:40]}\0{key}",
        weight=record.weight + _jitter(key),
    )


def _text(record: IndexRecord) -> str:
    return str(record.document.get("text", ""))


def _words(texts: Iterable[str], fields: Iterable[list[str]]) -> dict[str, None]:
    """The distinct words, in order."""
    words: dict[str, None] = {}
    for text, field in zip(texts, fields, strict=True):
        words |= dict.fromkeys(field)
        words |= dict.fromkeys(sorted(parts(text)))
    return words


def _whole(text: str) -> str:
    """The normalized form of a title, for comparison with a whole term."""
    return " ".join(pieces(folded(text)))


def _jitter(key: str) -> float:
    """A tiny weight by which equal hits keep their order from page to page."""
    part = hashlib.blake2b(key.encode(), digest_size=2).digest()
    return int.from_bytes(part, "big") / 65536 / 200
