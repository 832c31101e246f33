"""The filters beside the catalog: the most frequent values, and a search over all.

The catalog counts and searches; a page never holds more than it shows.
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.api_paths import ENTITY_FACETS
from services.portal.catalog_query import (
    CHOICES_SHOWN,
    FACETS,
    LONGEST_TEXT,
    REF_FACETS,
    CatalogQuery,
    Reader,
    facet_of,
)
from services.portal.entities import split_ref
from services.portal.stars import starred_refs
from services.portal.tables import Facet
from services.portal.visit import Visit, Visiting, gather
from shared.contracts.errors import NotFound

FIND = "find."

Counts = Sequence[Mapping[str, Any]]

router = APIRouter()


@dataclass(frozen=True, slots=True)
class OfferedValues:
    """Values of one facet with their counts, and how many there are in all."""

    counts: Counts
    total: int


async def reader_of(visit: Visit, query: CatalogQuery) -> Reader:
    """Whose list it is; stars are looked up only where they matter."""
    stars = await starred_refs(visit) if query.starred else ()
    return Reader(visit.visitor.ownership, stars)


def search_texts(visit: Visit) -> dict[str, str]:
    """The text in the search box of each facet."""
    parameters = visit.request.query_params
    return {
        name: parameters.get(FIND + name, "").strip()[:LONGEST_TEXT] for name in FACETS
    }


async def count_facets(
    visit: Visit, query: CatalogQuery, reader: Reader, texts: Mapping[str, str]
) -> dict[str, OfferedValues]:
    """All facets; one with ticked values is counted as if it had none."""
    single_names = [name for name in FACETS if query.values(name) or texts[name]]
    shared_names = [name for name in FACETS if name not in single_names]
    groups = [
        group for group in (shared_names, *([name] for name in single_names)) if group
    ]
    answers = await gather(
        *(_count(visit, query, reader, group, texts[group[0]]) for group in groups)
    )
    values = ChainMap(*answers)
    return {name: values[name] for name in FACETS}


async def _count(
    visit: Visit, query: CatalogQuery, reader: Reader, names: Sequence[str], text: str
) -> dict[str, OfferedValues]:
    params = [
        *query.statements(reader, leave_out=names),
        *(("facet", FACETS[name][0]) for name in names),
        ("valueLimit", str(CHOICES_SHOWN)),
        *([("valueText", text)] if text else ()),
    ]
    answer = await visit.get(ENTITY_FACETS, params)
    facets, totals = answer["facets"], answer.get("totals", {})
    return {
        name: _offered(
            name, facets.get(FACETS[name][0], ()), totals.get(FACETS[name][0])
        )
        for name in names
    }


def _offered(name: str, counts: Counts, total: Any) -> OfferedValues:
    """The values of one facet: what contains a system or component is no system."""
    left = counts
    if name == "system":
        left = [item for item in counts if split_ref(str(item["value"]))[0] == name]
    dropped = len(counts) - len(left)
    return OfferedValues(left, int(total or len(counts)) - dropped)


def offered_refs(values: Mapping[str, OfferedValues], query: CatalogQuery) -> list[str]:
    """Owners and systems that the facets offer or that are ticked in them."""
    return [
        ref
        for name in REF_FACETS
        if name in values
        for ref in (
            *(str(item["value"]) for item in values[name].counts),
            *query.values(name),
        )
    ]


def facet_shown(
    name: str, values: OfferedValues, query: CatalogQuery, summaries: Any, text: str
) -> Facet:
    """One facet as the page shows it, with the address that searches all values."""
    return facet_of(
        name,
        values.counts,
        query,
        summaries,
        total=values.total,
        find=f"/catalog/facets/{name}",
        text=text,
    )


@router.get("/catalog/facets/{name}")
async def facet_values(name: str, visit: Visiting) -> Response:
    """The values of one facet that contain what is typed into its box."""
    if name not in FACETS:
        raise NotFound(f"No facet {name}")
    query = CatalogQuery.of(visit.request.query_params.multi_items())
    text = search_texts(visit)[name]
    reader = await reader_of(visit, query)
    values = await _count(visit, query, reader, [name], text)
    summaries = await visit.summaries(offered_refs(values, query))
    facet = facet_shown(name, values[name], query, summaries, text)
    html = visit.state.frame.fragment("components/facet-values.html", facet=facet)
    return visit.state.frame.response(html)
