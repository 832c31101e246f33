"""An entity's page: what it is, is it alive, whom to ask, how it hangs together.

Each tab is a page of its own address; all share the head, and are live.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.api_paths import BY_NAME
from services.portal.entities import (
    Entity,
    Summary,
    annotation,
    by_kind,
    canonical,
    entity_href,
    errors_of,
    kind_plural,
    kind_word,
    related,
    spec_ref,
    summarize,
    title_of,
)
from services.portal.error_texts import error_advice, error_text
from services.portal.formats import safe_url
from services.portal.graph.clusters import nearest
from services.portal.graph.layout import Picture, draw
from services.portal.graph.model import RELATIONS, edges_of, node_of
from services.portal.history import TimelineEntry, actor_refs, moments_of
from services.portal.pages.entity_actions import allowed_actions
from services.portal.permissions import why_not
from services.portal.source_errors import refused_documents
from services.portal.stars import starred
from services.portal.tabs import docs_of, tabs_of
from services.portal.template_warnings import (
    expression_errors,
    installed_actions,
    warnings_of,
)
from services.portal.visit import Visit, Visiting, together
from shared.contracts.annotations import EDIT_URL, ORPHAN, VIEW_URL
from shared.guards.workers import run_beside

MENTIONED = 400  # relations of which names are looked up; the rest is counted
LATEST = 3
MEMBERS_SHOWN = 12
CONTACT_FIELDS = ["metadata.links", "spec.profile"]

router = APIRouter()


def api_path(ref: str) -> str:
    """Where the API gives an entity."""
    kind, _, rest = ref.partition(":")
    return f"{BY_NAME}/{quote(kind)}/{quote(rest)}"


def ref_from(namespace: str, kind: str, name: str) -> str:
    """The canonical ref in an address."""
    return f"{kind}:{namespace}/{name}".lower()


@router.get("/catalog/{namespace}/{kind}/{name}")
async def overview(namespace: str, kind: str, name: str, visit: Visiting) -> Response:
    """The answer to "what is this, is it alive, whom do I ask?"."""
    ref = ref_from(namespace, kind, name)
    entity, past, actions, stars = await together(
        visit.get(api_path(ref)),
        latest(visit, ref, LATEST),
        allowed_actions(visit, ref),
        starred(visit),
    )
    owner = next(iter(related(entity, "ownedBy")), "")
    mentioned = [str(each["targetRef"]) for each in entity.get("relations") or ()]
    known, contact, warnings, refused = await together(
        visit.summaries(mentioned[:MENTIONED]),
        _contact(visit, owner),
        _warnings(visit, entity),
        refused_documents(visit, [entity]),
    )
    return entity_page(
        visit,
        entity,
        "overview",
        known=known,
        actions=actions,
        stars=stars,
        contact=contact,
        moments=past,
        picture=_picture(entity, ref, known),
        groups=_groups(entity, known),
        links=_links(entity),
        docs=docs_of(entity),
        warnings=warnings,
        refused=refused,
    )


async def _warnings(visit: Visit, entity: Entity) -> list[str]:
    """What should be known about a template before it is run."""
    if str(entity["kind"]) != "Template":
        return []
    installed, errors = await together(
        installed_actions(visit), expression_errors(visit, [entity])
    )
    return warnings_of(entity, installed, errors[0])


def entity_page(visit: Visit, entity: Entity, tab: str, **values: Any) -> Response:
    """A tab of an entity's page with what stands on all of them."""
    ref = canonical(entity)
    known: Mapping[str, Summary] = values["known"]
    stars: Collection[str] = values.pop("stars")
    kind = str(entity["kind"])
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
        owner=_first(entity, known, "ownedBy"),
        whole=_first(entity, known, "partOf"),
        tabs=tabs_of(entity, tab),
        starred=ref in stars,
        why_not=why_not(visit),
        may_star=visit.visitor.kind == "user",
        errors=[
            (item, error_text(item, entity), error_advice(item))
            for item in errors_of(entity)
        ],
        edit_url=safe_url(annotation(entity, EDIT_URL)),
        view_url=safe_url(annotation(entity, VIEW_URL)),
        orphan=annotation(entity, ORPHAN) == "true",
        **values,
    )


async def latest(visit: Visit, ref: str, limit: int) -> list[TimelineEntry]:
    """The newest revisions in words; none where the catalog keeps none."""
    answer = await visit.ask(
        "GET", f"{api_path(ref)}/history", params={"limit": str(limit)}
    )
    items = answer.json()["items"] if answer.ok else []
    people = await visit.summaries(actor_refs(items))
    return await run_beside(moments_of, items, people)


async def opened(
    visit: Visit, ref: str, *relations: str
) -> tuple[Entity, dict[str, Any]]:
    """An entity, with what its head needs and the names of those it is related to.

    Without `relations` only those that the head mentions.
    """
    entity, actions, stars = await together(
        visit.get(api_path(ref)), allowed_actions(visit, ref), starred(visit)
    )
    heads = related(entity, "ownedBy", "partOf", *relations)
    known = await visit.summaries(heads[:MENTIONED])
    return entity, {"known": known, "actions": actions, "stars": stars}


def _first(
    entity: Entity, known: Mapping[str, Summary], relation: str
) -> Summary | None:
    refs = related(entity, relation)
    if refs:
        return known.get(refs[0]) or summarize(refs[0])
    field = {"ownedBy": ("owner", "group"), "partOf": ("system", "system")}[relation]
    written = spec_ref(entity, *field)
    return summarize(written) if written else None


async def _contact(visit: Visit, owner: str) -> dict[str, Any]:
    """How to reach an owner: address, links, and who is in it."""
    if not owner:
        return {}
    params = [
        ("filter", f"kind=user,relations.memberOf={owner}"),
        ("fields", "kind,metadata.name,metadata.namespace,metadata.title,spec.profile"),
        ("orderField", "metadata.name,asc"),
        ("limit", str(MEMBERS_SHOWN)),
    ]
    owners, members = await together(
        visit.entities([owner], CONTACT_FIELDS),
        visit.get("/api/catalog/entities/by-query", params),
    )
    entity = owners.get(owner)
    if entity is None:
        return {}
    return {
        "email": ((entity.get("spec") or {}).get("profile") or {}).get("email", ""),
        "links": _links(entity),
        "members": [summarize(canonical(one), one) for one in members["items"] if one],
        "total": members["totalItems"],
    }


def _links(entity: Entity) -> list[dict[str, str]]:
    """An entity's links; one that a browser may not follow is shown as text."""
    return [
        {
            "url": safe_url(link.get("url")),
            "title": str(link.get("title") or link.get("url") or ""),
        }
        for link in entity["metadata"].get("links") or ()
        if isinstance(link, Mapping)
    ]


def _picture(entity: Entity, ref: str, known: Mapping[str, Summary]) -> Picture | None:
    """The relations of depth one; members of groups are listed, not drawn."""
    drawn = [name for name in RELATIONS if name != "hasMember"]
    nodes = {other: node_of(summary) for other, summary in known.items()}
    nodes[ref] = node_of(summarize(ref, entity))
    edges = [
        edge
        for edge in edges_of(ref, entity.get("relations") or (), drawn)
        if edge.source in nodes and edge.target in nodes
    ]
    if not edges:
        return None
    few, kept = nearest(ref, nodes, edges, f"/graph?entity={ref}")
    return draw(few, kept, ref)


def _groups(
    entity: Entity, known: Mapping[str, Summary]
) -> list[tuple[str, str, list[Summary], int]]:
    """Lists that answer a page's question: (id, heading, entities, how many in all)."""
    lists: Sequence[tuple[str, str]] = [
        ("hasPart", "Parts"),
        ("ownerOf", "Owns"),
        ("hasMember", "Members"),
        ("parentOf", "Child groups"),
        ("memberOf", "Groups"),
    ]
    found = []
    for relation, heading in lists:
        refs = related(entity, relation)
        groups = by_kind(known[ref] for ref in refs if ref in known)
        for kind, summaries in groups.items():
            title = heading if len(groups) == 1 else f"{heading}: {kind_plural(kind)}"
            total = sum(1 for ref in refs if ref.startswith(f"{kind}:"))
            found.append((f"{relation}-{kind}", title, summaries, total))
    return found
