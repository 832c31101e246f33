"""Search's commands and queries: index changes of entities and sites, and search."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from services.search.api_operations import with_operations
from services.search.model import (
    Change,
    EntityRemoval,
    EntityUpsert,
    HitPage,
    SiteRemoval,
    SiteUpsert,
    Version,
)
from services.search.ports import Alias, Owners
from services.search.query import SearchRequest
from shared.contracts.catalog import EntityChange
from shared.contracts.entity import Entity
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid
from shared.contracts.events import payload_of
from shared.contracts.techdocs import SiteBuilt, SiteChange


async def index_entities(
    alias: Alias, owners: Owners, batch: Sequence[Envelope]
) -> int:
    """Apply events of `entity-changed` to the index; returns the number of new changes.

    Raises:
        Invalid: if an event is of another type, or breaks its model.
        Unavailable: if the catalog does not return the operations of an API.
    """
    changes = await asyncio.to_thread(
        lambda: [entity_change(envelope) for envelope in batch]
    )
    return await alias.apply(await with_operations(owners, changes))


def entity_change(envelope: Envelope) -> EntityUpsert | EntityRemoval:
    """The change of the index for an event of `entity-changed`.

    Raises:
        Invalid: naming the field that breaks the event's model.
    """
    payload = payload_of(envelope)
    if not isinstance(payload, EntityChange):
        raise Invalid(f"type: {envelope.type!r} does not belong on entity-changed")
    current = payload.entity if payload.entity is not None else payload.previous
    uid = Entity(current or {}).uid
    version = Version(uid, payload.revision, envelope.time.timestamp())
    ref = payload.entity_ref.lower()
    if payload.entity is None:
        return EntityRemoval(ref, version)
    return EntityUpsert(ref, version, Entity(payload.entity))


async def index_sites(alias: Alias, owners: Owners, batch: Sequence[Envelope]) -> int:
    """Apply events of `docs-built` to the index; returns the number of new sites.

    Raises:
        Invalid: if an event is of another type, or breaks its model.
        Unavailable: if techdocs does not return the sections.
    """
    refs: dict[str, str | None] = {}
    for envelope in batch:
        payload = payload_of(envelope)
        if not isinstance(payload, SiteChange):
            raise Invalid(f"type: {envelope.type!r} does not belong on docs-built")
        # `site` is None if the entity has no documentation any more.
        if isinstance(payload, SiteBuilt):
            refs[payload.entity_ref.lower()] = payload.site
    current_sites = await alias.live.sites_of(list(refs))
    changes: list[Change] = []
    for ref, site in refs.items():
        if current_sites.get(ref) != site:
            changes += [put async for put in sites_of(owners, ref)]
    return await alias.apply(changes) if changes else 0


async def sites_of(owners: Owners, ref: str) -> AsyncIterator[SiteUpsert | SiteRemoval]:
    """The current site of an entity from techdocs, as the event may be outdated."""
    has_site = False
    async for put in owners.sites(ref):
        has_site = True
        yield put
    if not has_site:
        yield SiteRemoval(ref)


async def search(alias: Alias, question: SearchRequest) -> HitPage:
    """A page of results.

    Raises:
        Unavailable: while the first index is being built.
    """
    return await alias.answering.index.find(question)
