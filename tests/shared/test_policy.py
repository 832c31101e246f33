"""Conditions on one entity: the rules and their combinations."""

from typing import Any

import pytest

from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from shared.kit.http.conditions import matches, permits
from shared.kit.http.service_tokens import Principal
from tests.builders import component

WEB = component(
    "web",
    {
        "annotations": {"callboard.dev/visibility": "restricted"},
        "labels": {"tier": "1"},
        "tags": ["java"],
    },
    owner="team-a",
)


def rule(name: str, **params: Any) -> dict[str, Any]:
    return {"rule": name, "resourceType": "catalog-entity", "params": params}


@pytest.mark.parametrize(
    ("criteria", "met"),
    [
        (rule("HAS_ANNOTATION", annotation="callboard.dev/visibility"), True),
        (
            rule("HAS_ANNOTATION", annotation="callboard.dev/visibility", value="open"),
            False,
        ),
        (rule("HAS_LABEL", label="tier", value="1"), True),
        (rule("HAS_METADATA", key="tags", value="java"), True),
        (rule("HAS_SPEC", key="lifecycle", value="production"), True),
        (rule("HAS_SPEC", key="nothing"), False),
        (rule("IS_ENTITY_KIND", kinds=["API", "component"]), True),
        (rule("IS_ENTITY_OWNER", claims=["group:default/team-a"]), True),
        (rule("IS_ENTITY_OWNER", claims=["group:default/team-b"]), False),
        ({"not": rule("IS_ENTITY_KIND", kinds=["API"])}, True),
        ({"allOf": [rule("IS_ENTITY_KIND", kinds=["API"])]}, False),
        ({"anyOf": [rule("IS_ENTITY_KIND", kinds=["API"])]}, False),
    ],
)
def test_each_rule_matches_its_part_of_the_entity(
    criteria: dict[str, Any], met: bool
) -> None:
    """Each rule reads its own part of the entity."""
    assert matches(criteria, Entity(WEB)) is met


def test_rules_compare_names_and_values_in_any_case() -> None:
    """`Restricted` is as restricted as `restricted`, in lists and on one entity."""
    shouting = component(
        "w", {"annotations": {"Callboard.dev/Visibility": "RESTRICTED"}}
    )
    restricted = rule(
        "HAS_ANNOTATION", annotation="callboard.dev/visibility", value="restricted"
    )
    assert matches(restricted, Entity(shouting))
    assert matches(rule("HAS_SPEC", key="Lifecycle", value="Production"), Entity(WEB))


def test_an_owner_in_another_namespace_is_another_owner() -> None:
    """An owner ref without a namespace is in the entity's own one."""
    shop_entity = component("web", {"namespace": "shop"}, owner="team-a")
    assert matches(
        rule("IS_ENTITY_OWNER", claims=["group:shop/team-a"]), Entity(shop_entity)
    )


def test_an_unknown_rule_is_refused() -> None:
    """A rule that is not known is an error."""
    with pytest.raises(Invalid, match="unknown permission rule"):
        matches(rule("IS_NICE"), Entity(WEB))


def test_a_conditional_decision_without_conditions_permits_nothing() -> None:
    """Deny is the default."""
    nobody = Principal(subject="user:x/y", kind="user", decision="conditional")
    assert not permits(nobody, Entity(WEB))
