"""Entities on the server: the newest state wins, whoever writes it and when.

A document's version is its entity's revision, so an older state is refused by the
server itself (deletions are documents too: tombstones). Revisions go back only where an
owner was restored from a backup, and start anew never but then; the held state is read
and compared only after a refusal, and the version then goes on counting from there.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.search.documents import entity_record, tombstone_record
from services.search.ledger import digest
from services.search.model import EntityRemoval, EntityUpsert, Version
from services.search.opensearch.bulk import CONFLICT, Write, bulk
from services.search.opensearch.checksums import documents
from services.search.opensearch.client import (
    Json,
    OpenSearchClient,
    StoredDocument,
    VersionCollision,
)
from services.search.opensearch.schema import body_of, digits, identity

EntityChange = EntityUpsert | EntityRemoval
TRIES = 8


@dataclass(frozen=True, slots=True)
class DocumentWrite:
    """What came of a change: `version` is that of its document on the server.

    `again`: it was there before. `open`: its pages wait, and then to be settled.
    """

    change: EntityChange
    version: int
    again: bool
    open: bool


async def write(
    client: OpenSearchClient, target: str, changes: Mapping[str, EntityChange]
) -> list[DocumentWrite]:
    """Write the changes that are newer than the index's documents.

    Also returns the changes whose documents have the same version already: the
    process that wrote them may have died before it settled them.

    An entity with pages is left unsettled, in no checksum, until its pages follow it.
    """
    refs = list(changes)
    paged = await documents(client, target, "site", refs, ())
    versions = {ref: change.version.revision for ref, change in changes.items()}
    writes_done: list[DocumentWrite] = []
    for _ in range(TRIES):
        writes = await asyncio.to_thread(_writes, changes, versions, frozenset(paged))
        statuses = await bulk(client, target, writes)
        refused: list[str] = []
        for (ref, version), status in zip(versions.items(), statuses, strict=True):
            if status == CONFLICT:
                refused.append(ref)
            else:
                is_open = ref in paged
                writes_done.append(
                    DocumentWrite(changes[ref], version, again=False, open=is_open)
                )
        if not refused:
            return writes_done
        attempted = versions
        versions = {}
        stored = await documents(
            client, target, "entity", refused, ("uid", "revision", "at", "held")
        )
        for ref in refused:
            change, document = changes[ref], stored.get(ref)
            if document is None:
                # Just forgotten; the server remembers its version for a while.
                versions[ref] = attempted[ref] + 1
            elif (number := _replacing_version(change, document)) is not None:
                versions[ref] = number
            elif _is_same_version(change, document):
                writes_done.append(_write_of_same_version(change, document))
    raise VersionCollision("Other processes keep writing the same entities")


def _replacing_version(change: EntityChange, document: StoredDocument) -> int | None:
    """The version by which this change replaces what is held; None if it must not."""
    version = _version(document.source)
    if change.replaces == version or change.version.is_newer_than(version):
        return document.version + 1
    return None


def _is_same_version(change: EntityChange, document: StoredDocument) -> bool:
    stored = _version(document.source)
    changed = change.version
    return (stored.uid, stored.revision) == (changed.uid, changed.revision)


def _write_of_same_version(
    change: EntityChange, document: StoredDocument
) -> DocumentWrite:
    settled = "gone" if isinstance(change, EntityRemoval) else "entities"
    is_open = document.source.get("held") != settled
    return DocumentWrite(change, document.version, again=True, open=is_open)


def _version(source: Json) -> Version:
    return Version(str(source["uid"]), int(source["revision"]), float(source["at"]))


async def settle(
    client: OpenSearchClient, target: str, written: Sequence[DocumentWrite]
) -> None:
    """Settle the entities whose pages were written: they count in the checksums."""
    writes = await asyncio.to_thread(
        lambda: [
            Write(
                identity("entity", document_write.change.ref),
                _body(document_write.change, settled=True),
                version=document_write.version,
                again=True,
            )
            for document_write in written
        ]
    )
    # At a conflict another process wrote a newer version, and settles that.
    await bulk(client, target, writes)


def _writes(
    changes: Mapping[str, EntityChange],
    versions: Mapping[str, int],
    paged: frozenset[str],
) -> list[Write]:
    return [
        Write(
            identity("entity", ref),
            _body(changes[ref], settled=ref not in paged),
            version=version,
        )
        for ref, version in versions.items()
    ]


def _body(change: EntityChange, *, settled: bool) -> dict[str, Any]:
    version = change.version
    version_fields = {
        "uid": version.uid,
        "revision": version.revision,
        "at": version.at,
    }
    if isinstance(change, EntityUpsert):
        summed = {
            "held": "entities",
            "digest": digits(digest(change.ref, version.revision)),
        }
        return (
            body_of(entity_record(change))
            | version_fields
            | (summed if settled else {})
        )
    body = body_of(tombstone_record(change.ref, version)) | version_fields
    if settled:
        return body | {"held": "gone"}
    # A wrong checksum until it is settled, so that a comparison finds it.
    return body | {"held": "entities", "digest": digits(digest(change.ref, "going"))}
