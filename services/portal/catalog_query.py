"""The catalog list's state: read from its address, sent to the API, and written back.

The address is the whole state, so that a list can be shared. Backstage's own spelling
(`filters[kind]=component`) is understood, and written back in the short one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

from services.portal.api_paths import text_params
from services.portal.entities import Summary, ref_title, split_ref
from services.portal.tables import Facet, FacetChoice
from shared.contracts.errors import Invalid
from shared.contracts.ref import parse_ref
from shared.guards.numbers import whole_number

PAGE_SIZE = 50
CHOICES_SHOWN = 100
ALL_KINDS = "all"
NOBODY = "group:default/-"  # no name may be "-", so this matches nothing

# facet in the address: (field of the API, label)
FACETS = {
    "type": ("spec.type", "Type"),
    "owner": ("relations.ownedBy", "Owner"),
    "system": ("relations.partOf", "System"),
    "lifecycle": ("spec.lifecycle", "Lifecycle"),
    "tag": ("metadata.tags", "Tag"),
}
#: Backstage's names of facets that have another one here.
FACETS_OF_BACKSTAGE = {"owners": "owner", "lifecycles": "lifecycle", "tags": "tag"}
#: Facets whose values are refs, and the kind of one that is written without it.
REF_FACETS = {"owner": "group", "system": "system"}
SORTS = {
    "name": "metadata.name",
    "owner": "spec.owner",
    "system": "spec.system",
    "type": "spec.type",
    "lifecycle": "spec.lifecycle",
}
LONGEST_TEXT = 100
#: Ticked values in all, and the longest: each link of the page repeats them.
MOST_TICKED = 40
LAST_PAGE = 999_999
LONGEST_VALUE = 300
TEXT_FIELDS = "metadata.name,metadata.title,metadata.description,spec.target"


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose list it is: refs that count as their own, refs that they starred."""

    own: tuple[str, ...] = ()
    starred: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """Which entities to list; `chosen` are the ticked values of each facet."""

    kind: str = "component"
    chosen: tuple[tuple[str, tuple[str, ...]], ...] = ()
    own: bool = False
    starred: bool = False
    text: str = ""
    sort: str = "name"
    page: int = 1

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """The state that an address holds; what makes no sense is left out."""
        values_by_name: dict[str, list[str]] = {}
        for name, value in pairs:
            short = name.removeprefix("filters[").split("]")[0]
            short = FACETS_OF_BACKSTAGE.get(short, short)
            if value.strip() and "," not in value and len(value) <= LONGEST_VALUE:
                values_by_name.setdefault(short, []).append(value.strip())
        page = values_by_name.get("page", ["1"])[-1]
        sort = values_by_name.get("sort", ["name"])[-1]
        return cls(
            kind=values_by_name.get("kind", ["component"])[-1].lower(),
            chosen=_ticked_values(values_by_name),
            own="own" in values_by_name or values_by_name.get("user") == ["owned"],
            starred="starred" in values_by_name
            or values_by_name.get("user") == ["starred"],
            text=" ".join(values_by_name.get("text", []))[:LONGEST_TEXT],
            sort=sort if sort.removeprefix("-") in SORTS else "name",
            page=whole_number(page, limit=LAST_PAGE) or 1,
        )

    def values(self, facet: str) -> tuple[str, ...]:
        """The ticked values of one facet."""
        return dict(self.chosen).get(facet, ())

    def without(self, facet: str, value: str) -> Self:
        """The same with one value no longer ticked, from the first page on."""
        left = tuple(other for other in self.values(facet) if other != value)
        chosen = {**dict(self.chosen), facet: left}
        pairs = tuple((name, values) for name, values in chosen.items() if values)
        return replace(self, chosen=pairs, page=1)

    def of_kind(self, kind: str) -> Self:
        """The same for another kind, whose types are others; all kinds keep them."""
        keeps = kind in {self.kind, ALL_KINDS}
        chosen = tuple(pair for pair in self.chosen if keeps or pair[0] != "type")
        return replace(self, kind=kind, chosen=chosen, sort="name", page=1)

    def sorted_by(self, name: str) -> Self:
        """The same in another order; the order it has is turned round."""
        turned = f"-{name}" if self.sort == name else name
        return replace(self, sort=turned, page=1)

    def at_page(self, page: int) -> Self:
        """The same at another page."""
        return replace(self, page=page)

    def address(self, path: str = "/catalog") -> str:
        """The address that holds this state."""
        pairs: list[tuple[str, str]] = []
        if self.kind != "component":
            pairs.append(("kind", self.kind))
        pairs += [(name, value) for name, values in self.chosen for value in values]
        if self.own:
            pairs.append(("own", "1"))
        if self.starred:
            pairs.append(("starred", "1"))
        if self.text:
            pairs.append(("text", self.text))
        if self.sort != "name":
            pairs.append(("sort", self.sort))
        if self.page > 1:
            pairs.append(("page", str(self.page)))
        return f"{path}?{urlencode(pairs, safe=':/')}" if pairs else path

    def statements(
        self, reader: Reader, leave_out: Collection[str] = ()
    ) -> list[tuple[str, str]]:
        """The API's `filter` parameters: one, none, or one for each star."""
        conditions: list[str] = []
        if self.kind != ALL_KINDS and "kind" not in leave_out:
            conditions.append(f"kind={self.kind}")
        for name, (field, _) in FACETS.items():
            values: Iterable[str] = self.values(name)
            if name in leave_out:
                values = ()
            if name == "owner" and self.own:
                owners = [ref for ref in reader.own if not values or ref in values]
                values = owners or [NOBODY]
            conditions += [f"{field}={value}" for value in values]
        if not self.starred:
            return [("filter", ",".join(conditions))] if conditions else []
        kind = "" if self.kind == ALL_KINDS or "kind" in leave_out else self.kind
        return _any_of(reader.starred, kind, conditions)

    def search(self) -> list[tuple[str, str]]:
        """The API's parameters of the text filter."""
        return text_params(self.text, TEXT_FIELDS)

    def order(self) -> tuple[str, str]:
        """The API's parameter of the order."""
        direction = "desc" if self.sort.startswith("-") else "asc"
        return ("orderField", f"{SORTS[self.sort.removeprefix('-')]},{direction}")


def _any_of(
    refs: Iterable[str], kind: str, conditions: Sequence[str]
) -> list[tuple[str, str]]:
    """A filter for each ref, with all the rest; of none, one that nothing matches."""
    rest = [text for text in conditions if not text.startswith("kind=")]
    filters = []
    for ref in refs:
        of_kind, namespace, name = split_ref(ref)
        if not kind or kind == of_kind:
            names = [f"metadata.namespace={namespace}", f"metadata.name={name}"]
            filters.append(("filter", ",".join([f"kind={of_kind}", *names, *rest])))
    return filters or [("filter", f"relations.ownedBy={NOBODY}")]


def facet_of(
    name: str,
    values: Iterable[Mapping[str, Any]],
    query: CatalogQuery,
    summaries: Mapping[str, Summary],
    *,
    total: int,
    find: str,
    text: str,
) -> Facet:
    """One facet as it is shown: the values with the most entities, by label.

    Counts are left out while a text narrows the list: the API counts without it.
    `total` says how many values there are, `find` is the address that searches them,
    `text` what they are searched for.
    """
    chosen = query.values(name)
    counts = {str(item["value"]): int(item["count"]) for item in values}
    ranked = sorted(counts, key=lambda value: -counts[value])[:CHOICES_SHOWN]
    offered = {*ranked, *chosen}
    choices = [
        FacetChoice(
            value,
            ref_label(value, summaries) if name in REF_FACETS else value,
            None if query.text else counts.get(value),
            chosen=value in chosen,
        )
        for value in offered
    ]
    choices.sort(key=lambda choice: choice.label.lower())
    return Facet(
        name,
        FACETS[name][1],
        tuple(choices),
        total=max(total, len(choices)),
        find=find,
        text=text,
    )


def ref_label(ref: str, summaries: Mapping[str, Summary]) -> str:
    """An owner or system as a facet shows it; people are marked as such."""
    summary = summaries.get(ref.lower())
    label = summary.title if summary else ref_title(ref)
    return f"{label} (person)" if split_ref(ref)[0] == "user" else label


def _whole_ref(text: str, default_kind: str) -> str:
    """The canonical ref that a text of an address means; of none, the text."""
    try:
        return str(parse_ref(text, default_kind=default_kind))
    except Invalid:
        return text


def _ticked_values(
    values_by_name: Mapping[str, list[str]],
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The values of each facet that an address ticks, up to the bound."""
    pairs = []
    left = MOST_TICKED
    for name in FACETS:
        texts = values_by_name.get(name, [])
        if name in REF_FACETS:
            texts = [_whole_ref(text, REF_FACETS[name]) for text in texts]
        values = tuple(dict.fromkeys(texts))[:left]
        left -= len(values)
        if values:
            pairs.append((name, values))
    return tuple(pairs)
