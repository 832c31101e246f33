"""Filters, predicates and conditions: what each grammar finds, and what it refuses."""

from typing import Any

import pytest

from services.catalog.query.conditions import parse_conditions
from services.catalog.query.filters import parse_filters
from services.catalog.query.predicates import parse_predicate
from services.catalog.query.scopes import everything
from services.catalog.query.selection import select
from services.catalog.readmodel import ReadModel
from shared.contracts.errors import Invalid
from tests import builders
from tests.catalog.readmodels import model_of, refs, stored

WEB, ORDERS, TEAM = (
    "component:default/web",
    "api:default/orders",
    "group:default/team-a",
)


@pytest.fixture
def model() -> ReadModel:
    labels = {"example.com/tier": "Gold"}
    web = builders.component("web", {"tags": ["Java", "v1.2"], "labels": labels})
    return model_of(
        stored(web, ("ownedBy", TEAM), ("consumesApi", ORDERS)),
        stored(builders.api("orders", stars=5), ("ownedBy", "group:default/other")),
        stored(builders.group("team-a")),
    )


def matching_refs(model: ReadModel, criterion: Any) -> list[str]:
    return sorted(refs(model, select(model, criterion, everything(model))))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], [ORDERS, WEB, TEAM]),
        ([""], [ORDERS, WEB, TEAM]),
        (["kind=component"], [WEB]),
        (["KIND=Component"], [WEB]),
        (["kind=component,kind=api"], [ORDERS, WEB]),
        (["kind=component", "kind=group"], [WEB, TEAM]),
        (["kind=component, spec.type=library"], []),
        (["metadata.tags"], [WEB]),
        (["metadata.tags=java"], [WEB]),
        (["metadata.tags.v1.2"], [WEB]),
        (["metadata.tags.java=true"], [WEB]),
        (["metadata.tags.java=false"], []),
        (["spec.type.service"], []),
        (["metadata.labels.example.com/tier=gold"], [WEB]),
        (["relations.ownedBy=group:default/team-a"], [WEB]),
        (["relations.ownerof=component:default/web"], [TEAM]),
        (["relations.apiConsumedBy"], [ORDERS]),
        (["relations.ownedBy"], [ORDERS, WEB]),
        (["relations.dependsOn"], []),
        (["kind="], []),
        (["spec.stars=5"], [ORDERS]),
    ],
)
def test_a_filter_matches(
    model: ReadModel, filters: list[str], expected: list[str]
) -> None:
    """Commas mean and, repetition or, a key twice either value, a bare key presence."""
    assert matching_refs(model, parse_filters(filters)) == sorted(expected)


@pytest.mark.parametrize("text", ["=x", "=", "kind=a,=b"])
def test_a_filter_without_a_key_is_refused(text: str) -> None:
    """The message quotes the statement."""
    with pytest.raises(Invalid, match="is not a valid statement"):
        parse_filters([text])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [ORDERS, WEB, TEAM]),
        ({"kind": "COMPONENT"}, [WEB]),
        ({"kind": "component", "spec.type": "library"}, []),
        ({"$all": []}, [ORDERS, WEB, TEAM]),
        ({"$any": []}, []),
        ({"$all": [{}, {"kind": "Group"}]}, [TEAM]),
        ({"$not": {"kind": "component"}}, [ORDERS, TEAM]),
        ({"$all": [{"$not": {"kind": "api"}}, {"metadata.tags": "java"}]}, [WEB]),
        ({"kind": {"$in": ["api", "Group"]}}, [ORDERS, TEAM]),
        ({"kind": {"$in": []}}, []),
        ({"metadata.tags": {"$exists": True}}, [WEB]),
        ({"metadata.tags": {"$exists": False}}, [ORDERS, TEAM]),
        ({"metadata.name": {"$hasPrefix": "TEAM"}}, [TEAM]),
        ({"metadata.tags": {"$contains": "java"}}, [WEB]),
        ({"spec.stars": 5}, [ORDERS]),
        ({"relations": {"$contains": {"type": "ownedBy"}}}, [ORDERS, WEB]),
        ({"relations": {"$contains": {"type": "ownedBy", "targetRef": TEAM}}}, [WEB]),
        (
            {
                "relations": {
                    "$contains": {
                        "type": "consumesApi",
                        "targetRef": {"$in": [ORDERS, TEAM]},
                    }
                }
            },
            [WEB],
        ),
    ],
)
def test_a_predicate_matches(
    model: ReadModel, query: dict[str, Any], expected: list[str]
) -> None:
    """Operators nest, several keys mean and, values compare without regard to case."""
    assert matching_refs(model, parse_predicate(query)) == sorted(expected)


@pytest.mark.parametrize(
    "query",
    [
        [1],
        "kind",
        {"kind": None},
        {"kind": {"$regex": "x"}},
        {"kind": {"$in": "api"}},
        {"kind": {"$in": [None]}},
        {"kind": {"$exists": "yes"}},
        {"kind": {"$hasPrefix": 1}},
        {"kind": {"$not": "api"}},
        {"kind": {}},
        {"$all": {}},
        {"$all": ["x"]},
        {"$some": []},
        {"$any": [], "kind": "api"},
        {"relations": {"$contains": "ownedBy"}},
        {"relations": {"$contains": {"type": "ownedBy", "other": 1}}},
        {"relations": {"$contains": {"type": "ownedBy", "targetRef": {"$in": []}}}},
    ],
)
def test_an_invalid_predicate_is_refused(query: object) -> None:
    """Whatever is not in the grammar is an error."""
    with pytest.raises(Invalid, match="query"):
        parse_predicate(query)


def test_the_nesting_of_predicates_is_limited() -> None:
    """A predicate nested beyond reason is refused, not followed."""
    query: dict[str, Any] = {}
    for _ in range(40):
        query = {"$not": query}
    with pytest.raises(Invalid, match="nested deeper"):
        parse_predicate(query)


def rule(name: str, **params: Any) -> dict[str, Any]:
    return {"rule": name, "resourceType": "catalog-entity", "params": params}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (rule("IS_ENTITY_KIND", kinds=["Component"]), [WEB]),
        (rule("IS_ENTITY_OWNER", claims=["group:default/TEAM-A"]), [WEB]),
        (rule("IS_ENTITY_OWNER", claims=[]), []),
        (rule("HAS_LABEL", label="example.com/tier"), [WEB]),
        (rule("HAS_LABEL", label="example.com/tier", value="gold"), [WEB]),
        (rule("HAS_LABEL", label="example.com/tier", value="silver"), []),
        (rule("HAS_ANNOTATION", annotation="a"), []),
        (rule("HAS_METADATA", key="tags", value="java"), [WEB]),
        (rule("HAS_SPEC", key="stars", value=5), [ORDERS]),
        ({"not": rule("HAS_SPEC", key="stars")}, [WEB, TEAM]),
        (
            {
                "anyOf": [
                    rule("IS_ENTITY_KIND", kinds=["group"]),
                    {"allOf": [rule("HAS_SPEC", key="stars")]},
                ]
            },
            [ORDERS, TEAM],
        ),
    ],
)
def test_conditions_match(
    model: ReadModel, conditions: dict[str, Any], expected: list[str]
) -> None:
    """Each rule of the catalog is a filter, and they combine."""
    assert matching_refs(model, parse_conditions(conditions)) == sorted(expected)


@pytest.mark.parametrize(
    "conditions",
    [
        None,
        {},
        {"rule": "IS_ADMIN"},
        {"anyOf": []},
        {"allOf": {}},
        {"not": []},
        rule("IS_ENTITY_KIND"),
        rule("IS_ENTITY_KIND", kinds="component"),
        rule("HAS_LABEL"),
        rule("HAS_LABEL", label="x", value="v" * 201),
        {**rule("HAS_LABEL", label="x"), "resourceType": "template"},
    ],
)
def test_conditions_with_unknown_rules_are_refused(conditions: object) -> None:
    """Inside a `not`, an unknown rule taken for false would show hidden entities."""
    with pytest.raises(Invalid, match="conditions"):
        parse_conditions(conditions)
