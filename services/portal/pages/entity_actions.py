"""What a reader may do with an entity: have it read again, take it out of the catalog.

The buttons stand where the policy allows; the API decides again when one is pressed.
"""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form
from starlette.responses import Response

from services.portal.api_paths import entity_path
from services.portal.entities import (
    annotation,
    entity_href,
    ref_from,
    split_ref,
    title_of,
)
from services.portal.formats import safe_url
from services.portal.pages.sign_in import sign_in_of_guest
from services.portal.permissions import allowed_permissions, why_not
from services.portal.stars import star
from services.portal.unregister_preview import (
    NOTHING,
    preview_unregister,
    provider_names,
)
from services.portal.visit import Visit, Visiting, gather, json_of
from shared.contracts.annotations import MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN, ORPHAN
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid

TOGETHER_SHOWN = 50
# name on the page: permission
ACTIONS = {
    "refresh": "catalog.entity.refresh",
    "unregister": "catalog.entity.delete",
}

router = APIRouter()


async def allowed_actions(visit: Visit, ref: str) -> frozenset[str]:
    """Which of ACTIONS the reader may take on this entity.

    A Location has no owner: whoever registered it may unregister it.
    """
    may = await allowed_permissions(visit, ACTIONS.values(), ref)
    actions = {name for name, permission in ACTIONS.items() if permission in may}
    if "unregister" not in actions and ref.startswith("location:"):
        answer = await visit.ask("GET", _location_path(ref))
        if answer.ok and (await preview_unregister(visit, answer.json())).is_allowed:
            actions.add("unregister")
    return frozenset(actions)


@router.post("/catalog/{namespace}/{kind}/{name}/refresh")
async def refresh(namespace: str, kind: str, name: str, visit: Visiting) -> Response:
    """Has the catalog read the descriptor again."""
    ref = ref_from(namespace, kind, name)
    await visit.post("/api/catalog/refresh", {"entityRef": ref})
    return visit.go(entity_href(ref))


@router.post("/catalog/{namespace}/{kind}/{name}/star")
async def set_star(
    namespace: str,
    kind: str,
    name: str,
    visit: Visiting,
    on: Annotated[bool, Form()],
) -> Response:
    """Stars the entity, or takes the star away."""
    ref = ref_from(namespace, kind, name)
    await star(visit, ref, on=on)
    return visit.go(entity_href(ref))


@router.get("/catalog/{namespace}/{kind}/{name}/unregister")
async def confirm(namespace: str, kind: str, name: str, visit: Visiting) -> Response:
    """Asks for confirmation: what else would go, and what would stay or come back."""
    ref = ref_from(namespace, kind, name)
    entity, location, may = await gather(
        visit.entity(ref),
        visit.ask("GET", _location_path(ref)),
        allowed_permissions(visit, ["catalog.entity.delete"], ref),
    )
    outcome = NOTHING
    if location.ok:
        outcome = await preview_unregister(visit, location.json())
    other_refs = [other for other in outcome.leaving if other != ref]
    names = await visit.summaries(other_refs[:TOGETHER_SHOWN])
    origin = annotation(entity, MANAGED_BY_ORIGIN)
    return visit.page(
        "entity/unregister.html",
        title=f"Unregister {title_of(entity)}",
        nav="catalog",
        crumbs=[("Catalog", "/catalog"), (title_of(entity), entity_href(ref))],
        href=entity_href(ref),
        origin=origin,
        registered=location.ok,
        providers=provider_names(outcome.providers),
        several=len(outcome.providers) > 1,
        returns=bool(origin) and not is_orphan(entity),
        source=safe_url(annotation(entity, MANAGED_BY_LOCATION).partition(":")[2]),
        may_unregister=outcome.is_allowed,
        may_delete="catalog.entity.delete" in may,
        why_not=why_not(visit),
        sign_in=sign_in_of_guest(visit),
        other_entities=list(names.values()),
        total=outcome.total - (ref in outcome.leaving),
        remaining=outcome.remaining,
    )


@router.post("/catalog/{namespace}/{kind}/{name}/unregister")
async def unregister(
    namespace: str,
    kind: str,
    name: str,
    visit: Visiting,
    target: Annotated[str, Form(alias="what")],
) -> Response:
    """Unregisters the location with all its entities, or deletes this entity alone."""
    ref = ref_from(namespace, kind, name)
    if target == "location":
        location = await visit.get(_location_path(ref))
        outcome = await preview_unregister(visit, location)
        returns = any(
            group.returns and ref in group.refs for group in outcome.remaining
        )
        path = f"/api/catalog/locations/{quote(str(location['id']))}"
    elif target == "entity":
        entity = await visit.entity(ref)
        returns = bool(annotation(entity, MANAGED_BY_ORIGIN)) and not is_orphan(entity)
        path = f"/api/catalog/entities/by-uid/{quote(entity.uid)}"
    else:
        raise Invalid("what: must be location or entity")
    json_of(await visit.ask("DELETE", path))
    address = f"{entity_href(ref)}/removed"
    return visit.go(f"{address}?returns=1" if returns else address)


@router.get("/catalog/{namespace}/{kind}/{name}/removed")
async def show_removed(
    namespace: str, kind: str, name: str, visit: Visiting, returns: bool = False
) -> Response:
    """Says whether the entity is removed, and whether it will come back."""
    ref = ref_from(namespace, kind, name)
    answer = await visit.ask("GET", entity_path(ref))
    provider = annotation(Entity(answer.json()), MANAGED_BY_ORIGIN) if answer.ok else ""
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


def is_orphan(entity: Entity) -> bool:
    """Whether no location provides the entity any more: it does not come back."""
    return annotation(entity, ORPHAN) == "true"


def _location_path(ref: str) -> str:
    """The API's path of the location that an entity was registered with."""
    place = "/".join(map(quote, split_ref(ref)))
    return f"/api/catalog/locations/by-entity/{place}"
