"""The graph: around one entity, or systems as boxes, as a picture and as a table."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.choices.query import ChoiceQuery
from services.portal.entities import (
    Summary,
    entity_href,
    first_ref,
    kind_plural,
    kind_word,
    ref_title,
    split_ref,
    summarize,
)
from services.portal.graph.clusters import (
    MOST_NODES,
    merge_nodes,
)
from services.portal.graph.layout import draw
from services.portal.graph.model import (
    RELATIONS,
    Edge,
    Node,
)
from services.portal.graph.neighbourhood import (
    LEFT,
    Neighbourhood,
    neighbourhood,
)
from services.portal.graph.query import DIRECTIONS, GraphQuery
from services.portal.pages.graph_overview import overview
from services.portal.visit import SUMMARY_FIELDS, Visit, Visiting
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid, NotFound

FIELDS = [*SUMMARY_FIELDS, "relations"]
CHOICES = ChoiceQuery().address()
#: Of up to so many entities of one step also the relations among them are looked up.
MOST_RELATED = 150
HEADS = ("spec.system", "spec.owner")

router = APIRouter()


@dataclass(frozen=True, slots=True)
class TableRow:
    """One arrow as a line of the table."""

    source: Summary
    words: str
    target: Summary


@router.get("/graph")
async def graph(visit: Visiting) -> Response:
    """The picture that the address asks for, with its table."""
    query = GraphQuery.of(visit.request.query_params.multi_items())
    if query.entity:
        return await _focus_page(visit, query)
    return visit.page(
        "graph-overview.html",
        title="Graph",
        nav="graph",
        choices=CHOICES,
        overview=await overview(visit),
    )


async def _focus_page(visit: Visit, query: GraphQuery) -> Response:
    neighbours = await _around(visit, query)
    title = neighbours.nodes[query.entity].title
    nodes, edges, note = _readable(neighbours, query.entity)
    picture = await asyncio.to_thread(
        draw, _focusable(nodes, query), edges, query.entity
    )
    impact = await _impact(visit, neighbours, query)
    return visit.page(
        "graph.html",
        title=title,
        nav="graph",
        crumbs=[("Graph", "/graph")],
        query=query,
        choices=CHOICES,
        directions=DIRECTIONS,
        relations=[(name, words) for name, (_, words) in RELATIONS.items()],
        picture=picture,
        note=note,
        cut=neighbours.cut,
        rows=_table(neighbours),
        impact=impact,
        owners_to_notify=len({owner.ref for _, owner in impact if owner}),
        entity_href=entity_href(query.entity),
    )


async def _around(visit: Visit, query: GraphQuery) -> Neighbourhood:
    kind, namespace, name = split_ref(query.entity)
    if not (kind and namespace and name):
        raise Invalid("entity: must be a full ref such as component:default/booking")

    async def fetch(refs: Sequence[str]) -> Sequence[Entity | None]:
        # Of many at the edge only their names: their relations may be very many.
        fields = FIELDS if len(refs) <= MOST_RELATED else [*SUMMARY_FIELDS, *HEADS]
        entities = await visit.entities(refs, fields)
        return [entities.get(ref) for ref in refs]

    neighbours = await neighbourhood(
        query.entity,
        fetch,
        depth=query.depth,
        direction=query.direction,
        relations=query.relations,
    )
    if query.entity not in neighbours.entities:
        raise NotFound(f"No entity named '{query.entity}'")
    return neighbours


def _readable(
    neighbours: Neighbourhood, focus: str
) -> tuple[list[Node], list[Edge], str]:
    """The nodes; too many are grouped by system, else by owner, else by kind."""
    nodes, edges = list(neighbours.nodes.values()), neighbours.edges
    if len(nodes) <= MOST_NODES:
        return nodes, edges, ""
    many, note = len(nodes), ""
    for label, relation in (("system", "partOf"), ("owner", "ownedBy"), ("kind", "")):
        box = _boxes(neighbours.entities, relation, focus)
        nodes, edges = merge_nodes(nodes, edges, box)
        note = f"{many} entities are too many for one picture: grouped by {label}."
        if len(nodes) <= MOST_NODES:
            break
    return nodes, edges, note


def _boxes(
    entities: Mapping[str, Entity], relation: str, focus: str
) -> Callable[[Node], Node | None]:
    """Names the box that a node goes into: its system, its owner, or its kind."""

    def box(node: Node) -> Node | None:
        entity = entities.get(node.ref)
        if node.ref == focus or node.members or entity is None:
            return None
        if not relation:
            title, ref = kind_plural(node.kind_key), f"kind:{node.kind_key}"
            return Node(ref, title, "All", node.kind_key, "")
        whole = first_ref(entity, relation)
        if node.kind_key in {"system", "domain", "group"} or not whole:
            return None
        kind = kind_word(split_ref(whole)[0])
        href = f"/graph?entity={whole}"
        return Node(f"box:{whole}", f"In {ref_title(whole)}", kind, "system", href)

    return box


def _focusable(nodes: Sequence[Node], query: GraphQuery) -> list[Node]:
    """A click on a node moves the query there; on the focus, opens its page."""
    return [
        node
        if node.members or node.missing or node.ref == query.entity
        else replace(node, href=query.around(node.ref))
        for node in nodes
    ]


def _table(neighbours: Neighbourhood) -> list[TableRow]:
    names = {
        ref: summarize(ref, neighbours.entities.get(ref)) for ref in neighbours.nodes
    }
    return [
        TableRow(names[edge.source], edge.words, names[edge.target])
        for edge in neighbours.edges
    ]


async def _impact(
    visit: Visit, neighbours: Neighbourhood, query: GraphQuery
) -> list[tuple[Summary, Summary | None]]:
    """All entities that depend on the focus, with their owners."""
    if query.direction != LEFT:
        return []
    owners = {
        ref: first_ref(entity, "ownedBy")
        for ref, entity in neighbours.entities.items()
        if ref != query.entity
    }
    owner_summaries = await visit.summaries(owner for owner in owners.values() if owner)
    return [
        (summarize(ref, neighbours.entities[ref]), owner_summaries.get(owner))
        for ref, owner in owners.items()
    ]
