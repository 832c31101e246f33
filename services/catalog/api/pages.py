"""Lists of entities: `/entities` and `/entities/by-query`."""

import base64
from collections.abc import Mapping
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.requests import Request

from services.catalog.api.parameters import (
    DIRECTIONS,
    Parameters,
    body_of,
    in_range,
    parse_order_fields,
    parse_orders,
    strings,
    text,
    whole_number,
)
from services.catalog.api.reading import (
    FinishedResponse,
    Reads,
    Sent,
    array,
    begin,
    get,
    post,
)
from services.catalog.query.cursors import Cursor, decode_cursor
from services.catalog.query.fields import parse_fields
from services.catalog.query.filters import parse_filters
from services.catalog.query.listing import DEFAULT_LIMIT, ListRequest, page_of
from services.catalog.query.ordering import OrderField, all_in_order, check_orders
from services.catalog.query.scopes import ReaderScope
from services.catalog.query.selection import select
from shared.contracts.errors import CallboardError, Invalid
from shared.guards.json_text import load_json

DEFAULT_ENTITIES_LIMIT = 20
COUNTING = {None: True, "include": True, "exclude": False}


async def by_query(request: Request) -> Sent:
    """GET `/entities/by-query`: a page, its total, and cursors to its neighbours."""
    reads, scope = await begin(request)
    key = ("by-query", request.scope["query_string"], scope.key)
    known = reads.answers.find(key)
    if known is not None:
        return reads.answer(known)
    sent = await _page(reads, _list_request(Parameters(key[1])), scope)
    if isinstance(sent, FinishedResponse):
        reads.answers.keep(key, sent)
    return sent


async def by_query_body(request: Request) -> Sent:
    """POST `/entities/by-query`: the same, asked with a predicate."""
    reads, scope = await begin(request)
    body = await body_of(request)
    return await _page(reads, _list_request_in_body(body), scope)


async def entities(request: Request) -> Sent:
    """GET `/entities`: an array of all that match, or a page with a `Link` onward."""
    reads, scope = await begin(request)
    query = request.scope["query_string"]
    asked = Parameters(query)
    limit, offset = _window(asked)
    orders, fields = parse_orders(asked.all("order")), asked.fields()
    check_orders(orders)
    found = select(reads.model, parse_filters(asked.all("filter")), scope)
    ids = all_in_order(reads.model, found, orders, skip=offset)
    records = list(reads.model.existing(islice(ids, limit)))
    sent = await array(reads, records, fields, scope)
    if limit is not None and offset + limit < len(found):
        sent.headers.append((b"link", _link(query, limit, offset + limit)))
    return sent


async def _page(reads: Reads, listing: ListRequest, scope: ReaderScope) -> Sent:
    page = page_of(reads.model, listing, scope)
    info = {}
    if page.next_cursor:
        info["nextCursor"] = page.next_cursor
    if page.previous_cursor:
        info["prevCursor"] = page.previous_cursor
    end = b'],"totalItems":%d,"pageInfo":%b}' % (page.total, orjson.dumps(info))
    records = list(reads.model.existing(page.ids))
    return await array(
        reads, records, listing.fields, scope, around=(b'{"items":[', end)
    )


def _list_request(asked: Parameters) -> ListRequest:
    counting = asked.one("totalItems")
    if counting not in COUNTING:
        raise Invalid("request/query/totalItems must be include or exclude")
    limit = asked.number("limit")
    return ListRequest(
        filters=tuple(asked.all("filter")),
        orders=parse_order_fields(asked.all("orderField")),
        term=asked.one("fullTextFilterTerm") or "",
        term_fields=asked.pieces("fullTextFilterFields"),
        fields=asked.fields(),
        limit=DEFAULT_LIMIT if limit is None else limit,
        offset=asked.number("offset") or 0,
        cursor=_cursor(asked.one("cursor")),
        counted=COUNTING[counting],
    )


def _list_request_in_body(body: Mapping[str, Any]) -> ListRequest:
    counting = text(body, "totalItems")
    if counting not in COUNTING:
        raise Invalid("request/body/totalItems must be include or exclude")
    full_text = body.get("fullTextFilter") or {}
    if not isinstance(full_text, dict):
        raise Invalid("request/body/fullTextFilter must be object")
    query = body.get("query")
    if query is not None and not isinstance(query, dict):
        raise Invalid("request/body/query must be object")
    limit = whole_number(body, "limit")
    return ListRequest(
        query=query,
        orders=_order_by(body.get("orderBy")),
        term=text(full_text, "term", "request/body/fullTextFilter") or "",
        term_fields=tuple(strings(full_text, "fields")),
        fields=parse_fields(strings(body, "fields")),
        limit=DEFAULT_LIMIT if limit is None else limit,
        offset=whole_number(body, "offset") or 0,
        cursor=_cursor(text(body, "cursor")),
        counted=COUNTING[counting],
    )


def _order_by(given: object) -> tuple[OrderField, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise Invalid("request/body/orderBy must be array")
    found = []
    for index, item in enumerate(given):
        where = f"request/body/orderBy/{index}"
        field = item.get("field") if isinstance(item, dict) else None
        if not isinstance(field, str) or not field:
            raise Invalid(f"{where} must have required property 'field'")
        order = item.get("order", "asc")
        if not isinstance(order, str) or order not in DIRECTIONS:
            raise Invalid(f"{where}/order must be asc or desc")
        found.append(OrderField(field, DIRECTIONS[order]))
    return tuple(found)


def _cursor(given: str | None) -> Cursor | None:
    return None if given is None else decode_cursor(given)


def _window(asked: Parameters) -> tuple[int | None, int]:
    """Limit and offset of `/entities`; `after` holds both."""
    limit = asked.number("limit", least=1)
    offset = asked.number("offset")
    after = asked.one("after")
    if after is None:
        if limit is None and offset is not None:
            limit = DEFAULT_ENTITIES_LIMIT
        return limit, offset or 0
    told = _after(after)
    return (told[0] if limit is None else limit), told[1]


def _after(given: str) -> tuple[int, int]:
    try:
        data = base64.b64decode(given + "=" * (-len(given) % 4))
        told = load_json(data, label="after")
        limit, offset = told["limit"], told["offset"]
    except (ValueError, TypeError, KeyError, CallboardError) as error:
        raise Invalid("Malformed after cursor, could not be parsed") from error
    if not isinstance(limit, int) or not isinstance(offset, int):
        raise Invalid("Malformed after cursor, limit and offset must be numbers")
    return in_range(limit, "after/limit", 1), in_range(offset, "after/offset")


def _link(query: bytes, limit: int, offset: int) -> bytes:
    """The next page's address, relative to the catalog's root as Backstage's is."""
    kept = [
        (name, value)
        for name, value in parse_qsl(query.decode(errors="replace"))
        if name not in {"after", "offset"}
    ]
    after = base64.b64encode(orjson.dumps({"limit": limit, "offset": offset}))
    target = urlencode([*kept, ("after", after.decode())])
    return f'</entities?{target}>; rel="next"'.encode()


routes = [
    get("/entities", entities),
    get("/entities/by-query", by_query),
    post("/entities/by-query", by_query_body),
]
