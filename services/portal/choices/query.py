"""What a combobox asks for: the address that answers it, and the address read back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self, cast, get_args
from urllib.parse import urlencode

PATH = "/choices"
LONGEST_TERM = 100
LONGEST_FILTER = 1000
MOST_FILTERS = 20

ChoiceType = Literal["entities", "groups", "tags", "repositories", "repository-owners"]


@dataclass(frozen=True, slots=True)
class ChoiceQuery:
    """Which choices a combobox asks for.

    `filters` are statements of the catalog's filter language, any of which may hold;
    `owned` narrows to what belongs to the reader, `term` to what contains a text.
    """

    choice_type: ChoiceType = "entities"
    filters: tuple[str, ...] = ()
    owned: bool = False
    term: str = ""

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """The query in an address; what makes no sense is left out."""
        values_by_name: dict[str, list[str]] = {}
        for name, value in pairs:
            if value.strip():
                values_by_name.setdefault(name, []).append(value.strip())
        choice_type = values_by_name.get("what", ["entities"])[-1]
        if choice_type not in get_args(ChoiceType):
            choice_type = "entities"
        filters = [
            text
            for text in values_by_name.get("filter", ())
            if len(text) < LONGEST_FILTER
        ]
        return cls(
            choice_type=cast(ChoiceType, choice_type),
            filters=tuple(filters[:MOST_FILTERS]),
            owned="owned" in values_by_name,
            term=" ".join(values_by_name.get("term", []))[:LONGEST_TERM],
        )

    def address(self) -> str:
        """The address that a combobox adds `&term=` to."""
        pairs = [
            ("what", self.choice_type),
            *(("filter", filter_text) for filter_text in self.filters),
        ]
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
