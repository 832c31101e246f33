"""Sites on the server: which one of each entity is shown, and its sections.

Sites are named by their content and have no order: each is written over exactly the one
that was read, and what a race got wrong the next look at techdocs mends.
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
#: What the books say of a site's document: shown, or no more.
SHOWN, UNPUBLISHED = "sites", "unpublished"


async def write(
    client: OpenSearchClient, target: str, changes: Mapping[str, SiteChange]
) -> tuple[int, list[str]]:
    """Write what is news, unsettled; how many were, and whose pages are to be made."""
    left, news = list(changes), 0
    pages: list[str] = []
    for _ in range(TRIES):
        held = await documents(
            client, target, "site", left, ("kept.site", "kept.most", "held")
        )
        writes: dict[str, Write] = {}
        for ref in left:
            change, document = changes[ref], held.get(ref)
            if _is_news(change, document):
                writes[ref] = _written(change, document)
            elif document is not None and not _settled(document):
                pages.append(ref)
        statuses = await bulk(client, target, list(writes.values()))
        left = []
        for ref, status in zip(writes, statuses, strict=True):
            if status == CONFLICT:
                left.append(ref)
            else:
                news += 1
                pages.append(ref)
        if not left:
            return news, pages
    raise VersionCollision("Other processes keep writing the same sites")


def _is_news(change: SiteChange, document: StoredDocument | None) -> bool:
    held = document.source["kept"]["site"] if document else None
    if isinstance(change, SiteUpsert):
        return bool(held != change.site)
    return held is not None and change.replaces in (None, held)


def _settled(document: StoredDocument) -> bool:
    source = document.source
    wanted = UNPUBLISHED if source["kept"]["site"] is None else SHOWN
    return bool(source.get("held") == wanted)


def _written(change: SiteChange, document: StoredDocument | None) -> Write:
    most = int(document.source["kept"]["most"]) if document else 0
    sections: list[dict[str, str]] = []
    site, summed = None, dict[str, Any]()
    if isinstance(change, SiteUpsert):
        sections, site = section_documents(change.sections), change.site
    else:
        # Wrong in the books until it is settled: then the next look finds it.
        summed = {"held": SHOWN, "site": "going"}
        summed["digest"] = digits(digest(change.ref, "going"))
    kept = {"site": site, "sections": sections, "most": max(most, len(sections))}
    body = {**_BARE, "ref": change.ref, "kept": kept, **summed}
    if document is None:
        return Write(identity("site", change.ref), body, fresh=True)
    return Write(identity("site", change.ref), body, expected=document.place)


_BARE: Json = {"role": "site", "shown": False, "document": {}}


async def settle(
    client: OpenSearchClient, target: str, made: Mapping[str, StoredDocument]
) -> None:
    """Their pages are made of these documents: they count from now on."""
    writes: list[Write] = []
    for ref, document in made.items():
        if not _settled(document):
            body = {**_BARE, "ref": ref, "kept": document.source["kept"]}
            body |= _books(ref, body["kept"]["site"])
            writes.append(Write(identity("site", ref), body, expected=document.place))
    # Where that conflicts, somebody wrote another site, and settles that.
    await bulk(client, target, writes)


def _books(ref: str, site: str | None) -> dict[str, Any]:
    if site is None:
        return {"held": UNPUBLISHED, "at": time.time()}
    return {"held": SHOWN, "site": site, "digest": digits(digest(ref, site))}


async def settled_sites(
    client: OpenSearchClient, target: str, refs: Sequence[str]
) -> dict[str, str]:
    """The settled sites of these entities, of those that have one."""
    found = await documents(client, target, "site", refs, ("kept.site", "held"))
    return {
        ref: str(document.source["kept"]["site"])
        for ref, document in found.items()
        if _settled(document) and document.source["kept"]["site"] is not None
    }
