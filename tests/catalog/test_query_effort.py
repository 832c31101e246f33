"""How much work one question may ask for."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from services.catalog.ingest.differences import changed_paths
from services.catalog.ingest.placeholders import find_marks
from services.catalog.query.effort import check_facets
from services.catalog.query.facets import distinct_names
from services.catalog.query.fields import cut, parse_fields
from services.catalog.query.filters import parse_filters
from services.catalog.query.ordering import (
    OrderField,
    all_in_order,
    check_orders,
    indexes_of,
)
from services.catalog.query.predicates import parse_predicate
from services.catalog.readmodel.rows import rows_of
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from tests import builders
from tests.catalog.readmodels import model_of, stored
from tests.costs import limit_processor_time

LONG = "é" * 1001


def wide(leaf: Any, count: int) -> dict[str, Any]:
    return {"$any": [leaf] * count}


def related(demand: dict[str, Any]) -> object:
    return parse_predicate({"relations": {"$contains": demand}})


@pytest.mark.parametrize(
    ("ask", "rule"),
    [
        (lambda: parse_predicate(wide({"kind": {"$hasPrefix": "a"}}, 51)), "50"),
        (lambda: parse_predicate({LONG: "a"}), "query: a field: at most 1000"),
        (lambda: parse_predicate({"kind": LONG}), "query.kind: at most 1000"),
        (lambda: parse_predicate({"kind": {"$in": ["a", LONG]}}), "kind.*1000"),
        (lambda: parse_predicate({"kind": {"$hasPrefix": LONG}}), "hasPrefix: .*1000"),
        (lambda: parse_predicate({"kind": {"$contains": LONG}}), "contains: .*1000"),
        (lambda: related({"type": LONG}), "type: at most 1000"),
        (lambda: related({"type": "a", "targetRef": LONG}), "targetRef: at most 1000"),
        (lambda: related({"type": "a", "targetRef": {"$in": [LONG]}}), "in: .*1000"),
        (lambda: parse_filters([f"kind=a,{LONG}=a"]), "filter: a field: at most 1000"),
        (lambda: parse_filters([f"kind={LONG}"]), "filter: kind: at most 1000"),
        (lambda: parse_fields([LONG]), "fields: a path: at most 1000"),
        (lambda: check_orders([OrderField(LONG)]), "orderField: a field: at most 1000"),
        (lambda: check_facets([LONG]), "facets: a field: at most 1000"),
        (lambda: parse_fields(["a." * 64 + "a"]), "64"),
        (lambda: parse_fields(["a.b.c,"] * 200), "500"),
        (lambda: check_orders([OrderField("kind")] * 9), "8"),
        (lambda: distinct_names([str(n) for n in range(101)]), "100"),
    ],
)
def test_a_query_over_the_limits_is_refused(ask: Callable[[], Any], rule: str) -> None:
    """The message names the limit, before any index is read."""
    with pytest.raises(Invalid, match=rule):
        ask()


def test_ordinary_queries_are_accepted() -> None:
    """A table's columns, a list of names and a few words are within the limits."""
    parse_filters([f"kind=component,metadata.name=n{n}" for n in range(500)])
    parse_predicate({"metadata.name": {"$in": [f"n{n}" for n in range(5000)]}})
    assert len(parse_fields(["metadata.annotations.backstage.io/edit-url"] * 50)) == 50


def test_a_long_field_path_costs_no_more_than_its_branch() -> None:
    """A long path costs nothing where the entity has no such branch."""
    fields = parse_fields(["spec." + ".".join("a" * 60)] * 8)
    entity = {"kind": "x", "spec": {"type": "service", "a.b.c": {"d": 1}}}
    start = time.perf_counter()
    for _ in range(200):
        assert cut(entity, fields) == {}
    assert time.perf_counter() - start < 10
    assert cut(entity, ["spec.a.b.c.d"]) == {"spec": {"a.b.c": {"d": 1}}}
    assert cut(entity, ["kind.x", "spec.type.x"]) == {}


def test_values_below_a_long_path_are_not_indexed() -> None:
    """The path would be copied for every child, and no query uses such paths."""
    deep = {"a" * 100_000: {str(n): {"x": "y"} for n in range(50_000)}}
    with limit_processor_time(1):
        rows = rows_of(
            Entity({"metadata": {"name": "n"}, "spec": deep | {"type": "service"}})
        )
    assert ("spec.type", "service") in rows.values
    assert len(rows.values) == 3
    label = {"example.com/" + "l" * 300: "v"}
    rows = rows_of(Entity({"metadata": {"name": "n", "labels": label}}))
    assert any(value == "v" for _, value in rows.values)


def test_differences_below_a_long_path_are_one_value() -> None:
    """The written-out paths of 50,000 children would fill the memory."""
    key = "a" * 100_000
    old = {"spec": {key: {str(n): 0 for n in range(50_000)}, "type": "x"}}
    new = {"spec": {key: {str(n): 1 for n in range(50_000)}, "type": "y"}}
    with limit_processor_time(1):
        paths = changed_paths(Entity(old), Entity(new))
    assert paths == [f"spec.{key}"[:1000], "spec.type"]


def test_placeholders_below_a_long_path_are_ignored() -> None:
    """The path of a placeholder is written out for each value on the way."""
    deep = {"a" * 100_000: {str(n): {"b": 1, "c": 2} for n in range(50_000)}}
    with limit_processor_time(1):
        marks = list(find_marks({"spec": {"definition": {"$txt": "x"}, **deep}}))
    assert marks == [("spec.definition", "$txt")]


@pytest.mark.parametrize("first", ["metadata.name", "metadata.title", "spec.owner"])
def test_a_sort_by_many_fields_costs_one_walk(first: str) -> None:
    """It takes no walk of its own for each value of the first field."""
    model = model_of(
        *(
            stored(builders.component(f"c{number}", {"title": f"t{number // 2}"}))
            for number in range(4_000)
        )
    )
    paths = [first, first, "metadata.description", "kind", "metadata.uid"]
    orders = tuple(map(OrderField, paths))
    indexes = indexes_of(model, orders)
    with limit_processor_time(0.1):
        ids = list(all_in_order(indexes, model.live, orders))
    assert len(ids) == 4_000
