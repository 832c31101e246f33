"""What an engine indexes of a record: its words by field, its order, its weight."""

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

#: Another one whenever other words are made of the same text: an index of another
#: format is not asked, and filled anew.
FORMAT = 3
#: The fields of an entry that engines split into words: never read back.
SEARCHED = (
    *("title", "keywords", "about", "text"),
    *("words", "inner", "inner_text", "stems"),
)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """The fields of one record; every engine is given the same.

    Texts are folded words with a space between them: engines only split them. `words`
    has every word once, those inside of words too; `inner` has the endings of a name's
    words, `inner_text` those of the other words, `stems` what an engine reduces.
    `factor` is what a hit's score is multiplied by. `sort` is the order of those who
    asked for no words, and tells records of one group apart.
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
        """The weight as a multiplier, so that none takes everything away."""
        return math.log2(2.0 + self.weight)


def entry_of(record: IndexRecord, number: int) -> IndexEntry:
    """The entry of a shown record; `number` is its place in its group."""
    title = str(record.document.get("title", ""))
    name = record.ref.rpartition("/")[2] if record.role == "entity" else ""
    written = (title, record.keywords, record.about, _text(record))
    plain = [folded(text) for text in written]
    piece_lists = [pieces(text) for text in plain]
    fields = [tokens(each) for each in piece_lists]
    spaced = [" ".join(field) for field in fields]
    words = _words(written, fields)
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
        sort=f"{plain[0][:40]}\0{key}",
        weight=record.weight + _jitter(key),
    )


def _text(record: IndexRecord) -> str:
    return str(record.document.get("text", ""))


def _words(written: Iterable[str], fields: Iterable[list[str]]) -> dict[str, None]:
    """Every word once, in order."""
    words: dict[str, None] = {}
    for text, field in zip(written, fields, strict=True):
        words |= dict.fromkeys(field)
        words |= dict.fromkeys(sorted(parts(text)))
    return words


def _whole(text: str) -> str:
    """As a term's own words are put together, whatever stood between them."""
    return " ".join(pieces(folded(text)))


def _jitter(key: str) -> float:
    """Too small to rank by, enough that equal hits keep one order from page to page."""
    part = hashlib.blake2b(key.encode(), digest_size=2).digest()
    return int.from_bytes(part, "big") / 65536 / 200
