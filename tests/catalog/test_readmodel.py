"""The read model: what is put in comes out, in both directions, at its own cost."""

import orjson
import pytest

from services.catalog.readmodel import ReadModel
from tests import builders
from tests.catalog.readmodels import model_of, refs, stored

WEB = stored(
    builders.component("web", {"tags": ["java", "Grpc"], "title": "The Web"}),
    ("ownedBy", "group:default/team-a"),
    ("dependsOn", "resource:default/missing"),
)
TEAM = stored(builders.group("team-a"))


def relations(model: ReadModel, ref: str) -> list[tuple[str, str]]:
    entity = orjson.loads(model.entity_bytes(ref) or b"{}")
    return [(r["type"], r["targetRef"]) for r in entity["relations"]]


def test_an_entity_is_read_as_it_was_written() -> None:
    """`get` returns an equal entity, though only its bytes are stored."""
    model = model_of(WEB)
    entity = model.get("component:default/web")
    assert entity == WEB
    assert model.get("component:default/other") is None


def test_relations_are_shown_at_both_ends() -> None:
    """The declaring entity shows the relation, its target the inverse, if it exists."""
    model = model_of(WEB, TEAM)
    assert relations(model, "component:default/web") == [
        ("dependsOn", "resource:default/missing"),
        ("ownedBy", "group:default/team-a"),
    ]
    assert relations(model, "group:default/team-a") == [
        ("ownerOf", "component:default/web")
    ]


def test_a_later_target_has_earlier_declared_relations() -> None:
    """The order in which the two ends of a relation arrive does not matter."""
    model = model_of(WEB)
    model.entity_bytes("component:default/web")
    model.put(TEAM)
    assert relations(model, "group:default/team-a") == [
        ("ownerOf", "component:default/web")
    ]


def test_a_change_of_a_related_entity_updates_cached_bytes() -> None:
    """An entity's bytes are assembled anew when a related entity changes."""
    model = model_of(WEB, TEAM)
    model.entity_bytes("group:default/team-a")
    model.drop("component:default/web")
    assert relations(model, "group:default/team-a") == []
    model.put(WEB)
    assert len(relations(model, "group:default/team-a")) == 1


def test_a_relation_declared_by_both_ends_is_shown_once() -> None:
    """A group that lists a member who lists the group has one relation to them."""
    model = model_of(
        stored(builders.user("ann"), ("memberOf", "group:default/team-a")),
        stored(builders.group("team-a"), ("hasMember", "user:default/ann")),
    )
    assert relations(model, "user:default/ann") == [
        ("memberOf", "group:default/team-a")
    ]
    model.put(stored(builders.user("ann"), revision=2))
    assert relations(model, "user:default/ann") == [
        ("memberOf", "group:default/team-a")
    ]


def test_errors_are_served_in_status_items() -> None:
    """The errors of an entity are in status.items."""
    error = {
        "type": "backstage.io/catalog-processing",
        "level": "error",
        "message": "x",
    }
    model = model_of(stored(builders.component("web"), errors=[error]))
    entity = orjson.loads(model.entity_bytes("component:default/web") or b"")
    assert entity["status"] == {"items": [error]}


def test_an_older_revision_changes_nothing() -> None:
    """A late message about an earlier revision is ignored."""
    model = model_of(stored(builders.component("web", {"title": "new"}), revision=3))
    before = model.revision.value
    assert not model.put(stored(builders.component("web", {"title": "old"})))
    assert b'"new"' in (model.entity_bytes("component:default/web") or b"")
    assert model.revision.value == before


def test_a_dropped_entity_leaves_nothing_behind() -> None:
    """Index, relations and checksum are as before the entity was added."""
    model = model_of(TEAM)
    empty = model.checksum()
    fields = set(model.index.fields)
    model.put(WEB)
    assert model.checksum() != empty
    assert model.drop("component:default/web")
    assert not model.drop("component:default/web")
    assert model.checksum() == empty
    assert set(model.index.fields) == fields
    assert not model.index.items
    assert relations(model, "group:default/team-a") == []


def test_the_checksum_depends_on_revisions_not_on_order() -> None:
    """Two models with equal revisions agree, and differ after another revision."""
    assert model_of(WEB, TEAM).checksum() == model_of(TEAM, WEB).checksum()
    newer = stored(builders.group("team-a"), revision=2)
    assert model_of(WEB, newer).checksum() != model_of(WEB, TEAM).checksum()


def test_index_rows_follow_the_search_rules() -> None:
    """Lower-cased paths, array items as paths of their own, long values not terms."""
    entity = builders.component(
        "Web",
        {
            "tags": ["Java"],
            "description": "x" * 201,
            "links": [{"url": "https://a.example"}],
            "annotations": {"example.com/Who": "Ann"},
            "etag": "e",
        },
        Nested={"flag": True, "count": 2.0, "none": None},
    )
    index = model_of(stored(entity)).index
    one = [0]
    assert list(index.equal("metadata.tags", "java")) == one
    assert list(index.equal("metadata.tags.java", "true")) == one
    assert list(index.present("metadata.tags.java")) == one
    assert list(index.present("metadata.description")) == one
    assert not index.equal("metadata.description", "x" * 201)
    assert list(index.equal("metadata.links.url", "https://a.example")) == one
    assert list(index.equal("metadata.annotations.example.com/who", "ann")) == one
    assert list(index.equal("spec.nested.flag", "true")) == one
    assert list(index.equal("spec.nested.count", "2")) == one
    assert list(index.present("spec.nested.none")) == one
    assert list(index.equal("metadata.namespace", "default")) == one
    assert not index.present("metadata.etag")


def test_facets_keep_spellings_apart() -> None:
    """`Java` and `java` are one value to a filter and two in a facet."""
    model = ReadModel()
    for number, tag in enumerate(("Java", "java", "Java", "JAVA")):
        entity = builders.component(f"c{number}", {"tags": [tag]})
        model.put(stored(entity))
    assert len(model.index.equal("metadata.tags", "java")) == 4
    facet = model.index.buckets("metadata.tags", None)
    assert facet == [("JAVA", 1), ("Java", 2), ("java", 1)]
    model.drop("component:default/c3")
    model.drop("component:default/c0")
    facet = model.index.buckets("metadata.tags", None)
    assert facet == [("Java", 1), ("java", 1)]


def test_a_sort_order_follows_changes() -> None:
    """A cached sort order is right after entities are added, changed and deleted."""
    names = ["delta", "alpha", "echo", "bravo"]
    model = model_of(*(stored(builders.component(name)) for name in names))
    everyone = lambda: list(model.order("metadata.name").walk(model.live))  # noqa: E731
    assert refs(model, everyone()) == [f"component:default/{n}" for n in sorted(names)]
    model.drop("component:default/bravo")
    model.put(stored(builders.component("aaa")))
    assert [r.partition("/")[2] for r in refs(model, everyone())] == [
        "aaa", "alpha", "delta", "echo",
    ]  # fmt: skip
    for number in range(100):
        model.put(stored(builders.component(f"b{number:03}")))
    ordered_names = [r.partition("/")[2] for r in refs(model, everyone())]
    assert ordered_names == sorted(ordered_names)
    assert len(ordered_names) == 104


def test_a_cached_term_follows_changes() -> None:
    """A cached search term finds later entities, and no deleted ones."""
    model = model_of(*(stored(builders.component(n)) for n in ("web-shop", "shop-db")))
    find = lambda: refs(model, model.containing("metadata.name", "shop"))  # noqa: E731
    assert len(find()) == 2
    model.put(stored(builders.component("shop-api")))
    model.drop("component:default/web-shop")
    assert sorted(find()) == ["component:default/shop-api", "component:default/shop-db"]


async def test_a_revision_can_be_waited_for() -> None:
    """A waiting caller goes on when the revision comes, or learns that it did not."""
    model = model_of(TEAM)
    now = model.revision.value
    assert await model.revision.reached(now, seconds=0)
    assert not await model.revision.reached(now + 1, seconds=0.01)
    model.put(WEB)
    assert await model.revision.reached(now + 1, seconds=0)


def test_short_and_long_texts_are_found_in_names_and_other_fields() -> None:
    """Through the index of letters or past it, the same values are found."""
    names = ["ledger", "ledger-api", "edge", "l", "ünïcode-edge"]
    entities = [builders.component(n, {"description": n.upper()}) for n in names]
    model = model_of(*map(stored, entities))
    model.put(stored(builders.component("gone")))
    model.drop("component:default/gone")
    for text in ("l", "ed", "edg", "edge", "ledger", "ger-", "ünï", "gone", "edgy"):
        expected = sorted(f"component:default/{n}" for n in names if text in n)
        for path in ("metadata.name", "metadata.description"):
            assert sorted(refs(model, model.containing(path, text))) == expected
    starting_refs = refs(model, model.starting("metadata.name", "led"))
    assert sorted(starting_refs) == [
        "component:default/ledger",
        "component:default/ledger-api",
    ]


@pytest.mark.parametrize("path", ["metadata.title", "metadata.description"])
@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("sør", "Sørlie Åse"),
        ("sor", "Sørlie Åse"),
        ("so", "Sørlie Åse"),
        ("åse", "Sørlie Åse"),
        ("zazo", "Zażółć"),
        ("żół", "Zażółć"),
        ("masse", "Große Maße"),
        ("maß", "Große Maße"),
        ("管理", "顧客管理"),
        ("客", "顧客管理"),
    ],
)
def test_text_is_found_in_any_unicode_form_and_case(
    path: str, text: str, title: str
) -> None:
    """Through the index of letters, past it, and in cached responses."""
    name = path.rpartition(".")[2]
    model = model_of(stored(builders.component("other", {name: "Other"})))
    assert refs(model, model.containing(path, text)) == []
    model.put(stored(builders.component("meant", {name: title})))
    new_model = model_of(stored(builders.component("meant", {name: title})))
    for searched_model in (model, new_model):
        assert refs(searched_model, searched_model.containing(path, text)) == [
            "component:default/meant"
        ]
    model.drop("component:default/meant")
    assert refs(model, model.containing(path, text)) == []


def test_sort_orders_can_be_prepared_in_advance() -> None:
    """Preparation changes no result."""
    model = model_of(WEB, TEAM)
    model.prepare()
    assert refs(model, model.order("metadata.name").walk(model.live)) == [
        "group:default/team-a",
        "component:default/web",
    ]


def test_an_entity_that_is_not_json_changes_nothing() -> None:
    """The read model refuses it as a whole."""
    model = model_of(TEAM)
    before = model.checksum()
    with pytest.raises(TypeError):
        model.put(stored(builders.component("web", {"title": object()})))
    assert model.checksum() == before
    assert list(model.live) == [0]
    model.put(WEB)
    assert list(model.live) == [0, 1]
