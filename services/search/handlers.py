"""What search does: takes what the owners say, answers questions, suggests."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from services.search.described_apis import with_operations
from services.search.model import (
    Change,
    EntityGone,
    EntityPut,
    HitPage,
    SiteGone,
    SitePut,
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


async def take_entities(alias: Alias, owners: Owners, batch: Sequence[Envelope]) -> int:
    """Show what the catalog told; how much of it was news.

    Raises:
        Invalid: if an event is none of the catalog's, or breaks its model.
        Unavailable: if the catalog does not tell the operations of an API.
    """
    changes = await asyncio.to_thread(lambda: [entity_change(each) for each in batch])
    return await alias.apply(await with_operations(owners, changes))


def entity_change(envelope: Envelope) -> EntityPut | EntityGone:
    """The change that an event of `entity-changed` tells.

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
        return EntityGone(ref, version)
    return EntityPut(ref, version, Entity(payload.entity))


async def take_sites(alias: Alias, owners: Owners, batch: Sequence[Envelope]) -> int:
    """Show the pages of the sites that techdocs built; how many sites were news.

    Raises:
        Invalid: if an event is none of techdocs', or breaks its model.
        Unavailable: if techdocs does not hand out the sections.
    """
    refs: dict[str, str | None] = {}
    for envelope in batch:
        payload = payload_of(envelope)
        if not isinstance(payload, SiteChange):
            raise Invalid(f"type: {envelope.type!r} does not belong on docs-built")
        # Built, and no site: the entity has documentation no more.
        if isinstance(payload, SiteBuilt):
            refs[payload.entity_ref.lower()] = payload.site
    held = await alias.live.sites_of(list(refs))
    changes: list[Change] = []
    for ref, site in refs.items():
        if held.get(ref) != site:
            changes += [put async for put in sites_of(owners, ref)]
    return await alias.apply(changes) if changes else 0


async def sites_of(owners: Owners, ref: str) -> AsyncIterator[SitePut | SiteGone]:
    """The site that techdocs shows of an entity now: the event may be an old one."""
    found = False
    async for put in owners.sites(ref):
        found = True
        yield put
    if not found:
        yield SiteGone(ref)


async def search(alias: Alias, question: SearchRequest) -> HitPage:
    """A page of results.

    Raises:
        Unavailable: while the first index is being built.
    """
    return await alias.answering.index.find(question)
