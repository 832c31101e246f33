"""`/entity-facets`: how often the values of fields occur."""

import orjson
from starlette.requests import Request

from services.catalog.api.parameters import Parameters, body_of, predicate, strings
from services.catalog.api.reading import Sent, begin, get, post
from services.catalog.query.facets import count_facets
from services.catalog.query.filters import parse_filters
from shared.contracts.errors import Invalid


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
        found = count_facets(reads.model, names, criterion, scope)
        body = orjson.dumps({"facets": found})
        reads.answers.keep(key, body)
    return reads.answer(body)


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
