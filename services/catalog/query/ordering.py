"""Sorting by any number of fields, from any place on, in either direction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, islice

from pyroaring import BitMap

from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.entities import BY_REF
from services.catalog.readmodel.orders import LAST, Order

Value = str | None


@dataclass(frozen=True, slots=True)
class OrderField:
    """A field to sort by, as it was asked for."""

    field: str
    descending: bool = False

    @property
    def path(self) -> str:
        return self.field.lower()


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
    """
    if len(fields) > 1:
        several = _by_several(model, within, fields, after, backwards)
        return islice(several, skip, None)
    path = fields[0].path if fields else BY_REF
    flipped = backwards != (bool(fields) and fields[0].descending)
    key = None
    if after is not None:
        key = (after[0][0] or "", after[1]) if fields else (after[1], "")
    order = model.order(path)
    return order.walk(within, after=key, backwards=flipped, skip=skip)


def all_in_order(
    model: ReadModel, within: BitMap, fields: Sequence[OrderField], *, skip: int = 0
) -> Iterator[int]:
    """As `in_order`, and those without the first field behind all others."""
    having = having_first(model, within, fields)
    rest = within - having
    later = max(0, skip - len(having))
    return chain(
        in_order(model, having, fields, skip=min(skip, len(having))),
        in_order(model, rest, (), skip=later),
    )


def place_of(model: ReadModel, entity: int, fields: Sequence[OrderField]) -> Place:
    """Where an entity stands; to be given to `in_order` later."""
    record = model.records[entity]
    ref = record.ref if record is not None else ""
    return [_value(model.order(field.path), entity) for field in fields], ref


def _value(order: Order, entity: int) -> Value:
    return order.key(entity)[0] if entity in order else None


def _held(order: Order, entity: int) -> str:
    return order.key(entity)[0]


def _by_several(
    model: ReadModel,
    within: BitMap,
    fields: Sequence[OrderField],
    after: Place | None,
    backwards: bool,
) -> Iterator[int]:
    """Walks by the first field, and sorts what is equal in it by the others."""
    first, rest = model.order(fields[0].path), fields[1:]
    flipped = backwards != fields[0].descending
    start = None
    if after is not None:
        start = (after[0][0] or "", LAST if flipped else "")
    walk = first.walk(within, after=start, backwards=flipped)
    for value, found in groupby(walk, key=partial(_value, first)):
        group = _sorted(model, list(found), rest)
        if after is not None and value == after[0][0]:
            group = _beyond(model, group, rest, (after[0][1:], after[1]), backwards)
        yield from reversed(group) if backwards else group


def _sorted(
    model: ReadModel, group: list[int], fields: Sequence[OrderField]
) -> list[int]:
    group.sort(key=model.order(BY_REF).key)
    for field in reversed(fields):
        order = model.order(field.path)
        having = [entity for entity in group if entity in order]
        lacking = [entity for entity in group if entity not in order]
        having.sort(key=partial(_held, order), reverse=field.descending)
        group = having + lacking
    return group


def _beyond(
    model: ReadModel,
    group: list[int],
    fields: Sequence[OrderField],
    place: Place,
    backwards: bool,
) -> list[int]:
    """The part of a sorted group behind a place, or before it going backwards."""

    def compare(entity: int) -> int:
        values, ref = place_of(model, entity, fields)
        for field, mine, theirs in zip(fields, values, place[0], strict=True):
            if mine != theirs:
                if mine is None or theirs is None:
                    return 1 if mine is None else -1
                return -1 if (mine < theirs) != field.descending else 1
        return (ref > place[1]) - (ref < place[1])

    wanted = -1 if backwards else 1
    return [entity for entity in group if compare(entity) == wanted]
