"""What a definition says that no page shows: fields that no reader has a place for.

A reader compares each object with the fields that it shows; the rest is named in the
definition's notes. Fields that begin with `x-` are extensions, and left out.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

#: Names that are collected and named on a page, and fields of one object compared.
MOST_NAMES, NAMES_SHOWN, MOST_FIELDS = 200, 12, 100

Item = TypeVar("Item")


class AbsentObject(dict[str, Any]):
    """Stands for an object that a reference names and the text does not have."""


class UnshownFields:
    """Collects the names of fields that are not shown, by the kind of their object."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def check(
        self, kind: str, value: Mapping[str, Any], shown_fields: Container[str]
    ) -> bool:
        """Note the fields of an object that are not among the shown ones.

        True if it has such fields. `kind` is the plural of what the object is.
        """
        if isinstance(value, AbsentObject):
            return False
        fields = [
            str(field)
            for field in islice(value, MOST_FIELDS)
            if field not in shown_fields and not str(field).startswith("x-")
        ]
        for field in fields:
            self._add(f"`{field[:60].replace('`', '')}` of {kind}")
        if len(value) > MOST_FIELDS:
            self._add(f"fields after the first {MOST_FIELDS} of {kind}")
        return bool(fields)

    def first(self, kind: str, items: Iterable[Item], most: int) -> Iterator[Item]:
        """The first of some items; that there are more is noted."""
        for number, item in enumerate(items):
            if number == most:
                self._add(f"{kind} after the first {most:,} of one place")
                return
            yield item

    def notes(self) -> Sequence[str]:
        """A sentence that names them, or nothing."""
        if not self._names:
            return []
        names = list(self._names)
        more = len(names) - NAMES_SHOWN
        rest = f" and {more} more" if more > 0 else ""
        text = ", ".join(names[:NAMES_SHOWN])
        return [f"Not shown: {text}{rest}. The raw text has everything."]

    def _add(self, name: str) -> None:
        if len(self._names) < MOST_NAMES:
            self._names[name] = None
