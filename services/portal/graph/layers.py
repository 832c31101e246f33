"""Assigns each node a layer, and a place within it.

The classic steps of a layered drawing (Sugiyama, Tagawa and Toda, 1981): turn round
the edges that close a circle, layer by longest path, split long edges with waypoints,
and order each layer by the middle of its neighbours.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

Pair = tuple[str, str]
SWEEPS = 6


def break_cycles(names: Sequence[str], pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs, those turned round that would close a circle."""
    after: dict[str, list[str]] = defaultdict(list)
    for source, target in pairs:
        after[source].append(target)
    state: dict[str, int] = {}
    acyclic_pairs: list[Pair] = []
    for root in names:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(after[root]))]
        while stack:
            name, targets = stack[-1]
            following = next(targets, None)
            if following is None:
                state[name] = 2
                stack.pop()
                continue
            if state.get(following) == 1:
                if following != name:
                    acyclic_pairs.append((following, name))
                continue
            acyclic_pairs.append((name, following))
            if following not in state:
                state[following] = 1
                stack.append((following, iter(after[following])))
    return list(dict.fromkeys(acyclic_pairs))


def assign_layers(names: Sequence[str], pairs: Sequence[Pair]) -> dict[str, int]:
    """Each node's layer: right of all that point to it, as near to them as can be."""
    before: dict[str, list[str]] = defaultdict(list)
    after: dict[str, list[str]] = defaultdict(list)
    for source, target in pairs:
        after[source].append(target)
        before[target].append(source)
    layer: dict[str, int] = {}
    waiting = {name: len(before[name]) for name in names}
    ready = [name for name in names if not waiting[name]]
    order = []
    while ready:
        name = ready.pop(0)
        order.append(name)
        layer[name] = max((layer[source] + 1 for source in before[name]), default=0)
        for target in after[name]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for name in reversed(order):
        if not before[name] and after[name]:
            layer[name] = min(layer[target] for target in after[name]) - 1
    lowest = min(layer.values(), default=0)
    return {name: place - lowest for name, place in layer.items()}


def with_waypoints(
    layer: dict[str, int], pairs: Iterable[Pair]
) -> tuple[dict[str, int], dict[Pair, list[str]]]:
    """Layers with a waypoint in each one that an edge passes; each edge's way."""
    layers = dict(layer)
    ways: dict[Pair, list[str]] = {}
    for source, target in pairs:
        between = range(layer[source] + 1, layer[target])
        stops = [f"{source}\n{target}\n{place}" for place in between]
        layers.update(zip(stops, between, strict=True))
        ways[source, target] = [source, *stops, target]
    return layers, ways


def order_layers(
    layers: dict[str, int], ways: Iterable[Sequence[str]]
) -> list[list[str]]:
    """The nodes of each layer from top to bottom, with few crossings."""
    rows: list[list[str]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for name, place in layers.items():
        rows[place].append(name)
    left: dict[str, list[str]] = defaultdict(list)
    right: dict[str, list[str]] = defaultdict(list)
    for way in ways:
        for one, other in pairwise(way):
            right[one].append(other)
            left[other].append(one)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for place in range(len(rows)) if forward else reversed(range(len(rows))):
            beside = place - 1 if forward else place + 1
            if 0 <= beside < len(rows):
                at = {name: index for index, name in enumerate(rows[beside])}
                _sort_by_middle(rows[place], left if forward else right, at)
    return rows


def _sort_by_middle(
    row: list[str], neighbours: dict[str, list[str]], at: dict[str, int]
) -> None:
    positions = {name: index for index, name in enumerate(row)}

    def middle(name: str) -> float:
        places = [at[other] for other in neighbours[name]]
        return sum(places) / len(places) if places else positions[name]

    row.sort(key=lambda name: (middle(name), positions[name]))
