"""The pages of documentation on the server: what their entity and their site make.

Whoever changed one of the two makes the pages anew from both, as they are at that
moment. Entity, site and pages lie in one shard, whose sequence numbers only grow: pages
bear the later one of the two they were made from, and older ones never replace them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from services.search.documents import facts_of, section_of, section_records
from services.search.model import PageSection
from services.search.opensearch.bulk import Write, bulk
from services.search.opensearch.checksums import documents
from services.search.opensearch.client import OpenSearchClient, StoredDocument
from services.search.opensearch.schema import body_of, identity

#: Sites are read and written so many at a time: one may have megabytes of text.
AT_ONCE = 50

Documents = Mapping[str, StoredDocument]


async def show_pages(
    client: OpenSearchClient, target: str, refs: Sequence[str]
) -> Documents:
    """Make the pages of these entities; the site documents they were made from."""
    found: dict[str, StoredDocument] = {}
    known = list(await documents(client, target, "site", refs, ()))
    for start in range(0, len(known), AT_ONCE):
        part = known[start : start + AT_ONCE]
        sites = await documents(client, target, "site", part, ("kept", "held"))
        entities = await documents(client, target, "entity", list(sites), ("kept",))
        writes = await asyncio.to_thread(_writes, sites, entities)
        # What conflicts was made from newer states already.
        await bulk(client, target, writes)
        found.update(sites)
    return found


def _writes(sites: Documents, entities: Documents) -> list[Write]:
    return [
        write
        for ref, site in sites.items()
        for write in _pages(ref, site, entities.get(ref))
    ]


def _pages(
    ref: str, site: StoredDocument, entity: StoredDocument | None
) -> list[Write]:
    kept = site.source["kept"]
    facts, number = None, site.place[0]
    if entity is not None:
        facts = facts_of(entity.source.get("kept") or {})
        number = max(number, entity.place[0])
    sections = [section_of(document) for document in kept["sections"]]
    bodies: list[dict[str, Any] | None] = [
        body_of(record, place)
        for place, record in enumerate(section_records(ref, sections, facts))
    ]
    # What an earlier, longer site had beyond these.
    bodies += [None] * (int(kept["most"]) - len(bodies))
    return [
        Write(identity("section", ref, place), body, version=number + 1, again=True)
        for place, body in enumerate(bodies)
    ]


def section_documents(sections: Sequence[PageSection]) -> list[dict[str, str]]:
    """A site's sections as its document keeps them."""
    return [
        {"path": section.path, "title": section.title, "text": section.text}
        for section in sections
    ]
