"""Errors of sources that concern a reader, though no entity of theirs shows them.

All documents of a repository's first push may be refused: only the owner that they name
tells whom it concerns. A file or pattern that is missing provides nothing: it concerns
whoever owns all that its location does provide.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

from services.portal.api_paths import BY_QUERY, ENTITY_FACETS, HAS_ERRORS
from services.portal.entities import annotation, entities_of, errors_of
from services.portal.source_errors import (
    FIELDS,
    RefusedDocuments,
    first_seen,
    source_of,
    source_with,
)
from services.portal.visit import Visit, gather
from shared.contracts.annotations import MANAGED_BY_ORIGIN
from shared.contracts.entity import Entity, StatusItem

REFUSED_OWNER = "status.items.error.owner"
OWNED_BY = "relations.ownedBy"
ORIGIN_FIELD = f"metadata.annotations.{MANAGED_BY_ORIGIN}"
LOCATIONS_READ = 20


async def sources_to_mend(
    visit: Visit, entities: Sequence[Entity], shown_messages: Collection[str] = ()
) -> list[RefusedDocuments]:
    """The locations with such errors, but for messages that are shown already."""
    owners = {ref.lower() for ref in visit.visitor.ownership if "," not in ref}
    if visit.visitor.is_guest or not owners:
        return []
    refused, missing = await gather(
        _refused_locations(visit, owners), _owned_locations(visit, owners, entities)
    )
    concerning: list[tuple[Entity, Callable[[StatusItem], bool]]] = [
        *((one, lambda item: item.error.get("owner") in owners) for one in refused),
        *((one, lambda item: bool(first_seen(item))) for one in missing),
    ]
    sources = [
        source_with(
            location,
            [
                item
                for item in errors_of(location)
                if concerns(item) and item.message not in shown_messages
            ],
        )
        for location, concerns in concerning
    ]
    return [source for source in sources if source.messages]


async def _refused_locations(visit: Visit, owners: Iterable[str]) -> list[Entity]:
    """The locations with refused documents that name one of the owners."""
    return await _locations(visit, [f"{REFUSED_OWNER}={ref}" for ref in sorted(owners)])


async def _owned_locations(
    visit: Visit, owners: set[str], entities: Iterable[Entity]
) -> list[Entity]:
    """The locations with errors that provide nothing but what the owners have."""
    origins = sorted(
        {
            annotation(entity, MANAGED_BY_ORIGIN)
            for entity in entities
            if not source_of(entity)
        }
    )
    own = [
        f"{ORIGIN_FIELD}={origin}" for origin in origins if origin and "," not in origin
    ]
    if not own:
        return []
    failed = await _locations(visit, [HAS_ERRORS, *own[:LOCATIONS_READ]])
    are_owned = await gather(*(_is_owned(visit, owners, one) for one in failed))
    return [one for one, is_owned in zip(failed, are_owned, strict=True) if is_owned]


async def _locations(visit: Visit, conditions: Iterable[str]) -> list[Entity]:
    """The first locations that the conditions select, with their status."""
    params = [
        ("filter", ",".join(["kind=location", *conditions])),
        ("fields", ",".join([*FIELDS, "metadata.annotations"])),
        ("limit", str(LOCATIONS_READ)),
    ]
    answer = await visit.ask("GET", BY_QUERY, params=params, is_secondary=True)
    return entities_of(answer.json()["items"]) if answer.ok else []


async def _is_owned(visit: Visit, owners: set[str], location: Entity) -> bool:
    """Whether the owners have all entities with an owner that a location provides."""
    origin = annotation(location, MANAGED_BY_ORIGIN)
    params = [("facet", OWNED_BY), ("filter", f"{ORIGIN_FIELD}={origin}")]
    answer = await visit.ask("GET", ENTITY_FACETS, params=params, is_secondary=True)
    if not answer.ok:
        return False
    refs = {
        str(item["value"]).lower() for item in answer.json()["facets"].get(OWNED_BY, ())
    }
    return bool(refs) and refs <= owners
