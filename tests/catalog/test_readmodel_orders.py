"""Orders of more than a block: sorted, skipped and continued as a plain list."""

import random

import pytest
from pyroaring import BitMap

from services.catalog.readmodel import orders
from services.catalog.readmodel.orders import SortIndex, SortKey

COUNT = 6000


def key(number: int, values: int) -> SortKey:
    return f"v{number * 7919 % values:05}", f"component:default/c{number:05}"


@pytest.mark.parametrize("values", [3, COUNT])
@pytest.mark.parametrize("changes", [50, 2000])
def test_a_sort_order_of_many_blocks_stays_sorted(values: int, changes: int) -> None:
    """After few changes or many, singly or all at once."""
    draw = random.Random(values + changes)
    keys = [key(number, values) for number in range(COUNT)]
    order = SortIndex(list(keys), 0)
    keys_by_entity: dict[int, SortKey] = dict(enumerate(keys))
    for _ in range(5):
        changed: dict[int, SortKey | None] = {}
        for entity in draw.sample(range(COUNT + 500), changes):
            new = draw.choice([None, key(draw.randrange(COUNT), values)])
            changed[entity] = new and (new[0], f"component:default/n{entity}")
        order.update(changed.items())
        keys_by_entity |= {i: k for i, k in changed.items() if k is not None}
        keys_by_entity = {
            i: k for i, k in keys_by_entity.items() if changed.get(i, k) is not None
        }
        everyone = BitMap(keys_by_entity)
        assert list(order.walk(everyone)) == sorted(
            keys_by_entity, key=keys_by_entity.__getitem__
        )


@pytest.mark.parametrize("share", [1, 3, 200, 3000])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_walk_equals_the_filtered_list(share: int, backwards: bool) -> None:
    """Whatever the share of members, the start and the offset."""
    draw = random.Random(share)
    keys = [key(number, 50) for number in range(COUNT)]
    order = SortIndex(list(keys), 0)
    within = BitMap(range(0, COUNT, share))
    whole = sorted(range(COUNT), key=keys.__getitem__, reverse=backwards)
    for skip in (0, 1, 700, COUNT):
        walk = order.walk(within, backwards=backwards, skip=skip)
        assert list(walk) == [i for i in whole if i in within][skip:]
        start = draw.randrange(COUNT)
        rest = whole[whole.index(start) + 1 :]
        walk = order.walk(within, after=keys[start], backwards=backwards, skip=skip)
        assert list(walk) == [i for i in rest if i in within][skip:]


def test_a_sort_order_splits_and_drops_blocks() -> None:
    """Blocks split as they fill, and vanish as they empty."""
    order = SortIndex([], 0)
    for number in range(3 * orders.BLOCK):
        order.update([(number, key(number, 97))])
    everyone = BitMap(range(3 * orders.BLOCK))
    keys = [key(number, 97) for number in everyone]
    assert list(order.walk(everyone)) == sorted(everyone, key=keys.__getitem__)
    for number in everyone:
        order.update([(number, None)])
    assert list(order.walk(everyone)) == []


@pytest.mark.parametrize("values", [1, 2, 50, COUNT])
def test_equal_values_are_found_across_blocks(values: int) -> None:
    """The ids of one value, be it of a part of a block or of several."""
    keys = [key(number, values) for number in range(COUNT)]
    order = SortIndex(list(keys), 0)
    for value in {keys[0][0], keys[-1][0], keys[COUNT // 2][0], "v", "w"}:
        expected = BitMap(
            i for i, (other_value, _) in enumerate(keys) if other_value == value
        )
        assert order.equal(value) == expected
