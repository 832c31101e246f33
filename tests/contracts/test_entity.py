"""The read-only entity: its fields, and that nothing an author writes breaks it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.entity import Entity, Link

WHOLE = {
    "kind": "Component",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "title": "Web",
        "description": "The shop window",
        "uid": "u1",
        "tags": ["python", 3],
        "labels": {"tier": "1"},
        "annotations": {"callboard.dev/visibility": "Restricted"},
        "links": [{"url": "https://shop.example", "title": "Shop"}, "no link"],
    },
    "spec": {"type": "service", "lifecycle": "production", "owner": "team"},
    "relations": [
        {"type": "ownedBy", "targetRef": "group:shop/team"},
        {"type": "partOf", "targetRef": "system:shop/till"},
    ],
    "status": {
        "items": [{"level": "error", "message": "Invalid: x", "error": {"line": 3}}]
    },
}
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "type", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = [
    name
    for name, value in vars(Entity).items()
    if isinstance(value, property) and name != "ref"
]


def test_fields_are_read_as_they_are_written() -> None:
    """Texts, lists and relations of a usual entity."""
    entity = Entity(WHOLE)
    assert str(entity.ref) == "component:shop/web"
    assert (entity.kind, entity.name, entity.namespace) == ("Component", "web", "shop")
    assert (entity.title, entity.description) == ("Web", "The shop window")
    assert (entity.type, entity.lifecycle) == ("service", "production")
    assert (entity.owner, entity.uid) == ("team", "u1")
    assert list(entity.tags) == ["python", "3"]
    assert entity.labels == {"tier": "1"}
    assert entity.is_restricted
    assert entity.visibility == "restricted"
    assert list(entity.targets("ownedBy")) == ["group:shop/team"]
    assert entity.links == [Link("https://shop.example", "Shop", "", "")]
    [problem] = entity.status_items
    assert (problem.level, problem.error) == ("error", {"line": 3})


def test_owners_come_from_the_relations() -> None:
    """Before the catalog has added relations, from the spec."""
    assert Entity(WHOLE).owners == {"group:shop/team"}
    for owner, ref in [
        ("Team", "group:shop/team"),
        ("user:Ann", "user:shop/ann"),
        ("pier/team", "group:pier/team"),
    ]:
        described = {"metadata": {"namespace": "shop"}, "spec": {"owner": owner}}
        assert Entity(described).owners == {ref}


def test_an_entity_has_a_display_name() -> None:
    """The name of its profile, or its title, or its name."""
    named: dict[str, Any] = {"metadata": {"name": "ann"}}
    assert Entity(named).display_name == "ann"
    titled = {"metadata": {"name": "ann", "title": "Ann"}}
    assert Entity(titled).display_name == "Ann"
    profiled = {**titled, "spec": {"profile": {"displayName": "Ann B."}}}
    assert Entity(profiled).display_name == "Ann B."


def test_missing_fields_are_empty() -> None:
    """No field of an entity has to be there to be read."""
    entity = Entity({})
    assert entity.namespace == "default"
    assert not entity.is_restricted
    assert not any(getattr(entity, name) for name in FIELDS if name != "namespace")


@given(
    st.dictionaries(
        st.sampled_from(["kind", "metadata", "spec", "relations"]), JSON, max_size=4
    )
)
def test_malformed_fields_count_as_missing(raw: dict[str, Any]) -> None:
    """A field of another type counts as absent."""
    entity = Entity(raw)
    for name in FIELDS:
        getattr(entity, name)
    entity.targets("ownedBy")
