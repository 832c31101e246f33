"""What to draw around an entity: outward from it, step by step, to a depth.

It is given a way to fetch entities, a whole step at a time, and keeps within a limit.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from services.portal.entities import summarize
from services.portal.graph.model import Edge, Node, edges_of, node_of
from shared.contracts.entity import Entity

Fetch = Callable[[Sequence[str]], Awaitable[Sequence[Entity | None]]]

MOST_FETCHED = 400
BOTH, LEFT, RIGHT = "both", "needs-it", "it-needs"


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What was found; `cut` counts entities beyond the limit that were left out."""

    nodes: dict[str, Node]
    edges: list[Edge]
    entities: dict[str, Entity]
    cut: int


async def neighbourhood(
    focus: str,
    fetch: Fetch,
    *,
    depth: int,
    direction: str,
    relations: Collection[str],
) -> Neighbourhood:
    """The entities within `depth` steps of `focus` along these relations.

    `direction` LEFT goes to what needs an entity, RIGHT to what it needs.
    """
    nodes: dict[str, Node] = {}
    entities: dict[str, Entity] = {}
    edges: dict[Edge, None] = {}
    step, cut = [focus], 0
    for distance in range(depth + 1):
        step_entities = await fetch(step)
        following: dict[str, None] = {}
        for ref, entity in zip(step, step_entities, strict=True):
            nodes[ref] = node_of(summarize(ref, entity))
            if entity is None:
                continue
            entities[ref] = entity
            for edge in _edges_in_direction(ref, entity, direction, relations):
                edges[edge] = None
                other = edge.target if edge.source == ref else edge.source
                if other not in nodes:
                    following[other] = None
        if distance == depth or not following:
            break
        room = max(0, MOST_FETCHED - len(nodes))
        step = [ref for ref in following if ref not in nodes]
        cut += max(0, len(step) - room)
        step = step[:room]
    inner_edges = [
        edge for edge in edges if edge.source in nodes and edge.target in nodes
    ]
    return Neighbourhood(nodes, inner_edges, entities, cut)


def _edges_in_direction(
    ref: str, entity: Entity, direction: str, relations: Collection[str]
) -> list[Edge]:
    """The entity's arrows that lead on in this direction."""
    edges = edges_of(ref, entity, relations)
    if direction == LEFT:
        return [edge for edge in edges if edge.needy != ref]
    if direction == RIGHT:
        return [edge for edge in edges if edge.needy == ref]
    return edges
