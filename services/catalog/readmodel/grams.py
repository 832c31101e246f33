"""Finding a piece of text among a hundred thousand values without reading them all.

Letters are compared folded: who types `bjo` or `Bjø` means Bjørn.
"""

from collections.abc import Iterator
from typing import Self

from pyroaring import BitMap

from services.catalog.readmodel.postings import (
    Posting,
    Tables,
    added,
    bitmap,
    removed,
)
from shared.text.folding import folded

SIZE = 3


class Grams:
    """Every three letters in a row, with the values they occur in.

    A piece of text can only be in values that have all of its threes; these few are
    then looked at.
    """

    __slots__ = ("_free", "_numbers", "_postings", "_values")

    def __init__(self) -> None:
        self._values: list[str] = []
        self._numbers: dict[str, int] = {}
        self._free: list[int] = []
        self._postings: dict[str, Posting] = {}

    def tables(self) -> Tables:
        """All that `of_tables` needs, in tables that can be divided."""
        values = {number: value for value, number in self._numbers.items()}
        return {"values": values, "free": self._free, "postings": self._postings}

    @classmethod
    def of_tables(cls, tables: Tables) -> Self:
        """The grams that had these tables."""
        grams = cls()
        grams._values = [""] * (len(tables["values"]) + len(tables["free"]))
        for number, value in tables["values"].items():
            grams._values[number] = value
            grams._numbers[value] = number
        grams._free = tables["free"]
        grams._postings = tables["postings"]
        return grams

    def add(self, value: str) -> None:
        """Takes in a value that was not there."""
        number = self._free.pop() if self._free else len(self._values)
        if number == len(self._values):
            self._values.append(value)
        else:
            self._values[number] = value
        self._numbers[value] = number
        postings = self._postings
        for gram in _grams(folded(value)):
            postings[gram] = added(postings.get(gram), number)

    def remove(self, value: str) -> None:
        """Forgets a value that was there."""
        number = self._numbers.pop(value)
        self._values[number] = ""
        self._free.append(number)
        for gram in _grams(folded(value)):
            rest = removed(self._postings.get(gram), number)
            if rest is None:
                del self._postings[gram]
            else:
                self._postings[gram] = rest

    def find(self, text: str) -> Iterator[str]:
        """The values that contain a folded text of at least `SIZE` letters."""
        numbers: BitMap | None = None
        for gram in _grams(text):
            gram_numbers = bitmap(self._postings.get(gram))
            numbers = gram_numbers if numbers is None else numbers & gram_numbers
            if not numbers:
                return
        for number in numbers or ():
            value = self._values[number]
            if text in folded(value):
                yield value


def _grams(text: str) -> set[str]:
    return {text[at : at + SIZE] for at in range(len(text) - SIZE + 1)}
