"""One page of a listing: which entities, how many in all, and where to go on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyroaring import BitMap

from services.catalog.query.criteria import EVERYTHING, AllOf, Criterion, Mentions
from services.catalog.query.cursors import Cursor
from services.catalog.query.effort import check_length, check_texts
from services.catalog.query.filters import parse_filters
from services.catalog.query.ordering import (
    Indexes,
    OrderField,
    having_first,
    ids_of,
    in_order,
    place_of,
    take,
)
from services.catalog.query.predicates import Predicate, parse_predicate
from services.catalog.query.scopes import ReaderScope
from services.catalog.query.selection import select
from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.records import EntityRecord

DEFAULT_LIMIT = 200
"""Entities of a page when no limit is given (catalog-backend's code, not its docs)."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A requested listing; a `cursor` replaces all fields but limit and fields."""

    filters: tuple[str, ...] = ()
    query: Predicate | None = None
    orders: tuple[OrderField, ...] = ()
    term: str = ""
    term_fields: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: Cursor | None = None
    is_counted: bool = True

    @property
    def sort_fields(self) -> tuple[OrderField, ...]:
        """The fields to sort by: a cursor has its own."""
        return self.orders if self.cursor is None else self.cursor.orders


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page's entities in order; `total` is 0 when it was not to be counted."""

    records: Sequence[EntityRecord]
    total: int
    next_cursor: str | None
    previous_cursor: str | None


async def page_of(
    model: ReadModel, listing: ListRequest, scope: ReaderScope, indexes: Indexes
) -> ListPage:
    """The page that a listing asks for, by the indexes of its `sort_fields`.

    It is of one moment; by several fields it takes turns with others.
    """
    start = listing.cursor or _beginning(listing)
    within = _entities(model, start, scope)
    total = len(within) if listing.is_counted else 0
    if not listing.limit:
        return ListPage((), total, None, None)
    # Ids are given again and sets change while others have their turn.
    in_slices = len(start.orders) > 1
    records = list(model.records) if in_slices else model.records
    within = within.copy() if in_slices else within
    steps = in_order(
        indexes,
        within,
        start.orders,
        after=start.place if listing.cursor else None,
        backwards=start.backwards,
        skip=0 if listing.cursor else listing.offset,
    )
    ids = await take(steps, listing.limit + 1, in_slices=in_slices)
    has_more = len(ids) > listing.limit
    del ids[listing.limit :]
    if start.backwards:
        ids.reverse()
    has_next, has_previous = _ends(indexes, within, start, ids, has_more=has_more)
    if listing.cursor is None:
        has_previous = False
    return ListPage(
        [record for entity in ids if (record := records[entity]) is not None],
        total,
        _cursor(indexes, start, ids[-1], backwards=False) if has_next else None,
        _cursor(indexes, start, ids[0], backwards=True) if has_previous else None,
    )


def _beginning(listing: ListRequest) -> Cursor:
    return Cursor(
        orders=listing.orders,
        place=((), ""),
        backwards=False,
        filters=listing.filters,
        query=listing.query,
        term=listing.term.strip(),
        term_fields=listing.term_fields,
    )


def _entities(model: ReadModel, start: Cursor, scope: ReaderScope) -> BitMap:
    entities = select(model, _criterion(start), scope)
    return having_first(model, entities, start.orders)


def _criterion(start: Cursor) -> Criterion:
    parts = []
    if start.filters:
        parts.append(parse_filters(start.filters))
    if start.query is not None:
        parts.append(parse_predicate(start.query))
    if start.term:
        check_length(start.term, "fullTextFilter.term")
        for field in start.term_fields:
            check_length(field, "fullTextFilterFields: a field")
        mentions = Mentions(_searched(start), start.term.lower())
        check_texts(mentions, "fullTextFilterFields")
        parts.append(mentions)
    if not parts:
        return EVERYTHING
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _searched(start: Cursor) -> tuple[str, ...]:
    """The fields a term is looked for in: named, else the order's, else the uid."""
    if start.term_fields:
        return tuple(field.lower() for field in start.term_fields)
    return (start.orders[0].path,) if start.orders else ("metadata.uid",)


def _ends(
    indexes: Indexes,
    within: BitMap,
    start: Cursor,
    ids: Sequence[int],
    *,
    has_more: bool,
) -> tuple[bool, bool]:
    """Whether there is anything behind the page, and before it."""
    if not ids:
        return False, False
    if start.backwards:
        return _any_beyond(indexes, within, start, ids[-1], backwards=False), has_more
    if start.place == ((), ""):
        return has_more, False
    return has_more, _any_beyond(indexes, within, start, ids[0], backwards=True)


def _any_beyond(
    indexes: Indexes, within: BitMap, start: Cursor, entity: int, *, backwards: bool
) -> bool:
    place = place_of(indexes, entity, start.orders)
    ids_beyond = in_order(
        indexes, within, start.orders, after=place, backwards=backwards
    )
    return next(ids_of(ids_beyond), None) is not None


def _cursor(indexes: Indexes, start: Cursor, entity: int, *, backwards: bool) -> str:
    place = place_of(indexes, entity, start.orders)
    return replace(start, place=place, backwards=backwards).encode()
