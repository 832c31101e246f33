"""Errors of sources that concern a reader, though no entity of theirs shows them.

The first push of a repository may be refused whole: its documents name their owner, and
nothing else leads there. A file or a pattern that is missing brought nothing: it
concerns whoever owns all that its location did bring.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from services.portal.api_paths import BY_QUERY, ENTITY_FACETS, HAS_ERRORS
from services.portal.entities import (
    Entity,
    annotation,
    canonical,
    errors_of,
    title_of,
)
from services.portal.error_texts import error_text
from services.portal.source_errors import (
    ERRORS_SHOWN,
    FIELDS,
    RefusedDocuments,
    began_at,
    source_of,
)
from services.portal.visit import Visit, together
from shared.contracts.annotations import MANAGED_BY_ORIGIN

REFUSED_OWNER = "status.items.error.owner"
OWNED_BY = "relations.ownedBy"
ORIGIN_FIELD = f"metadata.annotations.{MANAGED_BY_ORIGIN}"
LOCATIONS_READ = 20

Item = Mapping[str, Any]


async def sources_to_mend(
    visit: Visit, entities: Sequence[Entity], known: Iterable[str] = ()
) -> list[RefusedDocuments]:
    """The locations with such errors; `known` are messages that are shown already."""
    owners = {ref.lower() for ref in visit.visitor.ownership if "," not in ref}
    if visit.visitor.is_guest or not owners:
        return []
    refused, missing = await together(
        _refused_locations(visit, owners), _owned_locations(visit, owners, entities)
    )
    shown = set(known)
    sources = [
        *(
            _source(one, lambda item: _owner_in(item) in owners, shown)
            for one in refused
        ),
        *(_source(one, lambda item: bool(began_at(item)), shown) for one in missing),
    ]
    return [source for source in sources if source.messages]


async def _refused_locations(visit: Visit, owners: Iterable[str]) -> list[Entity]:
    """The locations with refused documents that name one of the owners."""
    return await _locations(visit, [f"{REFUSED_OWNER}={ref}" for ref in sorted(owners)])


async def _owned_locations(
    visit: Visit, owners: set[str], entities: Iterable[Entity]
) -> list[Entity]:
    """The locations with errors that brought nothing but what the owners have."""
    found = {
        annotation(one, MANAGED_BY_ORIGIN) for one in entities if not source_of(one)
    }
    origins = sorted(each for each in found if each and "," not in each)
    if not origins:
        return []
    own = [f"{ORIGIN_FIELD}={each}" for each in origins[:LOCATIONS_READ]]
    failed = await _locations(visit, [HAS_ERRORS, *own])
    are_owned = await together(
        *(
            _is_owned(visit, owners, annotation(one, MANAGED_BY_ORIGIN))
            for one in failed
        )
    )
    return [one for one, owned in zip(failed, are_owned, strict=True) if owned]


async def _locations(visit: Visit, conditions: Iterable[str]) -> list[Entity]:
    """The first locations that the conditions select, with their status."""
    params = [
        ("filter", ",".join(["kind=location", *conditions])),
        ("fields", ",".join([*FIELDS, "metadata.annotations"])),
        ("limit", str(LOCATIONS_READ)),
    ]
    answer = await visit.ask("GET", BY_QUERY, params=params)
    return [one for one in answer.json()["items"] if one] if answer.ok else []


async def _is_owned(visit: Visit, owners: set[str], origin: str) -> bool:
    """Whether all entities with an owner that came from a location are the owners'."""
    params = [("facet", OWNED_BY), ("filter", f"{ORIGIN_FIELD}={origin}")]
    answer = await visit.ask("GET", ENTITY_FACETS, params=params)
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
