"""What a combobox asks for: the address that answers it, and the address read back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self, cast, get_args
from urllib.parse import urlencode

PATH = "/choices"
LONGEST_TERM = 100
LONGEST_FILTER = 1000
MOST_FILTERS = 20

What = Literal["entities", "groups", "tags", "repositories", "repository-owners"]


@dataclass(frozen=True, slots=True)
class ChoiceQuestion:
    """Which choices are wanted.

    `filters` are statements of the catalog's filter language, any of which may hold;
    `owned` narrows to what belongs to the reader, `term` to what contains a text.
    """

    what: What = "entities"
    filters: tuple[str, ...] = ()
    owned: bool = False
    term: str = ""

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """The question in an address; what makes no sense is left out."""
        many: dict[str, list[str]] = {}
        for name, value in pairs:
            if value.strip():
                many.setdefault(name, []).append(value.strip())
        what = many.get("what", ["entities"])[-1]
        filters = [
            text for text in many.get("filter", ()) if len(text) < LONGEST_FILTER
        ]
        return cls(
            what=cast(What, what) if what in get_args(What) else "entities",
            filters=tuple(filters[:MOST_FILTERS]),
            owned="owned" in many,
            term=" ".join(many.get("term", []))[:LONGEST_TERM],
        )

    def address(self) -> str:
        """The address that a combobox adds `&term=` to."""
        pairs = [("what", self.what), *(("filter", each) for each in self.filters)]
        if self.owned:
            pairs.append(("owned", "1"))
        return f"{PATH}?{urlencode(pairs, safe=':/,=')}"

    @property
    def name_term(self) -> str:
        """What names are searched for: of a whole ref, or the start of one, the end."""
        return self.term.rpartition(":")[2].rpartition("/")[2].strip()

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that the filters name, in lower case; empty for any kind."""
        return frozenset(
            value.strip().lower()
            for text in self.filters
            for key, _, value in (part.partition("=") for part in text.split(","))
            if key.strip().lower() == "kind" and value.strip()
        )
