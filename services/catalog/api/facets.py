"""`/entity-facets`: how often the values of fields occur."""

import asyncio
from collections.abc import Sequence

import orjson
from starlette.requests import Request

from services.catalog.api.models import FacetsQuery, FacetsRequest
from services.catalog.api.parameters import query_as
from services.catalog.api.reading import FinishedResponse, ReadResponse, begin, reads_of
from services.catalog.query.criteria import EVERYTHING, Criterion
from services.catalog.query.facets import (
    FacetCounts,
    FacetValues,
    Narrowing,
    distinct_names,
    facets_of,
)
from services.catalog.query.filters import parse_filters
from services.catalog.query.predicates import parse_predicate
from shared.guards.workers import run_beside
from shared.kit.http.apps import caller_of
from shared.kit.http.bodies import body_as

LONGEST_TEXT = 100


async def facets(request: Request) -> ReadResponse:
    """How often the values of fields occur among the entities that match."""
    reads, scope = await begin(request)
    key = ("facets", request.scope["query_string"], scope.key)
    body = reads.answers.find(key)
    if body is not None:
        return reads.answer(body)
    query = query_as(key[1], FacetsQuery)
    criterion = parse_filters(query.filter)
    answer = await _count(request, query.facet, criterion, _narrowing(query))
    reads.answers.keep(key, answer)
    return answer


def _narrowing(query: FacetsQuery) -> Narrowing | None:
    """The narrowing by `valueText` and `valueLimit`; None without them (Backstage)."""
    text, limit = query.value_text.strip(), query.value_limit
    return None if limit is None and not text else Narrowing(text[:LONGEST_TEXT], limit)


async def by_body(request: Request) -> ReadResponse:
    """How often the values of fields occur among the entities that meet a predicate."""
    await begin(request)
    body = await body_as(request, FacetsRequest)
    criterion = EVERYTHING if body.query is None else parse_predicate(body.query)
    return await _count(request, body.facets, criterion, None)


async def _count(
    request: Request,
    names: Sequence[str],
    criterion: Criterion,
    narrowing: Narrowing | None,
) -> FinishedResponse:
    """The answer, in which others have their turn after each facet.

    It reflects the revision of its first facet; what comes meanwhile may be in others.
    """
    reads, principal = reads_of(request), caller_of(request)
    names, first_revision = distinct_names(names), str(reads.model.revision)
    parts: list[FacetValues] = []
    revision: int | None = None
    for name in names:
        if reads.model.revision.value != revision:
            # What the reader may see may have changed in between.
            revision = reads.model.revision.value
            counts = FacetCounts(reads.model, criterion, reads.scope(principal))
        parts.append(counts.of(name, narrowing or Narrowing()))
        await asyncio.sleep(0)
    body = await run_beside(_body, names, parts, with_totals=narrowing is not None)
    return reads.answer(body, first_revision)


def _body(
    names: Sequence[str], parts: Sequence[FacetValues], *, with_totals: bool
) -> bytes:
    facets = facets_of(names, parts)
    totals = {"totals": facets.totals} if with_totals else {}
    return orjson.dumps({"facets": facets.values, **totals})
