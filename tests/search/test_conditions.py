"""Conditions in the index agree with the rules evaluated on entities, one by one."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.search.conditions import (
    AllConditions,
    AnyCondition,
    Condition,
    HasMark,
    NotCondition,
    criteria_condition,
    entity_marks,
)
from services.search.documents import entity_record
from services.search.highlight import Tags
from services.search.index.embedded import TantivyIndex
from services.search.model import group_of
from services.search.query import SearchRequest
from shared.contracts.entity import Entity
from shared.contracts.errors import Forbidden
from shared.kit.http.conditions import matches
from tests.builders import api, component, group, user
from tests.costs import limit_processor_time
from tests.search.fakes import entity_put

RESTRICTED = {"callboard.dev/visibility": "restricted"}
ENTITIES = (
    component("a"),
    component("b", {"annotations": RESTRICTED, "labels": {"tier": "1"}}, owner="board"),
    component("c", {"annotations": {"x/y": "z"}, "tags": ["java", "web"]}, owner="b/g"),
    component("d", {"namespace": "other"}, owner="user:default/ann", parts=[1, 2.0]),
    {
        **component("e", {"labels": {}, "tags": []}),
        "relations": [{"type": "ownedBy", "targetRef": "group:default/Board"}],
    },
    api(
        "f", {"labels": {"tier": "2"}}, definition="x" * 5000, deep={"er": {"y": True}}
    ),
    group("g", profile={"displayName": "Gee"}),
    user("h"),
)
CLAIMS = [
    "group:default/board",
    "group:b/g",
    "user:default/ann",
    "group:default/team-a",
]


def rule(name: str, **params: Any) -> dict[str, Any]:
    return {"rule": name, "resourceType": "catalog-entity", "params": params}


RULES = [
    rule("HAS_ANNOTATION", annotation="callboard.dev/visibility"),
    rule("HAS_ANNOTATION", annotation="callboard.dev/visibility", value="restricted"),
    rule("HAS_ANNOTATION", annotation="x/y", value="other"),
    rule("HAS_LABEL", label="Tier"),
    rule("HAS_ANNOTATION", annotation="X/y", value="Z"),
    rule("HAS_METADATA", key="Tags", value="WEB"),
    rule("HAS_SPEC", key="Profile.displayname", value="gee"),
    rule("HAS_LABEL", label="tier", value="2"),
    rule("HAS_METADATA", key="name", value="a"),
    rule("HAS_METADATA", key="tags"),
    rule("HAS_METADATA", key="tags", value="web"),
    rule("HAS_METADATA", key="labels.tier", value="1"),
    rule("HAS_SPEC", key="definition"),
    rule("HAS_SPEC", key="definition", value="x" * 5000),
    rule("HAS_SPEC", key="deep.er.y", value=True),
    rule("HAS_SPEC", key="deep.er", value={"y": True}),
    rule("HAS_SPEC", key="parts", value=2),
    rule("HAS_SPEC", key="profile.displayName", value="Gee"),
    rule("HAS_SPEC", key="nothing.here"),
    rule("IS_ENTITY_KIND", kinds=["component", "GROUP"]),
    rule("IS_ENTITY_KIND", kinds=[]),
    *(rule("IS_ENTITY_OWNER", claims=[claim]) for claim in CLAIMS),
    rule("IS_ENTITY_OWNER", claims=CLAIMS),
]
criteria = st.recursive(
    st.sampled_from(RULES),
    lambda part: st.one_of(
        st.builds(lambda p: {"not": p}, part),
        st.builds(lambda p: {"anyOf": p}, st.lists(part, max_size=3)),
        st.builds(lambda p: {"allOf": p}, st.lists(part, max_size=3)),
    ),
    max_leaves=6,
)


def holds(condition: Condition, marks: frozenset[str]) -> bool:
    match condition:
        case HasMark(condition_marks):
            return not marks.isdisjoint(condition_marks)
        case AllConditions(parts):
            return all(holds(part, marks) for part in parts)
        case AnyCondition(parts):
            return any(holds(part, marks) for part in parts)
        case NotCondition(part):
            return not holds(part, marks)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> TantivyIndex:
    index = TantivyIndex.open(tmp_path_factory.mktemp("index"), Tags("<", ">"))
    records = [entity_record(entity_put(entity)) for entity in ENTITIES]
    index._replace({group_of("entity", record.ref): [record] for record in records})
    return index


@settings(max_examples=400, deadline=None)
@given(rules=criteria)
def test_index_and_rules_agree(index: TantivyIndex, rules: dict[str, Any]) -> None:
    """For any criteria, the index shows exactly the entities that the rules allow."""
    condition = criteria_condition(rules)
    allowed = [entity for entity in ENTITIES if matches(rules, Entity(entity))]
    marks = [frozenset(entity_marks(Entity(entity))) for entity in ENTITIES]
    pairs = zip(ENTITIES, marks, strict=True)
    assert [entity for entity, mark in pairs if holds(condition, mark)] == allowed
    page = index._find(SearchRequest(readable=condition, limit=100), ("exact",))
    assert sorted(hit.document["title"] for hit in page.hits) == sorted(
        entity["metadata"]["name"] for entity in allowed
    )
    assert page.total == len(allowed)


@pytest.mark.parametrize(
    "criteria",
    [
        {"not": {"rule": "HAS_MOON", "params": {}}},
        {"not": {"rule": "HAS_LABEL", "params": {}}},
        {"anyOf": [RULES[0], {"rule": None}]},
    ],
)
def test_conditions_with_unknown_rules_are_refused(criteria: dict[str, Any]) -> None:
    """A request with an unknown rule is refused, also under a `not`."""
    with pytest.raises(Forbidden):
        criteria_condition(criteria)


@pytest.mark.parametrize("number", [1e26, -1e26, 2.0**63, 1.7e308])
def test_conditions_match_numbers_beyond_64_bits(number: float) -> None:
    """Descriptors may hold them, and they must not break the index."""
    record = entity_record(entity_put(component("n", size=number, sizes=[number])))
    for key in ("size", "sizes"):
        criteria = {"rule": "HAS_SPEC", "params": {"key": key, "value": number}}
        assert holds(criteria_condition(criteria), frozenset(record.marks))


def test_a_conditional_decision_without_conditions_shows_nothing(
    tmp_path: Path,
) -> None:
    """A reader whose decision has no conditions sees nothing."""
    assert not holds(criteria_condition(None), frozenset({"kind:component"}))


def test_values_below_long_paths_are_not_indexed() -> None:
    """Every mark has its path written out: 50,000 would fill the memory."""
    deep = {"a" * 100_000: {str(n): n for n in range(50_000)}, "type": "service"}
    with limit_processor_time(2):
        marks = entity_marks(Entity({"kind": "Component", "spec": deep}))
    assert set(marks) == {"kind:component", "spec:type", 'spec:type="service"'}
