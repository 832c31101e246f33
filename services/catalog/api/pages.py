"""Lists of entities: `/entities` and `/entities/by-query`."""

import base64
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.requests import Request

from services.catalog.api.models import (
    Count,
    EntityListQuery,
    EntityPageQuery,
    EntityPageRequest,
    FullTextFilter,
    Limit,
)
from services.catalog.api.parameters import (
    DIRECTIONS,
    parse_order_fields,
    parse_orders,
    query_as,
)
from services.catalog.api.reading import (
    FinishedResponse,
    ReadResponse,
    Reads,
    array,
    begin,
)
from services.catalog.query.cursors import Cursor, decode_cursor
from services.catalog.query.fields import parse_fields
from services.catalog.query.filters import parse_filters
from services.catalog.query.listing import DEFAULT_LIMIT, ListRequest, page_of
from services.catalog.query.ordering import (
    OrderField,
    all_in_order,
    indexes_in_turns,
    take,
)
from services.catalog.query.scopes import ReaderScope
from services.catalog.query.selection import select
from shared.contracts.errors import CallboardError, Invalid
from shared.guards.json_text import load_json
from shared.kit.http.bodies import body_as
from shared.kit.http.models import RequestModel

DEFAULT_ENTITIES_LIMIT = 20


class _PageAfter(RequestModel):
    """What `after` holds."""

    limit: Limit
    offset: Count


async def by_query(request: Request) -> ReadResponse:
    """A page of entities, their total, and cursors to its neighbours."""
    reads, scope = await begin(request)
    key = ("by-query", request.scope["query_string"], scope.key)
    body = reads.answers.find(key)
    if body is not None:
        return reads.answer(body)
    response = await _page(
        reads, _list_request(query_as(key[1], EntityPageQuery)), scope
    )
    # What the caller may see may have changed while others had their turn.
    if isinstance(response, FinishedResponse) and reads.renew(scope).key == scope.key:
        reads.answers.keep(key, response)
    return response


async def by_body(request: Request) -> ReadResponse:
    """A page of entities that meet a predicate."""
    reads, scope = await begin(request)
    body = await body_as(request, EntityPageRequest)
    return await _page(reads, _list_request_in_body(body), scope)


async def entities(request: Request) -> ReadResponse:
    """All entities that match; with `limit` a page whose Link header leads onward."""
    reads, scope = await begin(request)
    text = request.scope["query_string"]
    key = ("entities", text, scope.key)
    body = reads.answers.find(key)
    if body is not None:
        return reads.answer(body)
    query = query_as(text, EntityListQuery)
    limit, offset = _window(query)
    orders, fields = parse_orders(query.order), parse_fields(query.fields)
    criterion = parse_filters(query.filter)
    indexes = await indexes_in_turns(reads.model, orders)
    scope, revision = reads.renew(scope), str(reads.model.revision)
    matching_ids = select(reads.model, criterion, scope).copy()
    # Ids are given again while others have their turn.
    in_slices = len(orders) > 1
    all_records = list(reads.model.records) if in_slices else reads.model.records
    steps = all_in_order(indexes, matching_ids, orders, skip=offset)
    ids = await take(steps, limit, in_slices=in_slices)
    records = [record for entity in ids if (record := all_records[entity]) is not None]
    response = await array(reads, records, fields, scope, revision=revision)
    if limit is not None and offset + limit < len(matching_ids):
        response.headers.append((b"link", _link(text, limit, offset + limit)))
    elif isinstance(response, FinishedResponse) and reads.renew(scope).key == key[2]:
        # Only a body is remembered, so none that has a link.
        reads.answers.keep(key, response)
    return response


async def _page(reads: Reads, listing: ListRequest, scope: ReaderScope) -> ReadResponse:
    indexes = await indexes_in_turns(reads.model, listing.sort_fields)
    scope, revision = reads.renew(scope), str(reads.model.revision)
    page = await page_of(reads.model, listing, scope, indexes)
    page_info = {}
    if page.next_cursor:
        page_info["nextCursor"] = page.next_cursor
    if page.previous_cursor:
        page_info["prevCursor"] = page.previous_cursor
    end = b'],"totalItems":%d,"pageInfo":%b}' % (page.total, orjson.dumps(page_info))
    return await array(
        reads,
        page.records,
        listing.fields,
        scope,
        around=(b'{"items":[', end),
        revision=revision,
    )


def _list_request(query: EntityPageQuery) -> ListRequest:
    return ListRequest(
        filters=tuple(query.filter),
        orders=parse_order_fields(query.order_field),
        term=query.full_text_filter_term,
        term_fields=tuple(query.full_text_filter_fields),
        fields=parse_fields(query.fields),
        limit=DEFAULT_LIMIT if query.limit is None else query.limit,
        offset=query.offset,
        cursor=_cursor(query.cursor),
        is_counted=query.total_items == "include",
    )


def _list_request_in_body(body: EntityPageRequest) -> ListRequest:
    text = body.full_text_filter or FullTextFilter()
    return ListRequest(
        query=body.query,
        orders=tuple(
            OrderField(order_field.field, DIRECTIONS[order_field.order])
            for order_field in body.order_by or ()
        ),
        term=text.term or "",
        term_fields=tuple(text.fields),
        fields=parse_fields(body.fields),
        limit=DEFAULT_LIMIT if body.limit is None else body.limit,
        offset=body.offset or 0,
        cursor=_cursor(body.cursor),
        is_counted=body.total_items != "exclude",
    )


def _cursor(text: str | None) -> Cursor | None:
    return None if text is None else decode_cursor(text)


def _window(query: EntityListQuery) -> tuple[int | None, int]:
    """Limit and offset of `/entities`; `after` holds both."""
    if query.after is not None:
        page = _page_after(query.after)
        return query.limit or page.limit, page.offset
    if query.limit is None and query.offset is not None:
        return DEFAULT_ENTITIES_LIMIT, query.offset
    return query.limit, query.offset or 0


def _page_after(text: str) -> _PageAfter:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4))
        return _PageAfter.model_validate(load_json(data, label="after"))
    except (ValueError, CallboardError) as error:
        raise Invalid("Malformed after cursor, could not be parsed") from error


def _link(query: bytes, limit: int, offset: int) -> bytes:
    """The next page's address, relative to the catalog's root as Backstage's is."""
    parameters = [
        (name, value)
        for name, value in parse_qsl(query.decode(errors="replace"))
        if name not in {"after", "offset"}
    ]
    after = base64.b64encode(orjson.dumps({"limit": limit, "offset": offset}))
    target = urlencode([*parameters, ("after", after.decode())])
    return f'</entities?{target}>; rel="next"'.encode()
