"""Sites on the server: the indexed site of each entity, with its sections.

Sites are named by their content and have no order: a write replaces exactly the site
that was read. The next comparison with techdocs repairs the result of a race.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from services.search.ledger import digest
from services.search.model import SiteRemoval, SiteUpsert
from services.search.opensearch.bulk import CONFLICT, Write, bulk
from services.search.opensearch.checksums import documents
from services.search.opensearch.client import (
    Json,
    OpenSearchClient,
    StoredDocument,
    VersionCollision,
)
from services.search.opensearch.pages import section_documents
from services.search.opensearch.schema import digits, identity

SiteChange = SiteUpsert | SiteRemoval
TRIES = 8
#: The state of a site's document in the checksums.
PUBLISHED, UNPUBLISHED = "sites", "unpublished"


async def write(
    client: OpenSearchClient, target: str, changes: Mapping[str, SiteChange]
) -> tuple[int, list[str]]:
    """Write new sites, unsettled; returns their number and the refs of new pages."""
    pending, applied = list(changes), 0
    pages: list[str] = []
    for _ in range(TRIES):
        stored = await documents(
            client, target, "site", pending, ("kept.site", "kept.most", "held")
        )
        writes: dict[str, Write] = {}
        for ref in pending:
            change, document = changes[ref], stored.get(ref)
            if _is_new(change, document):
                writes[ref] = _site_write(change, document)
            elif document is not None and not _is_settled(document):
                pages.append(ref)
        statuses = await bulk(client, target, list(writes.values()))
        pending = []
        for ref, status in zip(writes, statuses, strict=True):
            if status == CONFLICT:
                pending.append(ref)
            else:
                applied += 1
                pages.append(ref)
        if not pending:
            return applied, pages
    raise VersionCollision("Other processes keep writing the same sites")


def _is_new(change: SiteChange, document: StoredDocument | None) -> bool:
    current = document.source["kept"]["site"] if document else None
    if isinstance(change, SiteUpsert):
        return bool(current != change.site)
    return current is not None and change.replaces in (None, current)


def _is_settled(document: StoredDocument) -> bool:
    source = document.source
    expected = UNPUBLISHED if source["kept"]["site"] is None else PUBLISHED
    return bool(source.get("held") == expected)


def _site_write(change: SiteChange, document: StoredDocument | None) -> Write:
    most = int(document.source["kept"]["most"]) if document else 0
    sections: list[dict[str, str]] = []
    site, summed = None, dict[str, Any]()
    if isinstance(change, SiteUpsert):
        sections, site = section_documents(change.sections), change.site
    else:
        # A wrong checksum until it is settled, so that a comparison finds it.
        summed = {"held": PUBLISHED, "site": "going"}
        summed["digest"] = digits(digest(change.ref, "going"))
    values = {"site": site, "sections": sections, "most": max(most, len(sections))}
    body = {**_BARE, "ref": change.ref, "kept": values, **summed}
    if document is None:
        return Write(identity("site", change.ref), body, fresh=True)
    return Write(identity("site", change.ref), body, expected=document.place)


_BARE: Json = {"role": "site", "shown": False, "document": {}}


async def settle(
    client: OpenSearchClient, target: str, site_documents: Mapping[str, StoredDocument]
) -> None:
    """Settle the sites whose pages were written: they count in the checksums."""
    writes: list[Write] = []
    for ref, document in site_documents.items():
        if not _is_settled(document):
            body = {**_BARE, "ref": ref, "kept": document.source["kept"]}
            body |= _checksum_fields(ref, body["kept"]["site"])
            writes.append(Write(identity("site", ref), body, expected=document.place))
    # At a conflict another process wrote another site, and settles that.
    await bulk(client, target, writes)


def _checksum_fields(ref: str, site: str | None) -> dict[str, Any]:
    if site is None:
        return {"held": UNPUBLISHED, "at": time.time()}
    return {"held": PUBLISHED, "site": site, "digest": digits(digest(ref, site))}


async def settled_sites(
    client: OpenSearchClient, target: str, refs: Sequence[str]
) -> dict[str, str]:
    """The settled sites of these entities, of those that have one."""
    stored = await documents(client, target, "site", refs, ("kept.site", "held"))
    return {
        ref: str(document.source["kept"]["site"])
        for ref, document in stored.items()
        if _is_settled(document) and document.source["kept"]["site"] is not None
    }
