"""The read-only entity: its fields, and that nothing an author writes breaks it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.entity import Entity

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
    },
    "spec": {"type": "service", "lifecycle": "production", "owner": "team"},
    "relations": [
        {"type": "ownedBy", "targetRef": "group:shop/team"},
        {"type": "partOf", "targetRef": "system:shop/till"},
    ],
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


def test_fields_are_as_written() -> None:
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
    assert list(entity.targets("ownedBy")) == ["group:shop/team"]


def test_what_is_absent_is_empty() -> None:
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
def test_nothing_that_is_written_breaks_it(raw: dict[str, Any]) -> None:
    """A field of another type counts as absent."""
    entity = Entity(raw)
    for name in FIELDS:
        getattr(entity, name)
    entity.targets("ownedBy")
