"""Merges nodes: neighbours of one relation, or entities of one system, in one box."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from services.portal.graph.model import Edge, Node

MOST_NODES = 150
SORT_SHOWN = 6  # neighbours of one relation on an overview


def merge_nodes(
    nodes: Sequence[Node], edges: Sequence[Edge], box: Callable[[Node], Node | None]
) -> tuple[list[Node], list[Edge]]:
    """The nodes merged into the boxes that `box` gives; None leaves a node as it is.

    A box of one node is that node; arrows between the same boxes become one.
    """
    boxes = {node.ref: box(node) for node in nodes}
    sizes = Counter(target.ref for target in boxes.values() if target)
    names: dict[str, str] = {}
    merged: dict[str, Node] = {}
    for node in nodes:
        target = boxes[node.ref]
        merged_node = node if target is None or sizes[target.ref] < 2 else target
        names[node.ref] = merged_node.ref
        if merged_node is not node:
            merged_node = replace(merged_node, members=sizes[merged_node.ref])
        merged.setdefault(merged_node.ref, merged_node)
    return list(merged.values()), _rename_edges(edges, names)


def first_neighbours(
    focus: str, nodes: Mapping[str, Node], edges: Sequence[Edge], more_href: str
) -> tuple[list[Node], list[Edge]]:
    """Of each relation the first nodes, and one box for the rest."""
    groups: dict[tuple[str, bool], list[Edge]] = {}
    for edge in edges:
        groups.setdefault((edge.relation, edge.source == focus), []).append(edge)
    drawn_nodes, drawn_edges = {focus: nodes[focus]}, []
    for (relation, outward), group in groups.items():
        first_edges = group if len(group) <= SORT_SHOWN + 1 else group[:SORT_SHOWN]
        for edge in first_edges:
            other = edge.target if outward else edge.source
            drawn_nodes[other] = nodes[other]
            drawn_edges.append(edge)
        rest = len(group) - len(first_edges)
        if rest:
            ref = f"more:{relation}/{outward}"
            drawn_nodes[ref] = Node(
                ref, f"{rest} more", "", "entity", more_href, members=rest
            )
            ends = (focus, ref) if outward else (ref, focus)
            drawn_edges.append(Edge(*ends, relation))
    return list(drawn_nodes.values()), drawn_edges


def _rename_edges(edges: Sequence[Edge], names: Mapping[str, str]) -> list[Edge]:
    unique_edges = dict.fromkeys(
        Edge(names[edge.source], names[edge.target], edge.relation)
        for edge in edges
        if edge.source in names and edge.target in names
    )
    return [edge for edge in unique_edges if edge.source != edge.target]
