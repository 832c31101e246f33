"""What an engine indexes of a record: its words by field, its order, its weight."""

import hashlib
import math
from dataclasses import dataclass

from services.search.model import Record
from services.search.query import folded


@dataclass(frozen=True, slots=True)
class Entry:
    """The fields of one record; every engine is given the same.

    `factor` is what a hit's score is multiplied by. `sort` is the order of those who
    asked for no words, and tells records of one group apart.
    """

    title: str
    keywords: str
    about: str
    text: str
    whole: tuple[str, ...]
    sort: str
    weight: float

    @property
    def factor(self) -> float:
        """The weight as a multiplier, so that none takes everything away."""
        return math.log2(2.0 + self.weight)


def entry_of(record: Record, number: int) -> Entry:
    """The entry of a shown record; `number` is its place in its group."""
    title = str(record.document.get("title", ""))
    name = record.ref.rpartition("/")[2] if record.role == "entity" else ""
    key = f"{record.type}|{record.ref}|{number}"
    return Entry(
        title=title,
        keywords=record.keywords,
        about=record.about,
        text=str(record.document.get("text", "")),
        whole=tuple(sorted({folded(title).strip(), name} - {""})),
        sort=f"{folded(title)[:40]}\0{key}",
        weight=record.weight + _jitter(key),
    )


def _jitter(key: str) -> float:
    """Too small to rank by, enough that equal hits keep one order from page to page."""
    part = hashlib.blake2b(key.encode(), digest_size=2).digest()
    return int.from_bytes(part, "big") / 65536 / 200
