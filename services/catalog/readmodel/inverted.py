"""The inverted index: from a path and a value to the entities that have it."""

from collections.abc import Iterable
from typing import Self

from pyroaring import BitMap

from services.catalog.readmodel import grams
from services.catalog.readmodel.grams import Grams
from services.catalog.readmodel.postings import (
    EMPTY,
    Posting,
    Tables,
    added,
    bitmap,
    cardinality,
    frozen_copy,
    members,
    removed,
    union,
)
from services.catalog.readmodel.rows import Row, Rows
from shared.text import folding

Bucket = tuple[str, int]
Spellings = str | dict[str, Posting]
SEARCHED = frozenset({"metadata.name", "metadata.title", "spec.profile.displayname"})
"""Fields that lists are searched by as one types; others are read through."""

NO_ROWS = Rows(frozenset(), frozenset())


class InvertedField:
    """All values of one path: compared in lower case, shown as they were written."""

    __slots__ = ("_grams", "_spellings", "present", "values")

    def __init__(self, *, searched: bool = False) -> None:
        self.present = BitMap()
        self.values: dict[str, Posting] = {}
        self._spellings: dict[str, Spellings] = {}
        self._grams = Grams() if searched else None

    def tables(self) -> Tables:
        """All that `of_tables` needs, in tables that can be divided."""
        tables: Tables = {
            "present": self.present,
            "values": self.values,
            "spellings": self._spellings,
        }
        if self._grams is not None:
            tables |= {f"grams.{k}": v for k, v in self._grams.tables().items()}
        return tables

    @classmethod
    def of_tables(cls, tables: Tables) -> Self:
        """The field that had these tables."""
        field = cls()
        field.present, field.values = tables["present"], tables["values"]
        field._spellings = tables["spellings"]
        grams = {k[6:]: v for k, v in tables.items() if k.startswith("grams.")}
        if grams:
            field._grams = Grams.of_tables(grams)
        return field

    def add(self, entity: int, value: str | None) -> None:
        self.present.add(entity)
        if value is None:
            return
        folded = value.lower()
        before = self.values.get(folded)
        if before is None:
            if folded != value:
                self._spellings[folded] = value
            else:
                folded = value
            if self._grams is not None:
                self._grams.add(folded)
        elif self._spellings.get(folded, folded) != value:
            self._spell(folded, value, before, entity)
        self.values[folded] = added(before, entity)

    def _spell(self, folded: str, value: str, before: Posting, entity: int) -> None:
        """Tells spellings of one value apart once there is more than one."""
        spellings = self._spellings.get(folded, folded)
        if isinstance(spellings, str):
            spellings = {spellings: frozen_copy(before)}
            self._spellings[folded] = spellings
        spellings[value] = added(spellings.get(value), entity)

    def remove(self, entity: int, value: str | None) -> None:
        """Takes one value from an entity; whether it has others is not seen here."""
        if value is None:
            return
        folded = value.lower()
        spellings = self._spellings.get(folded)
        if isinstance(spellings, dict):
            rest = removed(spellings.get(value), entity)
            if rest is None:
                spellings.pop(value, None)
            else:
                spellings[value] = rest
            if any(entity in members(posting) for posting in spellings.values()):
                return
        rest = removed(self.values.get(folded), entity)
        if rest is not None:
            self.values[folded] = rest
            return
        if self.values.pop(folded, None) is not None and self._grams is not None:
            self._grams.remove(folded)
        self._spellings.pop(folded, None)

    def buckets(self, within: BitMap | None) -> list[Bucket]:
        """How often each value occurs, in the order of the values; none without."""
        buckets: list[Bucket] = []
        for folded, posting in self.values.items():
            spellings = self._spellings.get(folded, folded)
            if isinstance(spellings, str):
                if count := cardinality(posting, within):
                    buckets.append((spellings, count))
            else:
                buckets += (
                    (text, count)
                    for text, part in spellings.items()
                    if (count := cardinality(part, within))
                )
        buckets.sort()
        return buckets

    def containing(self, text: str) -> BitMap:
        """The entities with a value that contains a text, whatever its letters."""
        folded_text = folding.folded(text)
        if self._grams is not None and len(folded_text) >= grams.SIZE:
            return union(self.values[value] for value in self._grams.find(folded_text))
        values = self.values.items()
        return union(
            posting for value, posting in values if folded_text in comparable(value)
        )

    def starting(self, text: str) -> BitMap:
        """The entities with a value that starts with a lower-cased text."""
        values = self.values.items()
        return union(posting for value, posting in values if value.startswith(text))


def comparable(value: str) -> str:
    """A lower-cased value as texts are looked for in it; most are as they are."""
    return value if value.isascii() else folding.folded(value)


class InvertedIndex:
    """Every field's values, and the members of every array (`metadata.tags.java`)."""

    def __init__(
        self,
        fields: dict[str, InvertedField] | None = None,
        items: dict[str, Posting] | None = None,
    ) -> None:
        self.fields = fields or {}
        self.items = items or {}

    def change(self, entity: int, before: Rows | None, after: Rows | None) -> None:
        """Moves an entity from its old rows to its new ones; costs the difference."""
        old, new = before or NO_ROWS, after or NO_ROWS
        old_values = old.values - new.values
        if old_values:
            self._remove(entity, old_values, {path for path, _ in new.values})
        for path, value in new.values - old.values:
            field = self.fields.get(path)
            if field is None:
                field = self.fields[path] = InvertedField(searched=path in SEARCHED)
            field.add(entity, value)
        for path in old.items - new.items:
            rest = removed(self.items.get(path), entity)
            if rest is None:
                self.items.pop(path, None)
            else:
                self.items[path] = rest
        for path in new.items - old.items:
            self.items[path] = added(self.items.get(path), entity)

    def _remove(
        self, entity: int, rows: Iterable[Row], remaining_paths: set[str]
    ) -> None:
        for path, value in rows:
            field = self.fields.get(path)
            if field is None:
                continue
            field.remove(entity, value)
            if path not in remaining_paths:
                field.present.discard(entity)
                if not field.present:
                    del self.fields[path]

    def present(self, path: str) -> BitMap:
        """The entities that have anything at a lower-cased path; do not change it."""
        field, item = self.fields.get(path), self.items.get(path)
        if item is None:
            return EMPTY if field is None else field.present
        return union((item, None if field is None else field.present))

    def equal(self, path: str, value: str) -> BitMap:
        """The entities with a lower-cased value at a path; do not change it."""
        field = self.fields.get(path)
        posting = None if field is None else field.values.get(value)
        item = self.items.get(path) if value == "true" else None
        return bitmap(posting) if item is None else union((posting, item))

    def buckets(self, path: str, within: BitMap | None) -> list[Bucket]:
        """The facet of a lower-cased path over `within` (None: everything)."""
        field, item = self.fields.get(path), self.items.get(path)
        buckets = [] if field is None else field.buckets(within)
        if item is not None and (count := cardinality(item, within)):
            buckets.append(("true", count))
        return buckets
