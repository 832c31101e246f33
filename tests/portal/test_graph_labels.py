"""The words on arrows stand upon no box and no other words, near to their line."""

import itertools
import random

import pytest

from services.portal.graph.labels import Area, label_area
from services.portal.graph.layout import LABELS_SHOWN, Picture, draw
from services.portal.graph.model import RELATIONS, Edge, Node

FOCUS = "n0"


def labelled_graph(seed: int) -> tuple[list[Node], list[Edge]]:
    """A graph with few enough arrows for words; some pairs have several."""
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(chance.randint(2, 24))]
    nodes = [
        Node(name, name * chance.randint(1, 8), "Component", "component", f"/{name}")
        for name in names
    ]
    near = names[: chance.randint(2, len(names))]
    edges = {
        Edge(chance.choice(near), chance.choice(names), chance.choice([*RELATIONS]))
        for _ in range(chance.randint(1, LABELS_SHOWN))
    }
    return nodes, sorted(edges, key=lambda edge: (edge.source, edge.target))


def labels_of(picture: Picture) -> list[Area]:
    return [
        label_area(arrow.words, (arrow.x, arrow.y))
        for arrow in picture.arrows
        if arrow.words
    ]


def boxes_of(picture: Picture) -> list[Area]:
    return [
        Area(box.x, box.y, box.x + box.width, box.y + box.height)
        for box in picture.boxes
    ]


def test_arrow_labels_never_overlap() -> None:
    """In five hundred random graphs: no other labels, no box, nothing outside."""
    arrows = words = 0
    for seed in range(500):
        picture = draw(*labelled_graph(seed), FOCUS)
        labels, boxes = labels_of(picture), boxes_of(picture)
        for one, other in itertools.combinations(labels, 2):
            assert not one.meets(other), seed
        for one, other in itertools.product(labels, boxes):
            assert not one.meets(other), seed
        whole = Area(0, 0, picture.width, picture.height)
        assert all(whole.holds(label) for label in labels), seed
        arrows, words = arrows + len(picture.arrows), words + len(labels)
    assert words > 0.95 * arrows


@pytest.mark.parametrize("inward", [True, False])
def test_every_arrow_of_a_fan_has_its_label(*, inward: bool) -> None:
    """An entity with as many relations as labels are shown for."""
    names = [f"n{number}" for number in range(LABELS_SHOWN + 1)]
    nodes = [Node(name, name, "Component", "component", "") for name in names]
    pairs = [(name, FOCUS) if inward else (FOCUS, name) for name in names[1:]]
    picture = draw(nodes, [Edge(*pair, "dependsOn") for pair in pairs], FOCUS)
    assert len(labels_of(picture)) == LABELS_SHOWN


def test_two_relations_of_one_pair_both_have_labels() -> None:
    """Their arrows overlap; the labels do not."""
    nodes = [Node(name, name, "Component", "component", "") for name in ("a", "b")]
    edges = [Edge("a", "b", relation) for relation in ("dependsOn", "consumesApi")]
    picture = draw(nodes, edges, "a")
    assert [arrow.words for arrow in picture.arrows] == ["depends on", "uses"]
    one, other = labels_of(picture)
    assert not one.meets(other)


def test_labels_stay_in_the_middle_where_there_is_room() -> None:
    """A picture that had room looks as before."""
    nodes = [Node(name, name, "Component", "component", "") for name in ("a", "b")]
    (arrow,) = draw(nodes, [Edge("a", "b", "dependsOn")], "a").arrows
    one, other = boxes_of(draw(nodes, [Edge("a", "b", "dependsOn")], "a"))
    assert arrow.x == pytest.approx((one.right + other.left) / 2)
    assert arrow.y == pytest.approx((one.top + one.bottom) / 2)


def test_arrows_without_room_have_no_label() -> None:
    """They are drawn; the table beside the picture has their relations."""
    nodes = [Node(name, name, "Component", "component", "") for name in ("a", "b")]
    edges = [Edge("a", "b", relation) for relation in RELATIONS]
    picture = draw(nodes, edges, "a")
    assert len(picture.arrows) == len(RELATIONS)
    assert 2 <= len(labels_of(picture)) < len(RELATIONS)
