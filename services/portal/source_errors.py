"""Errors of the sources that entities come from, for the pages of those entities.

A document that is refused before it ever was an entity has no page: its error stands in
the status of its file's Location entity, in words that its readers may see.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from services.portal.entities import (
    annotation,
    entity_href,
    errors_of,
    title_of,
)
from services.portal.error_texts import error_text
from services.portal.visit import SUMMARY_FIELDS, Visit
from shared.contracts.annotations import MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN
from shared.contracts.entity import Entity, StatusItem, text_of
from shared.contracts.errors import CallboardError

FIELDS = [*SUMMARY_FIELDS, "status"]
ERRORS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class RefusedDocuments:
    """What of a source is refused: the first messages, and how many more there are."""

    ref: str
    name: str
    messages: tuple[str, ...]
    more: int = 0

    @property
    def href(self) -> str:
        return entity_href(self.ref)


def source_of(entity: Entity) -> str:
    """The ref of the Location entity of an entity's file.

    "" where another file names it: the status of that one is about other files too. The
    name's rule (`generated-` and the SHA-1 of the location) is Backstage's.
    """
    location = annotation(entity, MANAGED_BY_LOCATION)
    origin = annotation(entity, MANAGED_BY_ORIGIN)
    if not location or location != origin:
        return ""
    return location_ref(location)


def location_ref(location: str) -> str:
    """The ref of the Location entity that stands for a location."""
    digest = hashlib.sha1(location.encode(), usedforsecurity=False).hexdigest()
    return f"location:default/generated-{digest}"


def first_seen(item: StatusItem) -> str:
    """When the problem of a status item was met first, "" if that is not known."""
    return text_of(item.error.get("since"))


async def refused_documents(
    visit: Visit, entities: Iterable[Entity]
) -> list[RefusedDocuments]:
    """What is refused of the entities' files, and shows on no entity's page."""
    refs = [ref for ref in dict.fromkeys(map(source_of, entities)) if ref]
    if not refs:
        return []
    try:
        locations = await visit.entities(refs, FIELDS)
    except CallboardError:
        # These errors are an addition: the page stands without them.
        return []
    # The errors of a whole file show on all entities that it provides.
    items = {
        ref: [item for item in errors_of(location) if not first_seen(item)]
        for ref, location in locations.items()
    }
    concerned = {_entity_ref(item) for errors in items.values() for item in errors}
    summaries = await visit.summaries(concerned - {""})
    # An entity in the catalog shows its errors itself.
    present_refs = {ref for ref, summary in summaries.items() if not summary.missing}
    sources = [
        source_with(
            locations[ref],
            [item for item in errors if _entity_ref(item) not in present_refs],
        )
        for ref, errors in items.items()
    ]
    return [source for source in sources if source.messages]


def source_with(location: Entity, errors: Iterable[StatusItem]) -> RefusedDocuments:
    """A location with the first texts of these errors of its documents."""
    texts = [error_text(item, location) for item in errors]
    return RefusedDocuments(
        str(location.ref),
        title_of(location),
        tuple(texts[:ERRORS_SHOWN]),
        max(0, len(texts) - ERRORS_SHOWN),
    )


def _entity_ref(item: StatusItem) -> str:
    """The ref of the entity that an error is about, "" if it names none."""
    return text_of(item.error.get("entityRef")).lower()
