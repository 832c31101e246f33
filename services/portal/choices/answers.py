"""Finds the choices for a combobox: at most a screenful, and how many there are.

Every request to the catalog is bounded and sent with the reader's own token.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.portal.api_paths import (
    BY_QUERY,
    ENTITY_FACETS,
    by_name_params,
    text_params,
)
from services.portal.choices.query import ChoiceQuery
from services.portal.entities import (
    entities_of,
    kind_word,
    ref_title,
    split_ref,
    title_of,
)
from services.portal.visit import Visit, gather
from shared.contracts.errors import Invalid
from shared.guards.addresses import split_address

MOST_CHOICES = 20
MOST_OWN = 8
#: Many sources lie in one repository, and many repositories belong to one owner.
MOST_SOURCES = 500
FIELDS = "kind,metadata.name,metadata.namespace,metadata.title,spec.profile,spec.target"
TEXT_FIELDS = "metadata.name,metadata.title,spec.profile.displayName"
SOURCE = "metadata.annotations.backstage.io/source-location"
TAGS = "metadata.tags"
OWNERS = frozenset({"group", "user"})
#: Which part of the path of a source's address is asked for.
REPOSITORY_PARTS = {"repository-owners": 0, "repositories": 1}


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """One choice: `value` goes into the form, `about` tells it from its namesakes."""

    value: str
    label: str
    about: str = ""
    own: bool = False


@dataclass(frozen=True, slots=True)
class Choices:
    """What is shown of all that fits; `total` counts those too that are not shown."""

    items: Sequence[FieldChoice]
    total: int


async def choices_for(visit: Visit, query: ChoiceQuery) -> Choices:
    """The choices for one query."""
    if query.choice_type == "tags":
        return await _values(visit, query, TAGS)
    if query.choice_type in REPOSITORY_PARTS:
        return await _repository_parts(visit, query)
    if query.choice_type == "groups":
        return await _own_groups(visit, query)
    return await _entities(visit, query)


async def _entities(visit: Visit, query: ChoiceQuery) -> Choices:
    """Entities with exactly the typed name, the reader's own, and the first of all."""
    own = [ref for ref in visit.visitor.ownership if "," not in ref]
    if query.owned:
        query = _with(query, [f"relations.ownedBy={ref}" for ref in own])
        own = own if query.filters else []
        if not own:
            return Choices((), 0)
    exact_matches, own_teams, owned, page = await gather(
        _exact_matches(visit, query),
        _reader_and_teams(visit, query, own),
        _owned_choices(visit, query, own),
        _page(visit, query, MOST_CHOICES),
    )
    choices = [
        *exact_matches,
        *own_teams[:MOST_OWN],
        *owned[:MOST_OWN],
        *_choices(page["items"]),
    ]
    own_values = {item.value for item in (*own_teams, *owned)}
    items = {
        item.value: replace(item, own=item.value in own_values) for item in choices
    }
    return Choices(list(items.values())[:MOST_CHOICES], int(page["totalItems"]))


async def _exact_matches(visit: Visit, query: ChoiceQuery) -> list[FieldChoice]:
    """Entities with exactly the typed name, which may stand far down the list."""
    name = query.name_term
    if not name or "," in name or "=" in name or _names(query, "metadata.name"):
        return []
    exact_query = replace(_with(query, [f"metadata.name={name}"]), term="")
    return _choices((await _page(visit, exact_query, MOST_OWN))["items"])


async def _reader_and_teams(
    visit: Visit, query: ChoiceQuery, own: Sequence[str]
) -> list[FieldChoice]:
    """The reader and the reader's groups, where the field offers people or groups."""
    kinds = query.kinds
    if not own or (kinds and not kinds & OWNERS) or _names(query, "metadata.name"):
        return []
    names = dict.fromkeys(split_ref(ref)[2] for ref in own)
    team_query = _with(query, [f"metadata.name={name}" for name in names])
    items = (await _page(visit, team_query, MOST_CHOICES))["items"]
    own_refs = frozenset(own)
    return [
        replace(item, own=True) for item in _choices(items) if item.value in own_refs
    ]


async def _owned_choices(
    visit: Visit, query: ChoiceQuery, own: Sequence[str]
) -> list[FieldChoice]:
    """What belongs to the reader or their teams."""
    kinds = query.kinds
    owners_only = bool(kinds) and kinds <= OWNERS
    if not own or owners_only or _names(query, "relations.ownedby"):
        return []
    owned_query = _with(query, [f"relations.ownedBy={ref}" for ref in own])
    items = (await _page(visit, owned_query, MOST_OWN))["items"]
    return [replace(item, own=True) for item in _choices(items)]


def _names(query: ChoiceQuery, key: str) -> bool:
    """Whether a filter has a condition on a key: a second one would widen it."""
    return any(
        part.partition("=")[0].strip().lower() == key
        for text in query.filters
        for part in text.split(",")
    )


def _with(query: ChoiceQuery, statements: Iterable[str]) -> ChoiceQuery:
    """The query with conditions on one key added to each filter."""
    more = ",".join(statements)
    if not more:
        return replace(query, filters=())
    filters = tuple(f"{filter_text},{more}" for filter_text in query.filters) or (more,)
    return replace(query, filters=filters)


async def _page(visit: Visit, query: ChoiceQuery, limit: int) -> Any:
    params = by_name_params(*query.filters, fields=FIELDS, limit=limit)
    text = text_params(query.name_term, TEXT_FIELDS)
    return await visit.get(BY_QUERY, params + text)


def _choices(items: Iterable[Mapping[str, Any] | None]) -> list[FieldChoice]:
    return [
        FieldChoice(ref, title_of(entity), f"{kind_word(kind)} · {ref_title(ref)}")
        for entity in entities_of(items)
        for ref in [str(entity.ref)]
        for kind in [split_ref(ref)[0]]
    ]


async def _own_groups(visit: Visit, query: ChoiceQuery) -> Choices:
    groups = [ref for ref in visit.visitor.ownership if ref.startswith("group:")]
    names = await visit.summaries(groups)
    text = query.name_term.lower()
    choices = [
        FieldChoice(
            ref, summary.title, f"{summary.kind} · {split_ref(ref)[2]}", own=True
        )
        for ref, summary in names.items()
        if text in summary.title.lower() or text in split_ref(ref)[2]
    ]
    choices.sort(key=lambda choice: choice.label.lower())
    return Choices(choices[:MOST_CHOICES], len(choices))


async def _values(visit: Visit, query: ChoiceQuery, field: str) -> Choices:
    """The most frequent values of a field that contain the text."""
    answer = await visit.get(ENTITY_FACETS, _value_params(query, field))
    values = sorted(answer["facets"].get(field, ()), key=lambda item: -item["count"])
    items = [
        FieldChoice(
            str(item["value"]), str(item["value"]), f"used {item['count']:,} times"
        )
        for item in values[:MOST_CHOICES]
    ]
    return Choices(items, int(answer.get("totals", {}).get(field, len(values))))


def _value_params(
    query: ChoiceQuery, field: str, limit: int = MOST_CHOICES
) -> list[tuple[str, str]]:
    return [
        ("facet", field),
        *(("filter", filter_text) for filter_text in query.filters),
        *([("valueText", query.term)] if query.term else ()),
        ("valueLimit", str(limit)),
    ]


async def _repository_parts(visit: Visit, query: ChoiceQuery) -> Choices:
    """Names or owners of the repositories that entities come from."""
    answer = await visit.get(ENTITY_FACETS, _value_params(query, SOURCE, MOST_SOURCES))
    place = REPOSITORY_PARTS[query.choice_type]
    choices: dict[str, FieldChoice] = {}
    for item in answer["facets"].get(SOURCE, ()):
        try:
            url = split_address(str(item["value"]).removeprefix("url:"))
        except Invalid:
            continue
        parts = [part for part in url.path.split("/") if part][:2]
        if len(parts) > place:
            name = parts[place].removesuffix(".git")
            about = "/".join([url.netloc, *parts[:place]])
            choices.setdefault(name, FieldChoice(name, name, about))
    return Choices(list(choices.values())[:MOST_CHOICES], len(choices))
