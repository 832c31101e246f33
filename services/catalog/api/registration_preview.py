"""The dry run of `POST /locations`: the entities that a location would add."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from services.catalog.api.sources import may_see
from services.catalog.api.writing import Writes
from services.catalog.handlers import roots
from services.catalog.handlers.source_rights import SourceReader
from services.catalog.ingest.candidates import Candidate
from services.catalog.model import LocationRef, StoredEntity, parse_location
from services.catalog.planning.changes import is_foreign
from shared.contracts.errors import CallboardError, Forbidden, Invalid, Unavailable
from shared.contracts.permissions import ENTITY_READ
from shared.guards.turns import in_turns
from shared.guards.workers import run_beside
from shared.kit.http.service_tokens import Principal


async def preview(
    writes: Writes,
    location: LocationRef,
    *,
    caller: Principal,
    reader: SourceReader,
    with_provided: bool = False,
) -> bytes:
    """The entities there that the caller may see.

    `with_provided`: also which of them the catalog has already. Backstage's clients do
    not request it: their answer has Backstage's fields alone.

    Raises:
        Invalid: the problems of the first file at the location that has any.
    """
    try:
        items = await roots.preview(writes.catalog, location, reader)
    except Unavailable:
        raise
    except CallboardError as error:
        raise Invalid(f"{error.name}: {error.message}") from error
    location_document = {
        "type": location.type,
        "target": location.target,
        "id": str(location),
        "entityRef": location.entity_ref,
    }
    head: dict[str, Any] = {
        "exists": roots.find_registration(writes.catalog, location) is not None,
        "location": location_document,
    }
    if with_provided:
        head["provided"] = await _provided(writes, caller, items)
    # Thousands of entities take longer than others should wait.
    return await run_beside(_preview_body, head, items, caller)


def _preview_body(
    head: Mapping[str, Any], items: Sequence[Candidate], principal: Principal
) -> bytes:
    entities = [item.whole.raw for item in items if may_see(principal, item.entity)]
    return orjson.dumps({**head, "entities": entities})


async def _provided(
    writes: Writes, principal: Principal, items: Sequence[Candidate]
) -> list[dict[str, Any]]:
    """The entities that the caller sees in the catalog already, as `ProvidedEntity`.

    The Location entity of the location itself comes first and is left out.
    """
    try:
        reader = principal.granted(ENTITY_READ)
    except Forbidden:
        return []
    provided = []
    async for item in in_turns(items[1:]):
        stored = writes.catalog.state.get(item.ref)
        if stored is not None and writes.is_permitted(reader, item.ref):
            provided.append(_provider(writes, stored, item))
    return provided


def _provider(writes: Writes, stored: StoredEntity, item: Candidate) -> dict[str, Any]:
    name = parse_location(stored.origin).entity_name
    root = writes.catalog.state.roots.get(name)
    return {
        "entityRef": stored.ref,
        "location": stored.location,
        "origin": stored.origin,
        "providers": sorted(root.providers) if root is not None else [],
        # First registrant wins: another file's entity stays as it is.
        "isOtherFile": is_foreign(stored, item),
    }
