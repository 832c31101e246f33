"""The catalog: a list that narrows as the reader types, with its state in the address.

Without scripts it is a form with a button; with htmx each change swaps the part.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.api_paths import BY_QUERY, ENTITY_FACETS
from services.portal.catalog_query import (
    ALL_KINDS,
    PAGE_SIZE,
    SORTS,
    CatalogQuery,
    Reader,
)
from services.portal.entities import (
    KINDS,
    SPEC_FIELDS,
    Summary,
    entities_of,
    errors_of,
    kind_plural,
    spec_ref,
    summary_of,
)
from services.portal.pages.catalog_facets import (
    count_facets,
    facet_shown,
    offered_refs,
    reader_of,
    search_texts,
)
from services.portal.tables import Column, Facet, Paging
from services.portal.visit import Visit, Visiting, gather
from shared.contracts.entity import Entity

ROW_FIELDS = (
    "kind,metadata.name,metadata.namespace,metadata.title,metadata.description,"
    "metadata.tags,spec.type,spec.lifecycle,spec.owner,spec.system,spec.profile,"
    "spec.target,status"
)
HEADS = {
    "name": "Name",
    "owner": "Owner",
    "system": "System",
    "type": "Type",
    "lifecycle": "Lifecycle",
}
#: Columns that entities of a kind have no field for (Backstage's descriptor format).
NO_COLUMNS = {
    "user": {"owner", "system", "type", "lifecycle"},
    "group": {"owner", "system", "lifecycle"},
    "location": {"owner", "system", "lifecycle"},
    "domain": {"system", "lifecycle"},
    "system": {"system", "lifecycle"},
    "resource": {"lifecycle"},
}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """A line of the list."""

    summary: Summary
    owner: Summary | None
    system: Summary | None
    tags: tuple[str, ...]
    errors: int


@dataclass(frozen=True, slots=True)
class KindTab:
    """One kind above the list, with how many match."""

    key: str
    label: str
    href: str
    count: int | None
    current: bool


@router.get("/catalog")
async def catalog(visit: Visiting) -> Response:
    """The list; of htmx only the part that changes."""
    query = CatalogQuery.of(visit.request.query_params.multi_items())
    reader, texts = await reader_of(visit, query), search_texts(visit)
    answer, kinds, values, in_all = await gather(
        visit.get(BY_QUERY, list_params(query, reader)),
        _kinds(visit, query, reader),
        count_facets(visit, query, reader, texts),
        _count(visit, query, reader),
    )
    entities = entities_of(answer["items"])
    refs = [*_mentioned_refs(entities), *offered_refs(values, query)]
    summaries = await visit.summaries(refs)
    facets = [
        facet_shown(name, offered, query, summaries, texts[name])
        for name, offered in values.items()
    ]
    response = visit.page(
        "catalog.html",
        title="Catalog",
        nav="catalog",
        block="part" if visit.partial == "catalog" else None,
        query=query,
        rows=_rows(entities, summaries),
        kinds=kinds,
        facets=facets,
        fields=_fields(query),
        columns=_columns(query),
        paging=_paging(query, answer["totalItems"]),
        left_out=max(0, in_all - answer["totalItems"]),
        chosen=_chosen(query, facets),
    )
    response.headers["hx-push-url"] = query.address()
    return response


def list_params(
    query: CatalogQuery, reader: Reader, *, limit: int = PAGE_SIZE
) -> list[tuple[str, str]]:
    """What the API is asked for one page of the list."""
    return [
        *query.statements(reader),
        *query.search(),
        query.order(),
        ("fields", ROW_FIELDS),
        ("limit", str(limit)),
        ("offset", str((query.page - 1) * limit)),
    ]


async def _count(visit: Visit, query: CatalogQuery, reader: Reader) -> int:
    """How many match at all: an order leaves out what lacks its field."""
    if query.sort.removeprefix("-") == "name":
        return 0
    statements = query.statements(reader)
    answer = await visit.get(
        BY_QUERY, [*statements, *query.search(), ("limit", "0"), ("fields", "kind")]
    )
    return int(answer["totalItems"])


async def _kinds(visit: Visit, query: CatalogQuery, reader: Reader) -> list[KindTab]:
    """The tabs, each with what its list holds: another kind's begins without types."""
    free, typed = await gather(
        _by_kind(visit, query.statements(reader, leave_out=("kind", "type"))),
        _by_kind(visit, query.statements(reader, leave_out=("kind",)))
        if query.values("type")
        else _no_counts(),
    )
    narrowed = typed if query.values("type") else free
    counts = {**free, query.kind: narrowed.get(query.kind, 0)}
    counts[ALL_KINDS] = sum(narrowed.values())
    ranks = {kind: rank for rank, kind in enumerate((ALL_KINDS, *KINDS))}
    return [
        KindTab(
            kind,
            "All" if kind == ALL_KINDS else kind_plural(kind),
            query.of_kind(kind).address(),
            None if query.text else counts[kind],
            current=kind == query.kind,
        )
        for kind in sorted(counts, key=lambda kind: ranks.get(kind, len(ranks)))
    ]


async def _by_kind(
    visit: Visit, statements: Sequence[tuple[str, str]]
) -> dict[str, int]:
    answer = await visit.get(ENTITY_FACETS, [*statements, ("facet", "kind")])
    return {
        str(item["value"]).lower(): int(item["count"])
        for item in answer["facets"]["kind"]
    }


async def _no_counts() -> dict[str, int]:
    return {}


def _mentioned_refs(entities: Iterable[Entity]) -> list[str]:
    """Owners and systems of the rows."""
    return [
        ref
        for entity in entities
        for field, kind in SPEC_FIELDS.values()
        if (ref := spec_ref(entity, field, kind))
    ]


def _rows(
    entities: Iterable[Entity], summaries: Mapping[str, Summary]
) -> list[CatalogRow]:
    return [
        CatalogRow(
            summary_of(entity),
            summaries.get(spec_ref(entity, "owner", "group")),
            summaries.get(spec_ref(entity, "system", "system")),
            tuple(entity.tags),
            len(errors_of(entity)),
        )
        for entity in entities
    ]


def _fields(query: CatalogQuery) -> list[str]:
    """The columns of a list; the one that it is sorted by is among them."""
    absent = NO_COLUMNS.get(query.kind, set()) - {query.sort.removeprefix("-")}
    return [field for field in SORTS if field not in absent]


def _columns(query: CatalogQuery) -> list[Column]:
    name, turned = query.sort.removeprefix("-"), query.sort.startswith("-")
    direction = "descending" if turned else "ascending"
    return [
        Column(
            HEADS[field],
            query.sorted_by(field).address(),
            direction if field == name else "",
        )
        for field in _fields(query)
    ]


def _paging(query: CatalogQuery, total: int) -> Paging:
    first = (query.page - 1) * PAGE_SIZE + 1
    last = min(total, query.page * PAGE_SIZE)
    return Paging(
        first=first if total else 0,
        last=last,
        total=total,
        previous=query.at_page(query.page - 1).address() if query.page > 1 else "",
        next=query.at_page(query.page + 1).address() if last < total else "",
    )


def _chosen(query: CatalogQuery, facets: Iterable[Facet]) -> list[tuple[str, str]]:
    """The ticked values with the address that unticks each."""
    return [
        (f"{facet.label}: {choice.label}", address)
        for facet in facets
        for choice in facet.choices
        if choice.chosen
        for address in [query.without(facet.name, choice.value).address()]
    ]
