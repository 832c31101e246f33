"""The pages of documentation on the server, derived from their entity and their site.

The process that changes one of the two derives the pages from the current state of
both. All are in one shard, whose sequence numbers only grow: the version of a page is
the later one of its two sources, so that older pages never replace newer ones.
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

#: The number of sites in one request, since a site may have megabytes of text.
AT_ONCE = 50

Documents = Mapping[str, StoredDocument]


async def write_pages(
    client: OpenSearchClient, target: str, refs: Sequence[str]
) -> Documents:
    """Write the pages of these entities; returns the site documents they come from."""
    written_sites: dict[str, StoredDocument] = {}
    indexed_refs = list(await documents(client, target, "site", refs, ()))
    for start in range(0, len(indexed_refs), AT_ONCE):
        part = indexed_refs[start : start + AT_ONCE]
        sites = await documents(client, target, "site", part, ("kept", "held"))
        entities = await documents(client, target, "entity", list(sites), ("kept",))
        writes = await asyncio.to_thread(_writes, sites, entities)
        # A conflict means that newer pages exist.
        await bulk(client, target, writes)
        written_sites.update(sites)
    return written_sites


def _writes(sites: Documents, entities: Documents) -> list[Write]:
    return [
        write
        for ref, site in sites.items()
        for write in _pages(ref, site, entities.get(ref))
    ]


def _pages(
    ref: str, site: StoredDocument, entity: StoredDocument | None
) -> list[Write]:
    values = site.source["kept"]
    facts, number = None, site.place[0]
    if entity is not None:
        facts = facts_of(entity.source.get("kept") or {})
        number = max(number, entity.place[0])
    sections = [section_of(document) for document in values["sections"]]
    bodies: list[dict[str, Any] | None] = [
        body_of(record, place)
        for place, record in enumerate(section_records(ref, sections, facts))
    ]
    # Delete the sections of an earlier, longer site.
    bodies += [None] * (int(values["most"]) - len(bodies))
    return [
        Write(identity("section", ref, place), body, version=number + 1, again=True)
        for place, body in enumerate(bodies)
    ]


def section_documents(sections: Sequence[PageSection]) -> list[dict[str, str]]:
    """A site's sections in the form of its document."""
    return [
        {"path": section.path, "title": section.title, "text": section.text}
        for section in sections
    ]
