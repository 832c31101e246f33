"""Sorting by any number of fields, from any place on, in either direction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from pyroaring import BitMap

from services.catalog.query.effort import check_length
from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.entities import BY_REF
from services.catalog.readmodel.orders import LAST, SortIndex, SortKey
from shared.contracts.errors import Invalid

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


def having_first(
    model: ReadModel, within: BitMap, fields: Sequence[OrderField]
) -> BitMap:
    """Those that have the first field: the others are in no page of that order."""
    if not fields:
        return within
    field = model.index.fields.get(fields[0].path)
    return within & field.present if field is not None else BitMap()


def in_order(
    model: ReadModel,
    within: BitMap,
    fields: Sequence[OrderField],
    *,
    after: Place | None = None,
    backwards: bool = False,
    skip: int = 0,
) -> Iterator[int]:
    """The ids in order, from behind a place on, or before it going backwards.

    Those without the first field are left out; without a later one, they come last.
    Equal ones are in the order of their refs, descending if the last field is.
    """
    walk = _Walk(model, fields, backwards=backwards)
    if fields:
        return walk.having(within, fields, after, skip)
    return walk.by_ref(within, after, skip)


def all_in_order(
    model: ReadModel, within: BitMap, fields: Sequence[OrderField], *, skip: int = 0
) -> Iterator[int]:
    """As `in_order`, and those without the first field behind all others."""
    return _Walk(model, fields, backwards=False).every(within, fields, None, skip)


def place_of(model: ReadModel, entity: int, fields: Sequence[OrderField]) -> Place:
    """The place of an entity in the order, for a later `in_order`."""
    record = model.records[entity]
    ref = record.ref if record is not None else ""
    return [_value(model.order(field.path), entity) for field in fields], ref


def _value(order: SortIndex, entity: int) -> Value:
    return order.key(entity)[0] if entity in order else None


class _Walk:
    """A way through entities sorted by several fields, found group by group.

    Whoever is equal in the first field is a group: a small one is sorted by the other
    fields, a large one walked by them. Groups before and after a page are not sorted.
    """

    def __init__(
        self, model: ReadModel, fields: Sequence[OrderField], *, backwards: bool
    ) -> None:
        self._model = model
        self._backwards = backwards
        self._is_descending = bool(fields) and fields[-1].descending

    def by_ref(self, within: BitMap, after: Place | None, skip: int) -> Iterator[int]:
        """The ids by ref."""
        is_reversed = self._backwards != self._is_descending
        key = None if after is None else (after[1], "")
        order = self._model.order(BY_REF)
        return order.walk(within, after=key, backwards=is_reversed, skip=skip)

    def every(
        self,
        within: BitMap,
        fields: Sequence[OrderField],
        after: Place | None,
        skip: int,
    ) -> Iterator[int]:
        """Those with the first field, then those without, by the other fields."""
        if not fields:
            yield from self.by_ref(within, after, skip)
            return
        with_field = having_first(self._model, within, fields)
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
    ) -> Iterator[int]:
        """The ids by the first field, which all of them have."""
        order = self._model.order(fields[0].path)
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
    ) -> Iterator[int]:
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
            later = self._model.order(field.path)
            present = [entity for entity in ids if entity in later]
            missing = [entity for entity in ids if entity not in later]
            present.sort(key=later.value, reverse=field.descending)
            ids = present + missing
        return ids[::-1] if self._backwards else ids


def _inner(place: Place | None) -> Place | None:
    """A place as the fields after the first see it."""
    return None if place is None else (place[0][1:], place[1])
