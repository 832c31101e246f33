"""Coordinates: where each box stands and how each arrow runs, in SVG user units."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.portal.graph.labels import Area, Point, place_labels
from services.portal.graph.layers import (
    Pair,
    assign_layers,
    break_cycles,
    order_layers,
    with_waypoints,
)
from services.portal.graph.model import Edge, Node
from services.portal.graph.text_widths import CHARACTER, text_width

BOX_HEIGHT = 40.0
LONGEST_TITLE = 26
PADDING = 14.0
ROW_GAP = 14.0
LAYER_GAP = 92.0
MARGIN = 12.0
ROUNDS = 8
LABELS_SHOWN = 26  # with more arrows, words on each would hide them
#: More boxes and arrows than these nobody can read, and placing them takes seconds.
MOST_BOXES = 300
MOST_ARROWS = 500


@dataclass(frozen=True, slots=True)
class NodeBox:
    """A node in its place; `x` and `y` are its upper left corner."""

    node: Node
    text: str
    x: float
    y: float
    width: float
    height: float
    focus: bool


@dataclass(frozen=True, slots=True)
class Arrow:
    """An edge as an SVG path, with its words at (x, y), "" if they are not shown."""

    edge: Edge
    path: str
    words: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing: what stands where, and how large it all is."""

    boxes: tuple[NodeBox, ...]
    arrows: tuple[Arrow, ...]
    width: float
    height: float


def draw(nodes: Sequence[Node], edges: Sequence[Edge], focus: str = "") -> Picture:
    """The layered drawing of these nodes; edges to others are left out.

    Of more than can be drawn the first are, the focus always.
    """
    if len(nodes) > MOST_BOXES:
        nodes = sorted(nodes, key=lambda node: node.ref != focus)[:MOST_BOXES]
    by_ref = {node.ref: node for node in nodes}
    drawn_edges = [
        edge for edge in edges if edge.source in by_ref and edge.target in by_ref
    ]
    drawn_edges = drawn_edges[:MOST_ARROWS]
    pairs = break_cycles(
        list(by_ref), [(edge.source, edge.target) for edge in drawn_edges]
    )
    layer = assign_layers(list(by_ref), pairs)
    layers, ways = with_waypoints(layer, pairs)
    rows = order_layers(layers, ways.values())
    widths = {name: _width(by_ref[name]) for name in by_ref}
    lefts, columns, width = _columns(rows, widths)
    tops = _tops(rows, ways.values(), by_ref)
    boxes = tuple(
        NodeBox(
            by_ref[name],
            _clip_title(by_ref[name].title),
            lefts[place],
            tops[name],
            widths[name],
            BOX_HEIGHT,
            name == focus,
        )
        for place, row in enumerate(rows)
        for name in row
        if name in by_ref
    )
    at = {box.node.ref: box for box in boxes}
    has_labels = len(drawn_edges) <= LABELS_SHOWN
    lines = [
        (edge, _points(edge, ways, at, tops, layers, lefts, columns))
        for edge in drawn_edges
        if edge.source != edge.target
    ]
    bottom = max((box.y + box.height for box in boxes), default=0.0)
    height = max(bottom, *tops.values(), 0.0) + MARGIN
    picture = Area(0.0, 0.0, width, height)
    arrows = _arrows(lines, boxes, picture, has_labels=has_labels)
    return Picture(boxes, arrows, width, height)


def _arrows(
    lines: Sequence[tuple[Edge, list[Point]]],
    boxes: Sequence[NodeBox],
    picture: Area,
    *,
    has_labels: bool,
) -> tuple[Arrow, ...]:
    """The arrows, with words where there is room for them."""
    areas = [Area(box.x, box.y, box.x + box.width, box.y + box.height) for box in boxes]
    labelled = [(edge.words if has_labels else "", points) for edge, points in lines]
    middles = place_labels(labelled, areas, picture)
    return tuple(
        Arrow(edge, _path(points), edge.words if middle else "", *(middle or points[0]))
        for (edge, points), middle in zip(lines, middles, strict=True)
    )


def _clip_title(title: str) -> str:
    long = len(title) > LONGEST_TITLE
    return title[: LONGEST_TITLE - 1] + "…" if long else title


def _width(node: Node) -> float:
    count = max(text_width(_clip_title(node.title)), 0.8 * text_width(node.kind), 6.0)
    return round(count * CHARACTER + 2 * PADDING, 1)


def _columns(
    rows: Sequence[Sequence[str]], widths: dict[str, float]
) -> tuple[list[float], list[float], float]:
    """Left edge and width of each layer, and the width of all."""
    lefts, columns, x = [], [], MARGIN
    for row in rows:
        column = max((widths[name] for name in row if name in widths), default=20.0)
        lefts.append(x)
        columns.append(column)
        x += column + LAYER_GAP
    return lefts, columns, x - LAYER_GAP + MARGIN


def _tops(
    rows: Sequence[Sequence[str]],
    ways: Iterable[Sequence[str]],
    by_ref: dict[str, Node],
) -> dict[str, float]:
    """Upper edges: near the middle of the neighbours, none upon another."""
    beside: dict[str, list[str]] = defaultdict(list)
    for way in ways:
        for one, other in pairwise(way):
            beside[one].append(other)
            beside[other].append(one)
    heights = {
        name: BOX_HEIGHT if name in by_ref else 4.0 for row in rows for name in row
    }
    middle: dict[str, float] = {}
    for row in rows:
        y = 0.0
        for name in row:
            middle[name] = y + heights[name] / 2
            y += heights[name] + ROW_GAP
    for turn in range(ROUNDS):
        for row in rows if turn % 2 else reversed(rows):
            ideal_places = [
                sum(middle[other] for other in beside[name]) / len(beside[name])
                if beside[name]
                else middle[name]
                for name in row
            ]
            gaps = [
                (heights[one] + heights[other]) / 2 + ROW_GAP
                for one, other in pairwise(row)
            ]
            middle.update(zip(row, spread(ideal_places, gaps), strict=True))
    tops = {name: middle[name] - heights[name] / 2 for name in middle}
    lowest = min(tops.values(), default=0.0)
    return {name: round(top - lowest + MARGIN, 1) for name, top in tops.items()}


def spread(ideal_places: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """The places nearest to those wanted that keep the order and these gaps.

    Isotonic regression by pooling adjacent violators, after taking the gaps out.
    """
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    pools: list[tuple[float, int]] = []  # (sum, how many)
    for ideal_place, offset in zip(ideal_places, offsets, strict=False):
        pools.append((ideal_place - offset, 1))
        while len(pools) > 1 and _mean(pools[-2]) > _mean(pools[-1]):
            total, many = pools.pop()
            pools[-1] = (pools[-1][0] + total, pools[-1][1] + many)
    levels = [_mean(pool) for pool in pools for _ in range(pool[1])]
    return [level + offset for level, offset in zip(levels, offsets, strict=False)]


def _mean(pool: tuple[float, int]) -> float:
    return pool[0] / pool[1]


def _points(
    edge: Edge,
    ways: dict[Pair, list[str]],
    at: dict[str, NodeBox],
    tops: dict[str, float],
    layers: dict[str, int],
    lefts: Sequence[float],
    columns: Sequence[float],
) -> list[Point]:
    """The points that an arrow passes, from its source to its target."""
    turned = (edge.source, edge.target) not in ways
    way = ways[(edge.target, edge.source) if turned else (edge.source, edge.target)]
    first, last = at[way[0]], at[way[-1]]
    points = [(first.x + first.width, first.y + first.height / 2)]
    for stop in way[1:-1]:
        left, y = lefts[layers[stop]], tops[stop] + 2
        points += [(left, y), (left + columns[layers[stop]], y)]
    points.append((last.x, last.y + last.height / 2))
    if turned:
        points.reverse()
    return points


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Straight through the layers passed, in curves between them."""
    x, y = points[0]
    parts = [f"M{x:.1f} {y:.1f}"]
    for at, (next_x, next_y) in enumerate(points[1:]):
        if at % 2:
            parts.append(f"L{next_x:.1f} {next_y:.1f}")
        else:
            bend = (x + next_x) / 2
            parts.append(f"C{bend:.1f} {y:.1f} {bend:.1f} {next_y:.1f}")
            parts.append(f"{next_x:.1f} {next_y:.1f}")
        x, y = next_x, next_y
    return " ".join(parts)
