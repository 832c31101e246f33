"""Errors of the sources that entities come from, as their readers should hear of them.

A document that is refused before it ever was an entity has no page: its error stands in
the status of its file's Location entity, in words that its readers may see.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.portal.entities import (
    Entity,
    annotation,
    canonical,
    entity_href,
    errors_of,
    title_of,
)
from services.portal.error_texts import error_text
from services.portal.visit import SUMMARY_FIELDS, Visit
from shared.contracts.annotations import MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN
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

    "" where another file names it: that one's status tells of other files too. The
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


def began_at(item: Mapping[str, Any]) -> str:
    """When the problem of a status item was met first, "" if that is not known."""
    error = item.get("error")
    return str(error.get("since") or "") if isinstance(error, Mapping) else ""


async def refused_documents(
    visit: Visit, entities: Iterable[Entity]
) -> list[RefusedDocuments]:
    """What is refused of the entities' files, and shows on no entity's page."""
    refs = [ref for ref in dict.fromkeys(map(source_of, entities)) if ref]
    if not refs:
        return []
    try:
        loaded = await visit.entities(refs, FIELDS)
    except CallboardError:
        # These errors are an addition: the page stands without them.
        return []
    locations = [loaded[ref] for ref in refs if ref in loaded]
    items = {canonical(each): _document_errors(each) for each in locations}
    concerned = {_concerned(item) for each in items.values() for item in each} - {""}
    known = await visit.summaries(concerned)
    # An entity that is there shows its errors itself.
    there = {ref for ref, summary in known.items() if not summary.missing}
    refused = []
    for location in locations:
        ref = canonical(location)
        messages = [
            error_text(item, location)
            for item in items[ref]
            if _concerned(item) not in there
        ]
        if messages:
            few = tuple(messages[:ERRORS_SHOWN])
            name = title_of(location)
            refused.append(RefusedDocuments(ref, name, few, len(messages) - len(few)))
    return refused


def _document_errors(location: Entity) -> list[Mapping[str, Any]]:
    """Errors of single documents: a whole file's shows on all that it brought."""
    return [item for item in errors_of(location) if not began_at(item)]


def _concerned(item: Mapping[str, Any]) -> str:
    """The ref of the entity that an error is about, "" if it names none."""
    error = item.get("error")
    return (
        str(error.get("entityRef") or "").lower() if isinstance(error, Mapping) else ""
    )
