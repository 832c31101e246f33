"""Every component in every state, for those who build pages; in development only."""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.entities import Summary
from services.portal.formats import now
from services.portal.graph.layout import draw
from services.portal.graph.model import Edge, Node
from services.portal.history import TimelineEntry, changes_of
from services.portal.tables import Column, Facet, FacetChoice, Paging
from services.portal.visit import Visiting
from shared.contracts.errors import NotFound

router = APIRouter()


@router.get("/styleguide")
async def styleguide(visit: Visiting) -> Response:
    """The components page. Raises NotFound outside of development."""
    if not visit.state.frame.development:
        raise NotFound("The style guide is shown in development only")
    names = ("Seat map", "Booking", "Booking API")
    nodes = [
        Node(name, name, "Component", "component", "/styleguide", missing=at == 2)
        for at, name in enumerate(names)
    ]
    edges = [
        Edge("Seat map", "Booking", "dependsOn"),
        Edge("Booking", "Booking API", "providesApi"),
    ]
    diff: list[dict[str, Any]] = [
        {"path": "spec.lifecycle", "before": "experimental", "after": "production"},
        {"path": "metadata.tags", "before": ["a"], "after": ["a", "b"]},
    ]
    return visit.page(
        "styleguide.html",
        title="Style guide",
        summary=Summary(
            "component:default/booking", "Component", "component", "Booking"
        ),
        missing=Summary("group:default/gone", "Group", "group", "gone", missing=True),
        picture=draw(nodes, edges, "Booking"),
        columns=[Column("Name", "/styleguide", "ascending"), Column("Owner")],
        paging=Paging(51, 100, 12345, "/styleguide", "/styleguide"),
        facet=Facet(
            "type",
            "Type",
            (
                FacetChoice("service", "service", 7, chosen=True),
                FacetChoice("x", "website", 2),
            ),
        ),
        moments=[
            TimelineEntry(
                "Move to production",
                "Ann Becker",
                (now() - timedelta(minutes=3)).isoformat(),
                4,
                "git.playhouse.example/booking",
                "4f1c9a7be2d0",
                changes_of(diff),
            )
        ],
    )
