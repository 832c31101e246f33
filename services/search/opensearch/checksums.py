"""Checksums and versions of an index version, computed by the server.

No process has a ledger of a shared index, because others write to it as well. The
checksum of 100,000 entities is an aggregation over eight small numbers each; the
versions are read only where checksums differ.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from services.search.model import Checksum, IndexedVersions, Version
from services.search.opensearch.client import (
    Json,
    MissingIndex,
    OpenSearchClient,
    StoredDocument,
)
from services.search.opensearch.schema import checksum, identity
from services.search.ports import Checksums

NUMBERS = 8 * 256
PAGE = 5_000
VALUES = ("ref", "held", "uid", "revision", "at", "site")
PARTS = ("entities", "sites")


async def read_checksums(client: OpenSearchClient, target: str) -> Checksums:
    """Number and checksum of each part."""
    body = {
        "size": 0,
        "track_total_hits": False,
        "aggs": {
            part: {
                "filter": {"term": {"held": part}},
                "aggs": {"digits": {"terms": {"field": "digest", "size": NUMBERS}}},
            }
            for part in PARTS
        },
    }
    aggregations = (await client.search(target, body))["aggregations"]
    return {part: _sum(aggregations[part]) for part in PARTS}


def _sum(aggregation: Json) -> Checksum:
    counts = {
        int(bucket["key"]): int(bucket["doc_count"])
        for bucket in aggregation["digits"]["buckets"]
    }
    return Checksum(int(aggregation["doc_count"]), f"{checksum(counts):016x}")


async def read_versions(client: OpenSearchClient, target: str) -> IndexedVersions:
    """All versions in the index; takes about two seconds for 100,000."""
    entities, tombstones, sites = (
        dict[str, Version](),
        dict[str, Version](),
        dict[str, str](),
    )
    async for values in _read_version_fields(client, target):
        ref, state = str(values["ref"][0]), values["held"][0]
        if state == "sites":
            sites[ref] = str(values["site"][0])
        else:
            versions = tombstones if state == "gone" else entities
            versions[ref] = _version(values)
    return IndexedVersions(entities, tombstones, sites)


def _version(values: Mapping[str, Sequence[Any]]) -> Version:
    uid = values.get("uid") or [""]
    return Version(str(uid[0]), int(values["revision"][0]), float(values["at"][0]))


async def _read_version_fields(
    client: OpenSearchClient, target: str
) -> AsyncIterator[Json]:
    """Read in the order of refs, so that concurrent writes do not shift pages."""
    after: list[Any] | None = None
    while True:
        body = {
            "size": PAGE,
            "track_total_hits": False,
            "query": {"terms": {"held": ["entities", "gone", "sites"]}},
            "sort": [{"ref": "asc"}, {"held": "asc"}],
            "_source": False,
            "docvalue_fields": list(VALUES),
        }
        if after is not None:
            body["search_after"] = after
        hits = (await client.search(target, body))["hits"]["hits"]
        for hit in hits:
            yield hit["fields"]
        if len(hits) < PAGE:
            return
        after = hits[-1]["sort"]


async def documents(
    client: OpenSearchClient,
    target: str,
    role: str,
    refs: Sequence[str],
    fields: Sequence[str],
) -> dict[str, StoredDocument]:
    """The documents of these refs as they are this moment, refreshed or not.

    Each has these fields of its source. What is not there is left out.
    """
    if not refs:
        return {}
    body = {"ids": [identity(role, ref) for ref in refs]}
    source = ",".join(fields) if fields else False
    with client.calls() as server:
        response = await server.mget(index=target, body=body, _source=source)
    stored = response["docs"]
    if any("error" in document for document in stored):
        raise MissingIndex(f"The index server (OpenSearch) has no {target}")
    return {
        ref: StoredDocument.of(document)
        for ref, document in zip(refs, stored, strict=True)
        if document.get("found")
    }


async def find_tombstones(
    client: OpenSearchClient, target: str, before: float, most: int
) -> dict[str, StoredDocument]:
    """Tombstones older than this, by their ids."""
    body = {
        "size": most,
        "query": {
            "bool": {
                "filter": [
                    {"terms": {"held": ["gone", "unpublished"]}},
                    {"range": {"at": {"lt": before}}},
                ]
            }
        },
        "_source": False,
        "seq_no_primary_term": True,
    }
    hits = (await client.search(target, body))["hits"]["hits"]
    return {str(hit["_id"]): StoredDocument.of(hit) for hit in hits}
