"""Sorting by any number of fields, from any place on, in either direction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from pyroaring import BitMap

from services.catalog.query.effort import check_length
from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.entities import BY_REF
from services.catalog.readmodel.orders import LAST, SortIndex, SortKey
from shared.contracts.errors import Invalid
from shared.guards.turns import in_turns

Value = str | None


@dataclass(frozen=True, slots=True)
class OrderField:
    """A field to sort by, as it was requested."""

    field: str
    descending: bool = False

    @property
    def path(self) -> str:
        return self.field.lower()


MOST_ORDERS = 8
FEW_MEMBERS = 2_000
"""Groups of up to so many are sorted; walking costs a look at the whole order."""


def check_orders(fields: Sequence[OrderField]) -> None:
    """Refuse an order by too many fields, or by one that no entity can have.

    Each is sorted, and they are nested.

    Raises:
        Invalid: naming the bound.
    """
    if len(fields) > MOST_ORDERS:
        raise Invalid(f"orderField: at most {MOST_ORDERS} fields")
    for field in fields:
        check_length(field.field, "orderField: a field")


Place = tuple[Sequence[Value], str]
"""An entity's place in an order: its value of each field, and its ref."""


Indexes = Mapping[str, SortIndex]
"""The sort indexes of an order's fields by path, and the one by ref."""


def indexes_of(model: ReadModel, fields: Sequence[OrderField]) -> Indexes:
    """What an order by `fields` needs."""
    return {path: model.order(path) for path in _paths(fields)}


async def indexes_in_turns(model: ReadModel, fields: Sequence[OrderField]) -> Indexes:
    """As `indexes_of`; others get their turn where there is much to sort.

    Those of several fields are copies: the walk takes turns with changes of the model.

    Raises:
        Invalid: if there are too many fields, or one that no entity can have.
    """
    check_orders(fields)
    indexes = {path: await model.order_in_turns(path) for path in _paths(fields)}
    indexes = {path: model.order(path, index) for path, index in indexes.items()}
    if len(fields) > 1:
        return {path: index.copy() for path, index in indexes.items()}
    return indexes


def _paths(fields: Sequence[OrderField]) -> list[str]:
    return [BY_REF, *dict.fromkeys(field.path for field in fields)]


async def take(
    steps: Iterator[int | None], limit: int | None, *, in_slices: bool
) -> list[int]:
    """The first `limit` ids; others get their turn in between if it is `in_slices`."""
    if not in_slices:
        return list(islice(ids_of(steps), limit))
    ids: list[int] = []
    async for entity in in_turns(steps):
        if entity is not None:
            ids.append(entity)
            if len(ids) == limit:
                break
    return ids


def ids_of(steps: Iterator[int | None]) -> Iterator[int]:
    """The ids without the steps that only pass others over."""
    return (entity for entity in steps if entity is not None)


def having_first(
    model: ReadModel, within: BitMap, fields: Sequence[OrderField]
) -> BitMap:
    """Those that have the first field: the others are in no page of that order."""
    if not fields:
        return within
    field = model.index.fields.get(fields[0].path)
    return within & field.present if field is not None else BitMap()


def in_order(
    indexes: Indexes,
    within: BitMap,
    fields: Sequence[OrderField],
    *,
    after: Place | None = None,
    backwards: bool = False,
    skip: int = 0,
) -> Iterator[int | None]:
    """The ids in order, from behind a place on, or before it going backwards.

    Those without the first field are left out; without a later one, they come last.
    Equal ones are in the order of their refs, descending if the last field is. None
    stands for a step that passes some over.
    """
    walk = _Walk(indexes, fields, backwards=backwards)
    if fields:
        return walk.having(within, fields, after, skip)
    return walk.by_ref(within, after, skip)


def all_in_order(
    indexes: Indexes, within: BitMap, fields: Sequence[OrderField], *, skip: int = 0
) -> Iterator[int | None]:
    """As `in_order`, and those without the first field behind all others."""
    return _Walk(indexes, fields, backwards=False).every(within, fields, None, skip)


def place_of(indexes: Indexes, entity: int, fields: Sequence[OrderField]) -> Place:
    """The place of an entity in the order, for a later `in_order`."""
    values = [_value(indexes[field.path], entity) for field in fields]
    return values, _value(indexes[BY_REF], entity) or ""


def _value(order: SortIndex, entity: int) -> Value:
    return order.value(entity) if entity in order else None


class _Walk:
    """A way through entities sorted by several fields, found group by group.

    Whoever is equal in the first field is a group: a small one is sorted by the other
    fields, a large one walked by them. Groups before and after a page are not sorted.
    """

    def __init__(
        self, indexes: Indexes, fields: Sequence[OrderField], *, backwards: bool
    ) -> None:
        self._indexes = indexes
        self._backwards = backwards
        self._is_descending = bool(fields) and fields[-1].descending

    def by_ref(
        self, within: BitMap, after: Place | None, skip: int
    ) -> Iterator[int | None]:
        """The ids by ref."""
        is_reversed = self._backwards != self._is_descending
        key = None if after is None else (after[1], "")
        order = self._indexes[BY_REF]
        return order.walk(within, after=key, backwards=is_reversed, skip=skip)

    def every(
        self,
        within: BitMap,
        fields: Sequence[OrderField],
        after: Place | None,
        skip: int,
    ) -> Iterator[int | None]:
        """Those with the first field, then those without, by the other fields."""
        if not fields:
            yield from self.by_ref(within, after, skip)
            return
        with_field = within & self._indexes[fields[0].path].present()
        parts = [(with_field, True), (within - with_field, False)]
        for part, has in reversed(parts) if self._backwards else parts:
            place = None
            if after is not None:
                if has != (after[0][0] is not None):
                    continue
                place, after = after, None
            elif skip >= len(part):
                skip -= len(part)
                continue
            if has:
                yield from self.having(part, fields, place, skip)
            else:
                yield from self.every(part, fields[1:], _inner(place), skip)
            skip = 0

    def having(
        self,
        within: BitMap,
        fields: Sequence[OrderField],
        after: Place | None,
        skip: int,
    ) -> Iterator[int | None]:
        """The ids by the first field, which all of them have."""
        order = self._indexes[fields[0].path]
        is_reversed = self._backwards != fields[0].descending
        if len(fields) == 1:
            key = None if after is None else (after[0][0] or "", after[1])
            yield from order.walk(within, after=key, backwards=is_reversed, skip=skip)
            return
        edge = None
        if after is not None:
            value = after[0][0] or ""
            group = order.equal(value) & within
            yield from self.every(group, fields[1:], _inner(after), 0)
            edge = (value, "" if is_reversed else LAST)
        yield from self._groups(order, within, fields, edge, skip)

    def _groups(
        self,
        order: SortIndex,
        within: BitMap,
        fields: Sequence[OrderField],
        edge: SortKey | None,
        skip: int,
    ) -> Iterator[int | None]:
        """The ids group by group, from an edge between two groups on."""
        is_reversed = self._backwards != fields[0].descending
        while True:
            walk = order.walk(within, after=edge, backwards=is_reversed)
            for value, group in groupby(walk, key=order.value):
                ids = list(islice(group, FEW_MEMBERS + 1))
                if len(ids) > FEW_MEMBERS:
                    members = order.equal(value) & within
                    yield from self.every(members, fields[1:], None, skip)
                    skip = max(0, skip - len(members))
                    edge = (value, "" if is_reversed else LAST)
                    break
                if skip >= len(ids):
                    skip -= len(ids)
                    yield None
                    continue
                yield from self._sorted(order, ids, fields[1:])[skip:]
                skip = 0
            else:
                return

    def _sorted(
        self, order: SortIndex, ids: list[int], fields: Sequence[OrderField]
    ) -> list[int]:
        """A few ids that are equal so far, by the other fields and at last by ref."""
        if len(ids) == 1:
            return ids
        ids.sort(key=order.key, reverse=self._is_descending)
        for field in reversed(fields):
            later = self._indexes[field.path]
            present = [entity for entity in ids if entity in later]
            missing = [entity for entity in ids if entity not in later]
            present.sort(key=later.value, reverse=field.descending)
            ids = present + missing
        return ids[::-1] if self._backwards else ids


def _inner(place: Place | None) -> Place | None:
    """A place as the fields after the first see it."""
    return None if place is None else (place[0][1:], place[1])
