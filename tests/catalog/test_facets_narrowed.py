"""Facets with thousands of values: the most frequent, or those with a text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.query.criteria import EVERYTHING
from services.catalog.query.facets import Narrowing
from services.catalog.query.scopes import ReaderScope, everything
from services.catalog.readmodel import ReadModel
from tests import builders
from tests.catalog.readmodels import count_facets, model_of, narrow_facets, stored

OWNED = "relations.ownedBy"


@pytest.fixture
def model() -> ReadModel:
    """Thirty teams; the fifth owns most, and is called Harbour."""
    teams = [
        stored(builders.group(f"team-{n:02}", {"title": "Harbour"} if n == 5 else {}))
        for n in range(30)
    ]
    parts = [
        stored(
            builders.component(f"c-{n}-{k}"), ("ownedBy", f"group:default/team-{n:02}")
        )
        for n in range(30)
        for k in range(9 if n == 5 else 1)
    ]
    return model_of(*teams, *parts)


def test_a_facet_limit_keeps_the_most_frequent_values(model: ReadModel) -> None:
    """Values keep their order, and the total counts all of them."""
    facets = narrow_facets(
        model, [OWNED], EVERYTHING, everything(model), narrowing=Narrowing(limit=3)
    )
    values = [bucket["value"] for bucket in facets.values[OWNED]]
    assert len(values) == 3
    assert "group:default/team-05" in values
    assert values == sorted(values)
    assert facets.totals == {OWNED: 30}


def test_a_facet_value_is_found_by_its_entitys_title(model: ReadModel) -> None:
    """In any case; the titles of hidden entities find nothing."""
    narrowing = Narrowing("hARb", 20)
    facets = narrow_facets(
        model, [OWNED], EVERYTHING, everything(model), narrowing=narrowing
    )
    assert facets.values[OWNED] == [{"value": "group:default/team-05", "count": 9}]
    visible = model.live - model.index.equal("metadata.title", "harbour")
    scope = ReaderScope(model, visible, b"others")
    facets_for_reader = narrow_facets(
        model, [OWNED], EVERYTHING, scope, narrowing=narrowing
    )
    assert facets_for_reader.values == {OWNED: []}


@settings(deadline=None)
@given(text=st.text("team-0123 ", max_size=4), limit=st.integers(0, 40))
def test_a_narrowed_facet_has_the_counts_of_the_whole_facet(
    text: str, limit: int
) -> None:
    """Every value and count is as without narrowing; the total counts matches."""
    model = model_of(
        *(
            stored(builders.component(f"c-{n}", {"tags": [f"team-{n % 13}"]}))
            for n in range(40)
        )
    )
    name, scope = "metadata.tags", everything(model)
    whole = count_facets(model, [name], EVERYTHING, scope)[name]
    fitting_buckets = [bucket for bucket in whole if text in str(bucket["value"])]
    facets = narrow_facets(
        model, [name], EVERYTHING, scope, narrowing=Narrowing(text, limit)
    )
    assert facets.totals[name] == len(fitting_buckets)
    assert len(facets.values[name]) == min(limit, len(fitting_buckets))
    assert all(bucket in fitting_buckets for bucket in facets.values[name])
