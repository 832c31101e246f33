"""The other tabs of an entity's page: dependencies, API, activity, raw."""

import asyncio
from collections.abc import Mapping
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.definitions import file_name_of, matching_entries
from services.portal.definitions.entry_search import LONGEST_TERM
from services.portal.entities import (
    Entity,
    Summary,
    annotation,
    related,
    summarize,
)
from services.portal.graph.clusters import nearest
from services.portal.graph.layout import Picture, draw
from services.portal.graph.model import edges_of, node_of
from services.portal.history import actor_refs, moments_of
from services.portal.pages.entity import (
    api_path,
    entity_page,
    opened,
    ref_from,
)
from services.portal.raw_text import raw_text
from services.portal.visit import Visiting, together, with_query
from shared.contracts.annotations import (
    MANAGED_BY_LOCATION,
    MANAGED_BY_ORIGIN,
    SOURCE_LOCATION,
    SOURCE_TEMPLATE,
)
from shared.contracts.headers import NOSNIFF
from shared.guards.workers import run_beside

ACTIVITY_PAGE = 20
LISTS = (
    ("dependsOn", "Depends on", "What this needs to work"),
    ("consumesApi", "Uses APIs", "APIs of others that this calls"),
    ("dependencyOf", "Impact", "What depends on this"),
    ("apiConsumedBy", "Used by", "Who calls this API"),
    ("providesApi", "Provides APIs", "What others may call"),
    ("apiProvidedBy", "Provided by", "Who answers this API"),
    ("partOf", "Part of", ""),
    ("hasPart", "Has parts", ""),
    ("ownedBy", "Owned by", ""),
    ("ownerOf", "Owns", ""),
    ("memberOf", "Member of", ""),
    ("hasMember", "Members", ""),
    ("childOf", "Parent group", ""),
    ("parentOf", "Child groups", ""),
)
SIDES = ("providesApi", "consumesApi", "apiProvidedBy", "apiConsumedBy")
PROVENANCE = (
    (MANAGED_BY_LOCATION, "Read from"),
    (MANAGED_BY_ORIGIN, "Registered as"),
    (SOURCE_LOCATION, "Source"),
    (SOURCE_TEMPLATE, "Made from template"),
)

router = APIRouter()


@router.get("/catalog/{namespace}/{kind}/{name}/dependencies")
async def dependencies(
    namespace: str, kind: str, name: str, visit: Visiting
) -> Response:
    """Every relation as a table, and the nearest as a picture."""
    ref = ref_from(namespace, kind, name)
    entity, head = await opened(visit, ref, *(relation for relation, _, _ in LISTS))
    summaries = head["known"]
    lists = []
    for relation, heading, about in LISTS:
        refs = related(entity, relation)
        targets = [summaries[other] for other in refs if other in summaries]
        if refs:
            lists.append((relation, heading, about, targets, len(refs)))
    return entity_page(
        visit,
        entity,
        "dependencies",
        **head,
        lists=lists,
        picture=_picture(entity, ref, summaries),
    )


def _picture(
    entity: Entity, ref: str, summaries: Mapping[str, Summary]
) -> Picture | None:
    nodes = {other: node_of(summary) for other, summary in summaries.items()}
    nodes[ref] = node_of(summarize(ref, entity))
    edges = [
        edge
        for edge in edges_of(ref, entity.get("relations") or ())
        if edge.source in nodes and edge.target in nodes
    ]
    if not edges:
        return None
    return draw(*nearest(ref, nodes, edges, f"/graph?entity={ref}"), ref)


@router.get("/catalog/{namespace}/{kind}/{name}/api")
async def api(
    namespace: str, kind: str, name: str, visit: Visiting, find: str = ""
) -> Response:
    """An API's definition made readable, with what `find` means; a component's APIs."""
    ref = ref_from(namespace, kind, name)
    entity, head = await opened(visit, ref, *SIDES)
    summaries, spec = head["known"], entity.get("spec") or {}
    definition = (
        await visit.state.definitions.read(
            str(spec.get("type") or ""), str(spec.get("definition") or "")
        )
        if entity["kind"] == "API"
        else None
    )
    return await asyncio.to_thread(
        entity_page,
        visit,
        entity,
        "api",
        **head,
        definition=definition,
        matches=matching_entries(definition, find),
        term=find[:LONGEST_TERM].strip(),
        sides={
            side: [
                summaries[other]
                for other in related(entity, side)
                if other in summaries
            ]
            for side in SIDES
        },
    )


@router.get("/catalog/{namespace}/{kind}/{name}/api/definition")
async def raw_definition(
    namespace: str, kind: str, name: str, visit: Visiting
) -> Response:
    """The definition as it was written, as a file."""
    entity = await visit.get(api_path(ref_from(namespace, kind, name)))
    spec = entity.get("spec") or {}
    text = str(spec.get("definition") or "")
    file_name = quote(f"{name}-{file_name_of(str(spec.get('type') or ''), text)}")
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{file_name}",
        **NOSNIFF,
    }
    return Response(text, 200, headers, "text/plain; charset=utf-8")


@router.get("/catalog/{namespace}/{kind}/{name}/activity")
async def activity(
    namespace: str, kind: str, name: str, visit: Visiting, before: str = ""
) -> Response:
    """All revisions, newest first, each with who, why and what changed."""
    ref = ref_from(namespace, kind, name)
    params = {"limit": str(ACTIVITY_PAGE), **({"cursor": before} if before else {})}
    (entity, head), answer = await together(
        opened(visit, ref), visit.get(f"{api_path(ref)}/history", params)
    )
    people = await visit.summaries(actor_refs(answer["items"]))
    older = (answer.get("pageInfo") or {}).get("nextCursor") or answer.get("nextCursor")
    address = visit.request.url.path
    return entity_page(
        visit,
        entity,
        "activity",
        **head,
        moments=await run_beside(moments_of, answer["items"], people),
        total=answer.get("totalItems"),
        older=with_query(address, {"before": older}) if older else "",
        newest=address if before else "",
    )


@router.get("/catalog/{namespace}/{kind}/{name}/raw")
async def raw(namespace: str, kind: str, name: str, visit: Visiting) -> Response:
    """The entity as YAML, and where it comes from."""
    ref = ref_from(namespace, kind, name)
    entity, head = await opened(visit, ref)
    text, is_cut = await run_beside(raw_text, entity)
    return entity_page(
        visit,
        entity,
        "raw",
        **head,
        text=text,
        is_cut=is_cut,
        provenance=[
            (label, annotation(entity, key))
            for key, label in PROVENANCE
            if annotation(entity, key)
        ],
        json_href=api_path(ref),
    )
