"""An entity's page: what it is, its state, its owner and its relations.

Each tab is a page with an address of its own; all share the head, and are live.
"""

from collections.abc import Collection, Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.api_paths import BY_QUERY, by_name_params, entity_path
from services.portal.entities import (
    Summary,
    annotation,
    by_kind,
    entities_of,
    entity_href,
    errors_of,
    first_ref,
    kind_plural,
    kind_word,
    ref_from,
    related_refs,
    summarize,
    summary_of,
    title_of,
)
from services.portal.error_texts import error_advice, error_text
from services.portal.formats import safe_url
from services.portal.graph.clusters import first_neighbours
from services.portal.graph.layout import Picture, draw
from services.portal.graph.model import RELATIONS, edges_of, node_of, own_relations
from services.portal.history import TimelineEntry, actor_refs, moments_of
from services.portal.pages.entity_actions import allowed_actions
from services.portal.permissions import why_not
from services.portal.source_errors import refused_documents
from services.portal.stars import starred_refs
from services.portal.tabs import docs_of, tabs_of
from services.portal.template_warnings import (
    TemplateWarning,
    expression_errors,
    installed_actions,
    warnings_of,
)
from services.portal.visit import Visit, Visiting, gather
from shared.contracts.annotations import EDIT_URL, ORPHAN, VIEW_URL
from shared.contracts.entity import Entity, list_of, text_of
from shared.guards.workers import run_beside

#: Relations of which titles are looked up; the rest is counted.
MENTIONED = 400
LATEST = 3
MEMBERS_SHOWN = 12
CONTACT_FIELDS = ["metadata.links", "spec.profile"]
#: Relations that are listed with headings of their own.
LISTED_RELATIONS = (
    ("hasPart", "Parts"),
    ("ownerOf", "Owns"),
    ("hasMember", "Members"),
    ("parentOf", "Child groups"),
    ("memberOf", "Groups"),
)

router = APIRouter()


@router.get("/catalog/{namespace}/{kind}/{name}")
async def overview(namespace: str, kind: str, name: str, visit: Visiting) -> Response:
    """The first tab: description, relations, latest changes, owner and contacts."""
    ref = ref_from(namespace, kind, name)
    parts, past, actions, stars = await gather(
        _with_neighbours(visit, ref),
        latest(visit, ref, LATEST),
        allowed_actions(visit, ref),
        starred_refs(visit),
    )
    entity, summaries, contact, warnings, refused = parts
    return entity_page(
        visit,
        entity,
        "overview",
        summaries=summaries,
        actions=actions,
        stars=stars,
        contact=contact,
        moments=past,
        # Members of groups are listed, not drawn.
        picture=picture_of(entity, summaries, set(RELATIONS) - {"hasMember"}),
        groups=_groups(entity, summaries),
        links=_links(entity),
        docs=docs_of(entity),
        warnings=warnings,
        refused=refused,
    )


async def _with_neighbours(visit: Visit, ref: str) -> list[Any]:
    """The entity, then what the page shows of its neighbours."""
    entity = await visit.entity(ref)
    owner = next(iter(related_refs(entity, "ownedBy")), "")
    relations = list_of(entity.raw.get("relations"))[:MENTIONED]
    neighbours = await gather(
        visit.summaries(str(relation["targetRef"]) for relation in relations),
        _contact(visit, owner),
        _warnings(visit, entity),
        refused_documents(visit, [entity]),
    )
    return [entity, *neighbours]


async def _warnings(visit: Visit, entity: Entity) -> list[TemplateWarning]:
    """The warnings about a template; other kinds have none."""
    if entity.kind != "Template":
        return []
    installed, errors = await gather(
        installed_actions(visit), expression_errors(visit, [entity])
    )
    return warnings_of(entity, installed, errors[0])


def entity_page(visit: Visit, entity: Entity, tab: str, **values: Any) -> Response:
    """A tab of an entity's page, with what all tabs show."""
    ref, kind = str(entity.ref), entity.kind
    summaries: Mapping[str, Summary] = values.pop("summaries")
    stars: Collection[str] = values.pop("stars")
    edit_url = safe_url(annotation(entity, EDIT_URL))
    query = "" if kind == "Component" else f"?kind={kind.lower()}"
    return visit.page(
        f"entity/{tab}.html",
        title=title_of(entity),
        nav="catalog",
        crumbs=[
            ("Catalog", "/catalog"),
            (kind_plural(kind), f"/catalog{query}"),
        ],
        entity=entity,
        ref=ref,
        summary=summarize(ref, entity),
        href=entity_href(ref),
        kind=kind_word(kind),
        owner=_first(entity, summaries, "ownedBy"),
        whole=_first(entity, summaries, "partOf"),
        tabs=tabs_of(entity, tab),
        starred=ref in stars,
        why_not=why_not(visit),
        may_star=visit.visitor.kind == "user",
        errors=[
            (
                item,
                error_text(item, entity),
                error_advice(item),
                # The errors of a Location may be of many files.
                safe_url(item.error.get("editUrl")) or edit_url,
            )
            for item in errors_of(entity)
        ],
        edit_url=edit_url,
        view_url=safe_url(annotation(entity, VIEW_URL)),
        orphan=annotation(entity, ORPHAN) == "true",
        **values,
    )


async def latest(visit: Visit, ref: str, limit: int) -> list[TimelineEntry] | None:
    """The newest revisions in words; None if they cannot be read now."""
    answer = await visit.ask(
        "GET",
        f"{entity_path(ref)}/history",
        params={"limit": str(limit)},
        is_secondary=True,
    )
    if not answer.ok:
        return None
    items = answer.json()["items"]
    people = await visit.summaries(actor_refs(items))
    return await run_beside(moments_of, items, people)


async def open_entity(
    visit: Visit, ref: str, *relations: str, mentions_all: bool = False
) -> tuple[Entity, dict[str, Any]]:
    """An entity, with what its head needs and the names of those it is related to.

    Those are of the `relations` and of what the head mentions, or `mentions_all`.
    """
    entity, actions, stars = await gather(
        visit.entity(ref), allowed_actions(visit, ref), starred_refs(visit)
    )
    mentioned = () if mentions_all else ("ownedBy", "partOf", *relations)
    refs = related_refs(entity, *mentioned)
    summaries = await visit.summaries(refs[:MENTIONED])
    return entity, {"summaries": summaries, "actions": actions, "stars": stars}


def _first(
    entity: Entity, summaries: Mapping[str, Summary], relation: str
) -> Summary | None:
    ref = first_ref(entity, relation)
    return (summaries.get(ref) or summarize(ref)) if ref else None


async def _contact(visit: Visit, owner: str) -> dict[str, Any]:
    """How to reach an owner: address, links, and who is in it."""
    if not owner:
        return {}
    params = by_name_params(
        f"kind=user,relations.memberOf={owner}",
        fields="kind,metadata.name,metadata.namespace,metadata.title,spec.profile",
        limit=MEMBERS_SHOWN,
    )
    owners, members = await gather(
        visit.entities([owner], CONTACT_FIELDS),
        visit.get(BY_QUERY, params),
    )
    entity = owners.get(owner)
    if entity is None:
        return {}
    return {
        "email": text_of(entity.profile.get("email")),
        "links": _links(entity),
        "members": list(map(summary_of, entities_of(members["items"]))),
        "total": members["totalItems"],
    }


def _links(entity: Entity) -> list[dict[str, str]]:
    """An entity's links; one that a browser may not follow is shown as text."""
    return [
        {"url": safe_url(link.url), "title": link.title or link.url}
        for link in entity.links
    ]


def picture_of(
    entity: Entity,
    summaries: Mapping[str, Summary],
    relation_types: Collection[str] = RELATIONS,
) -> Picture | None:
    """An entity and the nodes that it is related to; None if there are none."""
    ref = str(entity.ref)
    nodes = {other: node_of(summary) for other, summary in summaries.items()}
    nodes[ref] = node_of(summarize(ref, entity))
    edges = [
        edge
        for edge in edges_of(ref, entity, relation_types)
        if edge.source in nodes and edge.target in nodes
    ]
    if not edges:
        return None
    return draw(*first_neighbours(ref, nodes, edges, f"/graph?entity={ref}"), ref)


def _groups(
    entity: Entity, summaries: Mapping[str, Summary]
) -> list[tuple[str, str, list[Summary], int]]:
    """Related entities by relation and kind: (id, heading, entities, how many)."""
    groups = []
    for relation, heading in (*LISTED_RELATIONS, *own_relations(entity).items()):
        refs = related_refs(entity, relation)
        kinds = by_kind(summaries[ref] for ref in refs if ref in summaries)
        for kind, members in kinds.items():
            title = heading if len(kinds) == 1 else f"{heading}: {kind_plural(kind)}"
            total = sum(1 for ref in refs if ref.startswith(f"{kind}:"))
            groups.append((f"{relation}-{kind}", title, members, total))
    return groups
