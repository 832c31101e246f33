"""The other tabs of an entity's page: dependencies, API, activity, raw."""

import asyncio
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.api_paths import entity_path
from services.portal.definitions import file_name_of, matching_entries
from services.portal.definitions.entry_search import LONGEST_TERM
from services.portal.entities import (
    annotation,
    ref_from,
    related_refs,
)
from services.portal.graph.model import own_relations
from services.portal.history import actor_refs, moments_of
from services.portal.pages.entity import (
    entity_page,
    open_entity,
    picture_of,
)
from services.portal.raw_text import raw_text
from services.portal.visit import Visiting, gather, with_query
from shared.contracts.annotations import (
    MANAGED_BY_LOCATION,
    MANAGED_BY_ORIGIN,
    SOURCE_LOCATION,
    SOURCE_TEMPLATE,
)
from shared.contracts.entity import Entity, list_of, mapping_of, text_of
from shared.contracts.headers import NOSNIFF
from shared.guards.workers import run_beside

ACTIVITY_PAGE = 20
#: Relation, heading and what it means.
LISTS = (
    ("dependsOn", "Depends on", "What this needs to work"),
    ("consumesApi", "Uses APIs", "APIs of others that this calls"),
    ("dependencyOf", "Dependents", "What depends on this directly"),
    ("apiConsumedBy", "Used by", "Who calls this API"),
    ("providesApi", "Provides APIs", "What others may call"),
    ("apiProvidedBy", "Provided by", "Who answers this API"),
    ("partOf", "Belongs to", ""),
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
    """All relations as tables, and the first of each as a picture."""
    ref = ref_from(namespace, kind, name)
    entity, head = await open_entity(visit, ref, mentions_all=True)
    summaries = head["summaries"]
    lists = []
    own_lists = [(name, words, "") for name, words in own_relations(entity).items()]
    for relation, heading, about in (*LISTS, *own_lists):
        refs = related_refs(entity, relation)
        targets = [summaries[other] for other in refs if other in summaries]
        if refs:
            lists.append((relation, heading, about, targets, len(refs)))
    return entity_page(
        visit,
        entity,
        "dependencies",
        **head,
        lists=lists,
        picture=picture_of(entity, summaries),
    )


@router.get("/catalog/{namespace}/{kind}/{name}/api")
async def api(
    namespace: str, kind: str, name: str, visit: Visiting, find: str = ""
) -> Response:
    """An API's definition made readable, with what `find` means; a component's APIs."""
    ref = ref_from(namespace, kind, name)
    entity, head = await open_entity(visit, ref, *SIDES)
    summaries, definition, remotes = head["summaries"], None, _remotes(entity)
    text = text_of(entity.spec.get("definition"))
    if entity.kind == "API" and (text.strip() or not remotes):
        definition = await visit.state.definitions.read(entity.type, text)
    return await asyncio.to_thread(
        entity_page,
        visit,
        entity,
        "api",
        **head,
        definition=definition,
        remotes=remotes,
        matches=matching_entries(definition, find),
        term=find[:LONGEST_TERM].strip(),
        sides={
            side: [
                summaries[other]
                for other in related_refs(entity, side)
                if other in summaries
            ]
            for side in SIDES
        },
    )


def _remotes(entity: Entity) -> list[tuple[str, str]]:
    """The address and the transport of each remote of an API, as of an MCP server."""
    if entity.kind != "API":
        return []
    remotes = map(mapping_of, list_of(entity.spec.get("remotes")))
    listed = [(text_of(item.get("url")), text_of(item.get("type"))) for item in remotes]
    return [remote for remote in listed if any(remote)]


@router.get("/catalog/{namespace}/{kind}/{name}/api/definition")
async def raw_definition(
    namespace: str, kind: str, name: str, visit: Visiting
) -> Response:
    """The definition as it was written, as a file."""
    entity = await visit.entity(ref_from(namespace, kind, name))
    text = text_of(entity.spec.get("definition"))
    file_name = quote(f"{name}-{file_name_of(entity.type, text)}")
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
    (entity, head), answer = await gather(
        open_entity(visit, ref), visit.get(f"{entity_path(ref)}/history", params)
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
    entity, head = await open_entity(visit, ref)
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
        json_href=entity_path(ref),
    )
