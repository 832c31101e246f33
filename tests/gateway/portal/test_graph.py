"""The graph: layers, places, clusters, and the page that shows them."""

import itertools
import random
import time

from services.gateway.portal.entities import summarize
from services.gateway.portal.graph.clusters import (
    clustered,
    nearest,
    without_repeats,
)
from services.gateway.portal.graph.layers import acyclic, layered
from services.gateway.portal.graph.layout import (
    MOST_ARROWS,
    MOST_BOXES,
    draw,
    spread,
)
from services.gateway.portal.graph.model import Edge, Node, edges_of, node_of
from tests.gateway.portal.conftest import Client
from tests.gateway.portal.fakes import FakeApi
from tests.gateway.portal.house import entity


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


def test_circles_are_opened() -> None:
    """Every drawing has layers, whatever depends on what."""
    names = ["a", "b", "c"]
    pairs = acyclic(names, [("a", "b"), ("b", "c"), ("c", "a"), ("b", "b")])
    layer = layered(names, pairs)
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


def test_a_graph_of_any_size_is_drawn_in_time() -> None:
    """Two thousand nodes, each before the others: some are drawn, and the focus."""
    names = [f"n{number}" for number in range(2_000)]
    pairs = itertools.islice(itertools.combinations(names, 2), 200_000)
    edges = [Edge(*pair, "hasPart") for pair in pairs]
    begun = time.process_time()
    picture = draw([node(name) for name in names], without_repeats(edges), "n1999")
    assert time.process_time() - begun < 20
    assert len(picture.boxes) == MOST_BOXES
    assert len(picture.arrows) <= MOST_ARROWS
    assert sum(box.focus for box in picture.boxes) == 1


def test_the_same_graph_gives_the_same_picture() -> None:
    """A live swap moves nothing that did not change."""
    assert draw(*some_graph(7)) == draw(*some_graph(7))


def test_places_keep_order_and_gaps() -> None:
    """As near to the wish as the neighbours allow."""
    found = spread([10.0, 10.0, 100.0], [20.0, 20.0])
    assert found == [0.0, 20.0, 100.0]


def test_arrows_point_from_what_needs_to_what_is_needed() -> None:
    """Whichever end the relation was read from."""
    relations = [
        {"type": "ownedBy", "targetRef": "group:default/g"},
        {"type": "dependencyOf", "targetRef": "component:default/user"},
        {"type": "consumesApi", "targetRef": "api:default/a"},
    ]
    found = edges_of("component:default/x", relations)
    assert [(edge.source, edge.target) for edge in found] == [
        ("group:default/g", "component:default/x"),
        ("component:default/user", "component:default/x"),
        ("component:default/x", "api:default/a"),
    ]


def test_an_overview_shows_few_and_counts_the_rest() -> None:
    """A team that owns a thousand things is no hairball."""
    nodes = {name: node(name) for name in ["g", *map(str, range(1000))]}
    edges = [Edge("g", str(number), "ownerOf") for number in range(1000)]
    shown, kept = nearest("g", nodes, edges, "/graph?entity=g")
    assert len(shown) == 8
    assert len(kept) == 7
    assert shown[-1].title == "994 more"


def test_clusters_merge_boxes_and_arrows() -> None:
    """Arrows within a box vanish, those between two boxes are one."""
    nodes = [node(name) for name in ("a1", "a2", "b1", "b2", "c1")]
    edges = [
        Edge("a1", "a2", "dependsOn"),
        Edge("a1", "b1", "dependsOn"),
        Edge("a2", "b2", "dependsOn"),
        Edge("b1", "c1", "dependsOn"),
    ]
    few, kept = clustered(nodes, edges, lambda each: node(each.ref[0]))
    assert [(each.ref, each.members) for each in few] == [("a", 2), ("b", 2), ("c1", 0)]
    assert [(edge.source, edge.target) for edge in kept] == [("a", "b"), ("b", "c1")]


def test_what_is_missing_leads_nowhere() -> None:
    """A ref without an entity is drawn, not linked."""
    assert node_of(summarize("component:default/gone")).href == ""


async def test_the_whole_house_is_the_first_page(client: Client) -> None:
    """Domains, systems and what they are made of; people are left out."""
    text = (await client().get("/graph")).text
    assert "How everything hangs together" in text
    assert "/graph?entity=system:default/sales" in text
    assert "Ann Becker (User)" not in text


async def test_what_breaks_goes_through_apis(client: Client) -> None:
    """Who uses an API breaks with the component that provides it; owners are named."""
    path = "/graph?entity=component:default/ledger&show=impact"
    text = (await client().get(path)).text
    impact = text[text.index("Whom to tell") : text.index("The same as a table")]
    assert "Refunds" in impact
    assert "Checkout" in impact
    assert "Payments" in impact
    assert "ledger-db" not in impact


async def test_depth_and_direction_are_in_the_address(client: Client) -> None:
    """One step shows the neighbours, two theirs."""
    path = "/graph?entity=component:default/seat-map&direction=it-needs"
    near = (await client().get(path)).text
    far = (await client().get(f"{path}&depth=2")).text
    assert "seats-db" not in near
    assert "seats-db" in far
    assert 'href="/graph?entity=component:default/booking&amp;depth=2' in far


async def test_a_large_house_is_grouped_and_says_so(
    client: Client, api: FakeApi
) -> None:
    """Above a hundred and fifty boxes, systems stand for their parts."""
    for number in range(200):
        made = entity("Component", f"c{number}", {"system": "sales"})
        part = {"type": "partOf", "targetRef": "system:default/sales"}
        made["relations"] = [part]
        api.entities[f"component:default/c{number}"] = made
    text = (await client().get("/graph")).text
    assert "grouped by system" in text
    assert "In sales (System): 207 entities" in text


async def test_the_whole_house_leaves_repeating_arrows_to_the_table(
    client: Client,
) -> None:
    """A system holds the API of its component: the way through it is drawn."""
    text = (await client().get("/graph")).text
    drawn = text.count('class="edge"')
    rows = text[text.index('id="table"') :].count("<tr>") - 1
    assert 0 < drawn < rows
