"""What a reader may do with an entity: have it read again, take it out of the catalog.

The buttons stand where the policy allows; the API decides again when one is pressed.
"""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form
from starlette.responses import Response

from services.gateway.portal.entities import (
    annotation,
    canonical,
    entity_href,
    summarize,
    title_of,
)
from services.gateway.portal.stars import star
from services.gateway.portal.visit import Visit, Visiting, together, told
from shared.contracts.errors import Invalid

ORIGIN = "backstage.io/managed-by-origin-location"
TOGETHER_SHOWN = 50
# name on the page: (permission, Backstage's action)
ACTIONS = {
    "refresh": ("catalog.entity.refresh", "update"),
    "unregister": ("catalog.entity.delete", "delete"),
}

router = APIRouter()


async def allowed_actions(visit: Visit, ref: str) -> frozenset[str]:
    """Which of ACTIONS the policy allows the reader on this entity."""
    items = [
        {
            "id": name,
            "permission": {
                "type": "resource",
                "name": permission,
                "attributes": {"action": action},
                "resourceType": "catalog-entity",
            },
            "resourceRef": ref,
        }
        for name, (permission, action) in ACTIONS.items()
    ]
    answer = await visit.ask("POST", "/api/permission/authorize", json={"items": items})
    decided = answer.json()["items"] if answer.ok else []
    return frozenset(
        str(item["id"]) for item in decided if item.get("result") == "ALLOW"
    )


@router.post("/catalog/{namespace}/{kind}/{name}/refresh")
async def refresh(namespace: str, kind: str, name: str, visit: Visiting) -> Response:
    """Reads the descriptor again now."""
    ref = f"{kind}:{namespace}/{name}".lower()
    await visit.post("/api/catalog/refresh", {"entityRef": ref})
    return visit.go(entity_href(ref))


@router.post("/catalog/{namespace}/{kind}/{name}/star")
async def mark(
    namespace: str,
    kind: str,
    name: str,
    visit: Visiting,
    on: Annotated[bool, Form()],
) -> Response:
    """Stars the entity, or takes the star away."""
    ref = f"{kind}:{namespace}/{name}".lower()
    await star(visit, ref, on=on)
    return visit.go(entity_href(ref))


@router.get("/catalog/{namespace}/{kind}/{name}/unregister")
async def confirm(namespace: str, kind: str, name: str, visit: Visiting) -> Response:
    """Asks first, and says what else would go."""
    ref = f"{kind}:{namespace}/{name}".lower()
    entity, location = await together(
        visit.get(_by_name(kind, namespace, name)),
        visit.ask("GET", _location_of(kind, namespace, name)),
    )
    origin = annotation(entity, ORIGIN)
    answer: Any = {"items": []}
    if origin and "," not in origin:
        params = {
            "filter": f"metadata.annotations.{ORIGIN}={origin}",
            "fields": "kind,metadata.name,metadata.namespace,metadata.title",
            "limit": str(TOGETHER_SHOWN),
        }
        answer = await visit.get("/api/catalog/entities/by-query", params)
    others = [summarize(canonical(one), one) for one in answer["items"] if one]
    return visit.page(
        "entity/unregister.html",
        title=f"Unregister {title_of(entity)}",
        nav="catalog",
        crumbs=[("Catalog", "/catalog"), (title_of(entity), entity_href(ref))],
        entity=entity,
        ref=ref,
        href=entity_href(ref),
        origin=origin,
        registered=location.ok,
        others=[other for other in others if other.ref != ref],
    )


@router.post("/catalog/{namespace}/{kind}/{name}/unregister")
async def unregister(
    namespace: str,
    kind: str,
    name: str,
    visit: Visiting,
    what: Annotated[str, Form()],
) -> Response:
    """Takes the registered location out with all it brought, or this entity alone."""
    if what == "location":
        location = await visit.get(_location_of(kind, namespace, name))
        path = f"/api/catalog/locations/{quote(str(location['id']))}"
    elif what == "entity":
        entity = await visit.get(_by_name(kind, namespace, name))
        path = f"/api/catalog/entities/by-uid/{quote(entity['metadata']['uid'])}"
    else:
        raise Invalid("what: must be location or entity")
    told(await visit.ask("DELETE", path))
    return visit.go("/catalog")


def _by_name(kind: str, namespace: str, name: str) -> str:
    where = "/".join(quote(part) for part in (kind, namespace, name))
    return f"/api/catalog/entities/by-name/{where}".lower()


def _location_of(kind: str, namespace: str, name: str) -> str:
    where = "/".join(quote(part) for part in (kind, namespace, name))
    return f"/api/catalog/locations/by-entity/{where}".lower()
