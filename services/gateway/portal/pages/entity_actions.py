"""What a reader may do with an entity: have it read again, take it out of the catalog.

The buttons stand where the policy allows; the API decides again when one is pressed.
"""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form
from starlette.responses import Response

from services.gateway.portal.entities import (
    Entity,
    annotation,
    canonical,
    entity_href,
    summarize,
    title_of,
)
from services.gateway.portal.formats import safe_url
from services.gateway.portal.permissions import allowed, why_not
from services.gateway.portal.stars import star
from services.gateway.portal.visit import Visit, Visiting, together, told
from shared.contracts.errors import Invalid

ORIGIN = "backstage.io/managed-by-origin-location"
TOGETHER_SHOWN = 50
# name on the page: permission
ACTIONS = {
    "refresh": "catalog.entity.refresh",
    "unregister": "catalog.entity.delete",
}
DELETES = ("catalog.location.delete", "catalog.entity.delete")

router = APIRouter()


async def allowed_actions(visit: Visit, ref: str) -> frozenset[str]:
    """Which of ACTIONS the policy allows the reader on this entity."""
    may = await allowed(visit, ACTIONS.values(), ref)
    return frozenset(name for name, permission in ACTIONS.items() if permission in may)


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
    """Asks first, and says what else would go, and what would stay or come back."""
    ref = f"{kind}:{namespace}/{name}".lower()
    entity, location, may = await together(
        visit.get(_by_name(kind, namespace, name)),
        visit.ask("GET", _location_of(kind, namespace, name)),
        allowed(visit, DELETES, ref),
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
    remainders = await _remainders(visit, location.json()) if location.ok else []
    provided = {ref for one in remainders for ref in one["entityRefs"]}
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
        returns=bool(origin) and not is_orphan(entity),
        source=safe_url(origin.partition(":")[2]),
        may_unregister="catalog.location.delete" in may,
        may_delete="catalog.entity.delete" in may,
        why_not=why_not(visit),
        others=[one for one in others if one.ref not in {ref, *provided}],
        remainders=remainders,
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
    returns = False
    if what == "location":
        location = await visit.get(_location_of(kind, namespace, name))
        ref = f"{kind}:{namespace}/{name}".lower()
        remainders = await _remainders(visit, location)
        returns = any(one["returns"] and ref in one["entityRefs"] for one in remainders)
        path = f"/api/catalog/locations/{quote(str(location['id']))}"
    elif what == "entity":
        entity = await visit.get(_by_name(kind, namespace, name))
        returns = bool(annotation(entity, ORIGIN)) and not is_orphan(entity)
        path = f"/api/catalog/entities/by-uid/{quote(entity['metadata']['uid'])}"
    else:
        raise Invalid("what: must be location or entity")
    told(await visit.ask("DELETE", path))
    address = f"{entity_href(f'{kind}:{namespace}/{name}'.lower())}/removed"
    return visit.go(f"{address}?returns=1" if returns else address)


@router.get("/catalog/{namespace}/{kind}/{name}/removed")
async def removed(
    namespace: str, kind: str, name: str, visit: Visiting, returns: bool = False
) -> Response:
    """Says that it is gone or still there, and whether it will be back."""
    ref = f"{kind}:{namespace}/{name}".lower()
    answer = await visit.ask("GET", _by_name(kind, namespace, name))
    provider = annotation(answer.json(), ORIGIN) if answer.ok else ""
    return visit.page(
        "entity/removed.html",
        title=f"{name} was removed",
        nav="catalog",
        crumbs=[("Catalog", "/catalog")],
        ref=ref,
        href=entity_href(ref),
        is_back=answer.ok,
        provider=provider,
        returns=returns,
    )


async def _remainders(visit: Visit, location: Entity) -> list[dict[str, Any]]:
    """What unregistering a location leaves, each with a sentence that says why."""
    path = f"/api/catalog/locations/{quote(str(location['id']))}/remaining"
    items: list[dict[str, Any]] = (await visit.get(path))["items"]
    own = f"{location['type']}:{location['target']}"
    return [{**item, "reason": _reason(item, own)} for item in items]


def _reason(remainder: dict[str, Any], own: str) -> str:
    """Why entities stay, or come back, after the location `own` is unregistered."""
    names = " and ".join(map(_provider_name, remainder["providers"]))
    if remainder["location"] == own:
        return f"Still provided by {names}, at the same address."
    if remainder["returns"]:
        return (
            f"{remainder['location']} ({names}) has the same names and gets them as "
            "soon as they are free."
        )
    return f"{remainder['location']} ({names}) leads to the same file."


def _provider_name(bucket: str) -> str:
    if bucket.startswith("git:"):
        return f"the provider {bucket.removeprefix('git:')}"
    return "the configuration" if bucket == "config" else "a registration"


def is_orphan(entity: Entity) -> bool:
    """Whether no source names the entity any more: nothing brings it back."""
    return annotation(entity, "backstage.io/orphan") == "true"


def _by_name(kind: str, namespace: str, name: str) -> str:
    where = "/".join(quote(part) for part in (kind, namespace, name))
    return f"/api/catalog/entities/by-name/{where}".lower()


def _location_of(kind: str, namespace: str, name: str) -> str:
    where = "/".join(quote(part) for part in (kind, namespace, name))
    return f"/api/catalog/locations/by-entity/{where}".lower()
