"""`/entity-facets`: how often the values of fields occur."""

import orjson
from starlette.requests import Request

from services.catalog.api.parameters import Parameters, body_of, predicate, strings
from services.catalog.api.reading import Sent, begin, get, post
from services.catalog.query.facets import Narrowing, count_facets, narrow_facets
from services.catalog.query.filters import parse_filters
from shared.contracts.errors import Invalid

LONGEST_TEXT = 100


async def facets(request: Request) -> Sent:
    """GET: facets of what the filters leave."""
    reads, scope = await begin(request)
    key = ("facets", request.scope["query_string"], scope.key)
    body = reads.answers.find(key)
    if body is None:
        asked = Parameters(key[1])
        names = asked.pieces("facet")
        if not names:
            raise Invalid("request/query must have required property 'facet'")
        criterion = parse_filters(asked.all("filter"))
        narrowing = _narrowing(asked)
        if narrowing is None:
            found = count_facets(reads.model, names, criterion, scope)
            body = orjson.dumps({"facets": found})
        else:
            some = narrow_facets(
                reads.model, names, criterion, scope, narrowing=narrowing
            )
            body = orjson.dumps({"facets": some.values, "totals": some.totals})
        reads.answers.keep(key, body)
    return reads.answer(body)


def _narrowing(asked: Parameters) -> Narrowing | None:
    """What `valueText` and `valueLimit` ask for; None without them, as in Backstage."""
    text = (asked.one("valueText") or "").strip()
    limit = asked.number("valueLimit")
    return None if limit is None and not text else Narrowing(text[:LONGEST_TEXT], limit)


async def facets_of_query(request: Request) -> Sent:
    """POST: facets of what a predicate leaves."""
    reads, scope = await begin(request)
    body = await body_of(request)
    names = strings(body, "facets", required=True)
    if not names:
        raise Invalid("request/body/facets must NOT have fewer than 1 items")
    found = count_facets(reads.model, names, predicate(body), scope)
    return reads.answer(orjson.dumps({"facets": found}))


routes = [get("/entity-facets", facets), post("/entity-facets", facets_of_query)]
