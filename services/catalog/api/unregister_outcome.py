"""What unregistering a location does, and what it leaves."""

from collections.abc import Sequence

from fastapi import APIRouter

from services.catalog.api.locations import visible_root
from services.catalog.api.reading import CallerScope
from services.catalog.api.revisions import CatalogRoute
from services.catalog.api.writing import CatalogWrites, Writes
from services.catalog.handlers.unregister_outcome import (
    OtherProvider,
    unregister_outcome,
)
from services.catalog.model import RootLocation
from services.catalog.query.scopes import ReaderScope
from shared.contracts.errors import Forbidden
from shared.contracts.permissions import LOCATION_DELETE
from shared.guards.turns import in_turns
from shared.kit.http.apps import Caller
from shared.kit.http.models import ResponseModel
from shared.kit.http.service_tokens import Principal

MOST_REFS = 1_000


router = APIRouter(route_class=CatalogRoute)


class RefList(ResponseModel):
    """How many entities there are, and the refs of the first of them."""

    total_entities: int
    entity_refs: list[str]


class RemainingEntities(RefList):
    """Entities that stay, or go and come back, by the location that provides them."""

    location: str
    providers: list[str]
    returns: bool


class Unregistering(ResponseModel):
    """What unregistering a location does and leaves."""

    items: list[RemainingEntities]
    leaving: RefList
    removable: bool


@router.get("/locations/{location_id}/remaining")
async def remaining(
    location_id: str, caller: Caller, scope: CallerScope, writes: CatalogWrites
) -> Unregistering:
    """What removing a registration takes away, and what it does not.

    `removable` says whether the caller may unregister the location.
    """
    root = visible_root(writes, scope, caller, location_id)
    outcome = await unregister_outcome(writes.catalog, root)
    items = [
        await _item(provider, scope)
        for provider in outcome.other_providers
        if not scope.hides(provider.root.location.entity_ref)
    ]
    return Unregistering(
        items=[item for item in items if item.total_entities],
        leaving=await _ref_list(await outcome.leaving(), scope),
        removable=await _is_removable(writes, caller, root),
    )


async def _item(provider: OtherProvider, scope: ReaderScope) -> RemainingEntities:
    ref_list = await _ref_list(provider.refs, scope)
    return RemainingEntities(
        location=str(provider.root.location),
        providers=sorted(provider.root.providers),
        returns=provider.returns,
        total_entities=ref_list.total_entities,
        entity_refs=ref_list.entity_refs,
    )


async def _ref_list(refs: Sequence[str], scope: ReaderScope) -> RefList:
    visible_refs = [ref async for ref in in_turns(refs) if not scope.hides(ref)]
    return RefList(
        total_entities=len(visible_refs), entity_refs=visible_refs[:MOST_REFS]
    )


async def _is_removable(
    writes: Writes, principal: Principal, root: RootLocation
) -> bool:
    try:
        await writes.require_removal(principal.granted(LOCATION_DELETE), root)
    except Forbidden:
        return False
    return True
