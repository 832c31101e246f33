"""Whatever happens to the read model, it answers as a plain scan would."""

from collections.abc import Iterable
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.model import StoredEntity
from services.catalog.query import ordering
from services.catalog.query.filters import parse_filters
from services.catalog.query.ordering import (
    OrderField,
    all_in_order,
    having_first,
    ids_of,
    in_order,
    indexes_of,
    place_of,
)
from services.catalog.query.scopes import everything
from services.catalog.query.selection import select
from services.catalog.readmodel import ReadModel
from tests import builders
from tests.catalog.readmodels import INVERSES, count_facets, refs, stored

NAMES = ["a", "b", "c", "d", "e"]
TARGETS = [f"component:default/{name}" for name in [*NAMES, "nobody"]]
RELATIONS = st.lists(
    st.tuples(
        st.sampled_from(["ownedBy", "dependsOn", "memberOf", "hasMember"]),
        st.sampled_from(TARGETS),
    ),
    max_size=3,
    unique=True,
)


@st.composite
def puts(draw: st.DrawFn) -> StoredEntity:
    metadata: dict[str, Any] = {}
    if tags := draw(st.lists(st.sampled_from(["x", "X", "y"]), max_size=2)):
        metadata["tags"] = tags
    if draw(st.booleans()):
        metadata["title"] = draw(st.sampled_from(["One", "one", "Two"]))
    entity = builders.component(
        draw(st.sampled_from(NAMES)),
        metadata,
        type=draw(st.sampled_from(["service", "library"])),
    )
    return stored(entity, *draw(RELATIONS))


STEPS = st.lists(st.one_of(puts(), st.sampled_from(TARGETS)), max_size=25)


def relations_by_scan(
    entities: dict[str, StoredEntity], ref: str
) -> list[dict[str, str]]:
    relations = {(r.type, r.target) for r in entities[ref].relations}
    for other in entities.values():
        relations |= {
            (r.inverse, other.ref) for r in other.relations if r.target == ref
        }
    return [{"type": t, "targetRef": target} for t, target in sorted(relations)]


def values_by_scan(entities: dict[str, StoredEntity], ref: str, path: str) -> list[str]:
    if path.startswith("relations."):
        name = path.partition(".")[2].lower()
        relations = relations_by_scan(entities, ref)
        return [r["targetRef"] for r in relations if r["type"].lower() == name]
    value: Any = entities[ref].entity.raw
    for part in path.split("."):
        value = value.get(part, {})
    return value if isinstance(value, list) else [value] if value else []


def lower(values: Iterable[str]) -> set[str]:
    return {value.lower() for value in values}


PATHS = ["metadata.tags", "metadata.title", "spec.type", *(
    f"relations.{name}" for name in [*INVERSES, *INVERSES.values()]
)]  # fmt: skip


def check(model: ReadModel, entities: dict[str, StoredEntity]) -> None:
    scope = everything(model)
    for ref in entities:
        served = orjson.loads(model.entity_bytes(ref) or b"null")
        assert served["relations"] == relations_by_scan(entities, ref)
    for path in PATHS:
        by_ref = {ref: values_by_scan(entities, ref, path) for ref in entities}
        present = {ref for ref, values in by_ref.items() if values}
        ids = select(model, parse_filters([path]), scope)
        assert set(refs(model, ids)) == present
        counts: dict[str, int] = {}
        for values in by_ref.values():
            for value in set(values):
                counts[value] = counts.get(value, 0) + 1
        facet = count_facets(model, [path], parse_filters([]), scope)[path]
        assert {b["value"]: b["count"] for b in facet} == counts
        for value in counts:
            ids = select(model, parse_filters([f"{path}={value.upper()}"]), scope)
            expected_refs = {
                r for r, vs in by_ref.items() if value.lower() in lower(vs)
            }
            assert set(refs(model, ids)) == expected_refs


def take_steps(
    model: ReadModel, entities: dict[str, StoredEntity], steps: list[StoredEntity | str]
) -> None:
    """Take every step, in the model and in the plain dictionary beside it."""
    for step in steps:
        if isinstance(step, str):
            model.drop(step)
            entities.pop(step, None)
        else:
            model.put(step)
            entities[step.ref] = step


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_the_index_agrees_with_a_scan_after_any_history(
    steps: list[StoredEntity | str],
) -> None:
    """Filters, facets and relations equal what a scan over the entities finds."""
    model, entities = ReadModel(), {}
    take_steps(model, entities, steps)
    check(model, entities)


@pytest.mark.parametrize("few_members", [0, 1, 2_000])
@settings(max_examples=40, deadline=None)
@given(
    STEPS,
    st.lists(
        st.tuples(
            st.sampled_from(["spec.type", "metadata.title", "metadata.name"]),
            st.booleans(),
        ),
        max_size=3,
    ),
)
def test_orders_equal_a_sort_and_pages_equal_the_list(
    few_members: int, steps: list[StoredEntity | str], by: list[tuple[str, bool]]
) -> None:
    """Every sort field counts, and paging from any place continues the same list.

    Whether equal entities are sorted by the later fields, or walked by them.
    """
    with patch.object(ordering, "FEW_MEMBERS", few_members):
        check_listing(steps, by)


def check_listing(steps: list[StoredEntity | str], by: list[tuple[str, bool]]) -> None:
    model, entities = ReadModel(), {}
    fields = tuple(OrderField(path, down) for path, down in by)
    for step in steps:
        list(all_in_order(indexes_of(model, fields), model.live, fields))
        if isinstance(step, str):
            model.drop(step)
            entities.pop(step, None)
        else:
            model.put(step)
            entities[step.ref] = step
    ordered_refs = refs(
        model,
        ids_of(all_in_order(indexes_of(model, fields), model.live, fields)),
    )
    assert sorted(ordered_refs) == sorted(entities)
    expected_refs = sorted(entities, reverse=bool(by) and by[-1][1])
    for path, down in reversed(by):
        values = {
            ref: min(lower(values_by_scan(entities, ref, path)), default=None)
            for ref in entities
        }
        refs_with_value = [ref for ref in expected_refs if values[ref] is not None]
        refs_without_value = [ref for ref in expected_refs if values[ref] is None]
        refs_with_value.sort(key=lambda ref: str(values[ref]), reverse=down)
        expected_refs = refs_with_value + refs_without_value
    assert ordered_refs == expected_refs
    paged(model, fields)


def paged(model: ReadModel, fields: tuple[OrderField, ...]) -> None:
    within = having_first(model, model.live, fields)
    indexes = indexes_of(model, fields)
    whole = list(in_order(indexes, within, fields))
    for index, entity in enumerate(whole):
        place = place_of(indexes, entity, fields)
        after = list(in_order(indexes, within, fields, after=place))
        before = list(in_order(indexes, within, fields, after=place, backwards=True))
        assert after == whole[index + 1 :]
        assert (
            list(ids_of(in_order(indexes, within, fields, skip=index))) == whole[index:]
        )
        assert before == whole[:index][::-1]
