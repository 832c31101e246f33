"""How much work one question may ask for."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from services.catalog.query.facets import count_facets
from services.catalog.query.fields import cut, parse_fields
from services.catalog.query.filters import parse_filters
from services.catalog.query.ordering import OrderField, check_orders
from services.catalog.query.predicates import parse_predicate
from shared.contracts.errors import Invalid


def wide(leaf: Any, count: int) -> dict[str, Any]:
    return {"$any": [leaf] * count}


@pytest.mark.parametrize(
    ("ask", "rule"),
    [
        (lambda: parse_predicate(wide({"kind": {"$hasPrefix": "a"}}, 51)), "50"),
        (lambda: parse_fields(["a." * 64 + "a"]), "64"),
        (lambda: parse_fields(["a.b.c,"] * 200), "500"),
        (lambda: check_orders([OrderField("kind")] * 9), "8"),
        (lambda: count_facets(None, [str(n) for n in range(101)], None, None), "100"),  # type: ignore[arg-type]
    ],
)
def test_too_much_is_refused(ask: Callable[[], Any], rule: str) -> None:
    """By a message that names the bound, before anything is looked up."""
    with pytest.raises(Invalid, match=rule):
        ask()


def test_what_people_ask_is_not() -> None:
    """A table's columns, a list of names, a few words: far below."""
    parse_filters([f"kind=component,metadata.name=n{n}" for n in range(500)])
    parse_predicate({"metadata.name": {"$in": [f"n{n}" for n in range(5000)]}})
    assert len(parse_fields(["metadata.annotations.backstage.io/edit-url"] * 50)) == 50


def test_a_path_is_followed_no_further_than_it_leads() -> None:
    """A long one costs nothing where the entity has no such branch."""
    fields = parse_fields(["spec." + ".".join("a" * 60)] * 8)
    entity = {"kind": "x", "spec": {"type": "service", "a.b.c": {"d": 1}}}
    begun = time.perf_counter()
    for _ in range(200):
        assert cut(entity, fields) == {}
    assert time.perf_counter() - begun < 10
    assert cut(entity, ["spec.a.b.c.d"]) == {"spec": {"a.b.c": {"d": 1}}}
    assert cut(entity, ["kind.x", "spec.type.x"]) == {}
