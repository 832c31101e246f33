"""Fewer nodes: neighbours of one sort, or what is of one system, drawn as one box."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from services.gateway.portal.graph.model import Edge, Node
from shared.guards.budgets import Budget, BudgetExceeded

MOST_NODES = 150
CONTAINS = frozenset({"hasPart", "ownerOf"})
SORT_SHOWN = 6  # neighbours of one relation on an overview
#: Steps that looking for repetitions may take; what is not looked at is drawn.
MOST_STEPS = 200_000


def clustered(
    nodes: Sequence[Node], edges: Sequence[Edge], box: Callable[[Node], Node | None]
) -> tuple[list[Node], list[Edge]]:
    """Nodes merged into the box that `box` names for each; None stays as it is.

    A box of one stays that one; arrows between the same boxes become one.
    """
    boxes = {node.ref: box(node) for node in nodes}
    sizes = Counter(found.ref for found in boxes.values() if found)
    names: dict[str, str] = {}
    merged: dict[str, Node] = {}
    for node in nodes:
        found = boxes[node.ref]
        kept = node if found is None or sizes[found.ref] < 2 else found
        names[node.ref] = kept.ref
        if kept is not node:
            kept = replace(kept, members=sizes[kept.ref])
        merged.setdefault(kept.ref, kept)
    return list(merged.values()), _renamed(edges, names)


def nearest(
    focus: str, nodes: Mapping[str, Node], edges: Sequence[Edge], more_href: str
) -> tuple[list[Node], list[Edge]]:
    """An overview's few: of each relation the first, and a box for the rest."""
    groups: dict[tuple[str, bool], list[Edge]] = {}
    for edge in edges:
        groups.setdefault((edge.relation, edge.source == focus), []).append(edge)
    shown, kept = {focus: nodes[focus]}, []
    for (relation, outward), group in groups.items():
        few = group if len(group) <= SORT_SHOWN + 1 else group[:SORT_SHOWN]
        for edge in few:
            other = edge.target if outward else edge.source
            shown[other] = nodes[other]
            kept.append(edge)
        rest = len(group) - len(few)
        if rest:
            ref = f"more:{relation}/{outward}"
            shown[ref] = Node(
                ref, f"{rest} more", "", "entity", more_href, members=rest
            )
            ends = (focus, ref) if outward else (ref, focus)
            kept.append(Edge(*ends, relation))
    return list(shown.values()), kept


def without_repeats(edges: Sequence[Edge]) -> list[Edge]:
    """Without the arrows of containment that only repeat a longer way.

    A system contains the API that its component provides: the picture shows the way
    through the component, a table beside it has both.
    """
    after: dict[str, set[str]] = {}
    for edge in edges:
        after.setdefault(edge.source, set()).add(edge.target)
    budget = Budget("graph", nodes=MOST_STEPS)
    kept: list[Edge] = []
    for number, edge in enumerate(edges):
        try:
            if edge.relation not in CONTAINS or not _longer_way(edge, after, budget):
                kept.append(edge)
        except BudgetExceeded:
            return [*kept, *edges[number:]]
    return kept


def _longer_way(edge: Edge, after: Mapping[str, set[str]], budget: Budget) -> bool:
    waiting = list(after[edge.source] - {edge.target, edge.source})
    seen = {edge.source, *waiting}
    while waiting:
        for other in after.get(waiting.pop(), ()):
            budget.pay_nodes()
            if other == edge.target:
                return True
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return False


def _renamed(edges: Sequence[Edge], names: Mapping[str, str]) -> list[Edge]:
    found = dict.fromkeys(
        Edge(names[edge.source], names[edge.target], edge.relation)
        for edge in edges
        if edge.source in names and edge.target in names
    )
    return [edge for edge in found if edge.source != edge.target]
