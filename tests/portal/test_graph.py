"""The graph: layers, places, clusters, and the page that shows them."""

import itertools
import random
import re
import time

from services.portal.entities import summarize
from services.portal.graph.clusters import (
    first_neighbours,
    merge_nodes,
)
from services.portal.graph.layers import assign_layers, break_cycles
from services.portal.graph.layout import (
    MOST_ARROWS,
    MOST_BOXES,
    draw,
    spread,
)
from services.portal.graph.model import Edge, Node, edges_of, node_of
from shared.contracts.entity import Entity
from tests.costs import slowness
from tests.portal.company import entity
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi


def node(name: str) -> Node:
    return Node(name, name, "Component", "component", f"/{name}")


def some_graph(seed: int) -> tuple[list[Node], list[Edge]]:
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(chance.randint(2, 60))]
    edges = [
        Edge(chance.choice(names), chance.choice(names), "dependsOn")
        for _ in range(chance.randint(1, 120))
    ]
    return [node(name) for name in names], edges


def test_cycles_are_broken() -> None:
    """Every drawing has layers, whatever depends on what."""
    names = ["a", "b", "c"]
    pairs = break_cycles(names, [("a", "b"), ("b", "c"), ("c", "a"), ("b", "b")])
    layer = assign_layers(names, pairs)
    assert all(layer[source] < layer[target] for source, target in pairs)
    assert set(layer) == set(names)


def test_boxes_never_overlap() -> None:
    """For fifty random graphs, with circles and lonely nodes."""
    for seed in range(50):
        picture = draw(*some_graph(seed))
        for one, other in itertools.combinations(picture.boxes, 2):
            beside = one.x + one.width <= other.x or other.x + other.width <= one.x
            above = one.y + one.height <= other.y or other.y + other.height <= one.y
            assert beside or above, seed
        assert all(box.x >= 0 and box.y >= 0 for box in picture.boxes)
        assert all(box.x + box.width <= picture.width for box in picture.boxes)
        assert all(box.y + box.height <= picture.height for box in picture.boxes)


def test_a_graph_of_any_size_is_drawn_fast() -> None:
    """Two thousand connected nodes: some are drawn, and the focus."""
    names = [f"n{number}" for number in range(2_000)]
    pairs = itertools.islice(itertools.combinations(names, 2), 200_000)
    edges = [Edge(*pair, "hasPart") for pair in pairs]
    start = time.process_time()
    picture = draw([node(name) for name in names], edges, "n1999")
    assert time.process_time() - start < 20 * slowness()
    assert len(picture.boxes) == MOST_BOXES
    assert len(picture.arrows) <= MOST_ARROWS
    assert sum(box.focus for box in picture.boxes) == 1


def test_the_same_graph_gives_the_same_picture() -> None:
    """A live swap moves nothing that did not change."""
    assert draw(*some_graph(7)) == draw(*some_graph(7))


def test_positions_keep_order_and_gaps() -> None:
    """As near to the wish as the neighbours allow."""
    places = spread([10.0, 10.0, 100.0], [20.0, 20.0])
    assert places == [0.0, 20.0, 100.0]


def test_arrows_point_from_dependent_to_dependency() -> None:
    """Whichever end the relation was read from."""
    relations = [
        {"type": "ownedBy", "targetRef": "group:default/g"},
        {"type": "dependencyOf", "targetRef": "component:default/user"},
        {"type": "consumesApi", "targetRef": "api:default/a"},
    ]
    edges = edges_of("component:default/x", Entity({"relations": relations}))
    assert [(edge.source, edge.target) for edge in edges] == [
        ("group:default/g", "component:default/x"),
        ("component:default/user", "component:default/x"),
        ("component:default/x", "api:default/a"),
    ]


def test_an_overview_shows_few_boxes_and_counts_the_rest() -> None:
    """A team that owns a thousand entities is still readable."""
    nodes = {name: node(name) for name in ["g", *map(str, range(1000))]}
    edges = [Edge("g", str(number), "ownerOf") for number in range(1000)]
    nodes_shown, edges_shown = first_neighbours("g", nodes, edges, "/graph?entity=g")
    assert len(nodes_shown) == 8
    assert len(edges_shown) == 7
    assert nodes_shown[-1].title == "994 more"


def test_clusters_merge_boxes_and_arrows() -> None:
    """Arrows within a box vanish, those between two boxes are one."""
    nodes = [node(name) for name in ("a1", "a2", "b1", "b2", "c1")]
    edges = [
        Edge("a1", "a2", "dependsOn"),
        Edge("a1", "b1", "dependsOn"),
        Edge("a2", "b2", "dependsOn"),
        Edge("b1", "c1", "dependsOn"),
    ]
    few, arrows = merge_nodes(nodes, edges, lambda member: node(member.ref[0]))
    assert [(box.ref, box.members) for box in few] == [("a", 2), ("b", 2), ("c1", 0)]
    assert [(edge.source, edge.target) for edge in arrows] == [("a", "b"), ("b", "c1")]


def test_a_missing_entity_is_drawn_without_a_link() -> None:
    """A ref without an entity is drawn, not linked."""
    assert node_of(summarize("component:default/gone")).href == ""


async def test_the_first_page_shows_systems_with_their_sizes(client: Client) -> None:
    """Domains and systems as boxes that lead on, and a field for any entity."""
    text = (await client().get("/graph")).text
    assert 'data-combobox="/choices?what=entities"' in text
    assert "Sales</span><small>7 entities" in text
    assert 'href="/graph?entity=system%3Adefault/sales"' in text
    assert 'href="/graph?entity=domain%3Adefault/theatre"' in text
    assert "Booking" not in text


async def test_the_first_page_costs_the_same_whatever_the_catalog_holds(
    client: Client, api: FakeApi
) -> None:
    """The largest systems and a count of the others: no question asks for more."""
    await client().get("/graph")
    few = len(api.calls)
    api.calls.clear()
    for number in range(3000):
        system = f"s{number % 1000:04}"
        ref = f"system:default/{system}"
        api.entities.setdefault(ref, entity("System", system, {}))
        component = entity("Component", f"c{number}", {"system": system})
        component["relations"] = [{"type": "partOf", "targetRef": ref}]
        api.entities[f"component:default/c{number}"] = component
    text = (await client().get("/graph")).text
    assert "The 30 largest of 1\u202f003" in text
    assert "Sales</span><small>7 entities" in text
    assert len(text) < 60_000
    assert len(api.calls) <= few + 1
    limits = [
        dict(params).get("limit", "0")
        for _, path, params in api.calls
        if "by-query" in path
    ]
    assert all(int(limit) <= 30 for limit in limits)


async def test_a_missing_domain_of_the_overview_is_marked(
    client: Client, api: FakeApi
) -> None:
    """Its systems still stand below its name."""
    for ref, one in api.entities.items():
        if ref.startswith("system:"):
            one["spec"]["domain"] = "nowhere"
    text = (await client().get("/graph")).text
    assert "domain:default/nowhere is not in the catalog" in text


async def test_without_systems_the_overview_shows_teams(
    client: Client, api: FakeApi
) -> None:
    """Without either, the page says what would be here."""
    api.hidden = {ref for ref in api.entities if ref.startswith("system:")}
    text = (await client().get("/graph")).text
    assert "Payments</span>" in text
    api.hidden |= set(api.entities)
    assert "No systems and no teams yet" in (await client().get("/graph")).text


async def test_a_typed_name_without_a_kind_is_a_component(client: Client) -> None:
    """Text that is typed without scripts need not be a whole ref."""
    text = (await client().get("/graph?entity=booking")).text
    assert "<h1>Booking</h1>" in text
    assert 'value="component:default/booking"' in text


async def test_the_impact_graph_passes_through_apis(client: Client) -> None:
    """Consumers of an API depend on the component that provides it; with owners."""
    path = "/graph?entity=component:default/ledger&show=impact"
    text = (await client().get(path)).text
    impact = text[text.index("Owners to notify") : text.index('id="table"')]
    assert "Refunds" in impact
    assert "Checkout" in impact
    assert "Payments" in impact
    assert "ledger-db" not in impact


async def test_owners_to_notify_are_counted_once_each(client: Client) -> None:
    """Several entities of one team are one owner; entities without one have none."""
    path = "/graph?entity=component:default/ledger&show=impact"
    text = (await client().get(path)).text
    impact = text[text.index("Owners to notify") : text.index('id="table"')]
    owners = set(re.findall(r'href="/catalog/default/group/([a-z-]+)"', impact))
    entities = impact.count("<tr data-row>")
    assert 0 < len(owners) < entities
    assert f"{entities} entities depend on this; {len(owners)} owner" in impact


async def test_depth_and_direction_are_in_the_address(client: Client) -> None:
    """One step shows the neighbours, two theirs."""
    path = "/graph?entity=component:default/seat-map&direction=it-needs"
    near = (await client().get(path)).text
    far = (await client().get(f"{path}&depth=2")).text
    assert "seats-db" not in near
    assert "seats-db" in far
    assert 'href="/graph?entity=component:default/booking&amp;depth=2' in far


async def test_a_large_graph_is_grouped_by_system(client: Client, api: FakeApi) -> None:
    """Above a hundred and fifty boxes, systems replace their parts, with a note."""
    owns = api.entities["group:default/stage-team"]["relations"]
    for number in range(200):
        component = entity("Component", f"c{number}", {"system": "sales"})
        component["relations"] = [
            {"type": "partOf", "targetRef": "system:default/sales"}
        ]
        api.entities[f"component:default/c{number}"] = component
        owns.append({"type": "ownerOf", "targetRef": f"component:default/c{number}"})
    text = (await client().get("/graph?entity=group:default/stage-team")).text
    assert "grouped by system" in text
    assert "In sales (System): 200 entities" in text


async def test_a_hub_of_thousands_is_cut_with_a_note(
    client: Client, api: FakeApi
) -> None:
    """A team that owns five thousand entities costs as much as one with 400."""
    owns = api.entities["group:default/stage-team"]["relations"]
    for number in range(5000):
        ref = f"component:default/c{number}"
        api.entities[ref] = entity("Component", f"c{number}", {"system": "sales"})
        owns.append({"type": "ownerOf", "targetRef": ref})
    text = (await client().get("/graph?entity=group:default/stage-team")).text
    assert "Not everything is shown" in text
    requests = [body["entityRefs"] for _, path, body in api.calls if "by-refs" in path]
    assert max(map(len, requests)) <= 400
