"""Errors of sources that concern a reader, though no entity of theirs shows them.

The first push of a repository may be refused whole: its documents name their owner, and
nothing else leads there. A file or a pattern that is missing brought nothing: it
concerns whoever owns all that its location did bring.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from services.gateway.portal.entities import (
    Entity,
    annotation,
    canonical,
    errors_of,
    title_of,
)
from services.gateway.portal.error_texts import error_text
from services.gateway.portal.source_errors import (
    BY_REFS,
    ERRORS_SHOWN,
    FIELDS,
    ORIGIN,
    RefusedDocuments,
    began_at,
    location_ref,
    source_of,
)
from services.gateway.portal.visit import Visit, together

BY_QUERY = "/api/catalog/entities/by-query"
FACETS = "/api/catalog/entity-facets"
REFUSED_OWNER = "status.items.error.owner"
OWNED_BY = "relations.ownedBy"
LOCATIONS_READ = 20

Item = Mapping[str, Any]


async def sources_to_mend(
    visit: Visit, entities: Sequence[Entity], known: Iterable[str] = ()
) -> list[RefusedDocuments]:
    """The locations with such errors; `known` are messages that are shown already."""
    owners = {ref.lower() for ref in visit.identity.ownership if "," not in ref}
    if visit.identity.is_guest or not owners:
        return []
    refused, missing = await together(
        _refused_locations(visit, owners), _owned_locations(visit, owners, entities)
    )
    shown = set(known)
    sources = [
        *(_source(one, lambda item: _owner_in(item) in owners) for one in refused),
        *(_source(one, lambda item: bool(began_at(item)), shown) for one in missing),
    ]
    return [source for source in sources if source.messages]


async def _refused_locations(visit: Visit, owners: Iterable[str]) -> list[Entity]:
    """The locations with refused documents that name one of the owners."""
    own = ",".join(f"{REFUSED_OWNER}={ref}" for ref in sorted(owners))
    params = [
        ("filter", f"kind=location,{own}"),
        ("fields", ",".join([*FIELDS, "status"])),
        ("limit", str(LOCATIONS_READ)),
    ]
    answer = await visit.ask("GET", BY_QUERY, params=params)
    return [one for one in answer.json()["items"] if one] if answer.ok else []


async def _owned_locations(
    visit: Visit, owners: set[str], entities: Iterable[Entity]
) -> list[Entity]:
    """The locations with errors that brought nothing but what the owners have."""
    origins = {
        location_ref(annotation(one, ORIGIN)): annotation(one, ORIGIN)
        for one in entities
        if annotation(one, ORIGIN) and not source_of(one)
    }
    refs = list(origins)[:LOCATIONS_READ]
    if not refs:
        return []
    body = {"entityRefs": refs, "fields": [*FIELDS, "status"]}
    answer = await visit.ask("POST", BY_REFS, json=body)
    locations = [each for each in answer.json()["items"] if each] if answer.ok else []
    failed = [one for one in locations if any(map(began_at, errors_of(one)))]
    are_owned = await together(
        *(_is_owned(visit, owners, origins[canonical(one)]) for one in failed)
    )
    return [one for one, owned in zip(failed, are_owned, strict=True) if owned]


async def _is_owned(visit: Visit, owners: set[str], origin: str) -> bool:
    """Whether all entities with an owner that came from a location are the owners'."""
    if "," in origin:
        return False
    name = f"metadata.annotations.{ORIGIN}"
    params = [("facet", OWNED_BY), ("filter", f"{name}={origin}")]
    answer = await visit.ask("GET", FACETS, params=params)
    if not answer.ok:
        return False
    values = answer.json()["facets"].get(OWNED_BY, ())
    return bool(values) and {str(each["value"]).lower() for each in values} <= owners


def _source(
    location: Entity, concerns: Callable[[Item], bool], shown: Iterable[str] = ()
) -> RefusedDocuments:
    messages = [
        error_text(item, location)
        for item in errors_of(location)
        if concerns(item) and str(item.get("message")) not in shown
    ]
    few = tuple(messages[:ERRORS_SHOWN])
    ref = canonical(location)
    return RefusedDocuments(ref, title_of(location), few, len(messages) - len(few))


def _owner_in(item: Item) -> str:
    error = item.get("error")
    return str(error.get("owner") or "") if isinstance(error, Mapping) else ""
