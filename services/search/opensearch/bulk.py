"""Writes many documents in requests of a bounded size, one after another.

An overloaded server refuses a request or single documents; those are sent again after
growing pauses, and nothing else is sent meanwhile.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson
from opensearchpy.helpers import async_streaming_bulk

from services.search.opensearch.client import Json, MissingIndex, OpenSearchClient
from shared.contracts.errors import Invalid, Unavailable

#: Requests stay below the size from which aiohttp warns about large bytes objects.
BULK_OPTIONS: Json = {
    "chunk_size": 2_000,
    "max_chunk_bytes": 1_000_000,
    "max_retries": 7,
    "initial_backoff": 0.1,
    "raise_on_error": False,
}
#: Another process wrote a newer version, or another one than expected.
CONFLICT = 409
BUSY = 429
#: The document is wrong, so a repetition would fail too.
REFUSED_STATUSES = (400, 413)
RESPONSE_FIELDS = ",".join(
    f"items.*.{field}" for field in ("_id", "status", "error.type", "error.reason")
)
OVERLOADED = "The index server (OpenSearch) has more to do than it can take"
#: The action on a document and the document, as JSON.
Action = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Write:
    """Writes one document, or deletes it if there is no body.

    With `version`, only an older version is replaced, with `again` also the same one.
    With `expected`, only this sequence number and primary term are replaced; with
    `fresh` the document must not exist.
    """

    identity: str
    body: Json | None
    version: int | None = None
    again: bool = False
    expected: tuple[int, int] | None = None
    fresh: bool = False


async def bulk(
    client: OpenSearchClient, target: str, writes: Sequence[Write]
) -> list[int]:
    """Write documents; returns the status of each: 200s, 409 for a conflict, 404.

    Each document may occur only once.

    Raises:
        MissingIndex: if the alias does not exist; a write never creates an index.
        Invalid: naming the first refused document and the reason.
        Unavailable: if it does not answer, or stays busy.
    """
    # In a thread, because the library's helper would serialize on the event loop.
    actions = await asyncio.to_thread(lambda: [_action(write) for write in writes])
    statuses: dict[str, int] = {}
    with client.calls() as server:
        results = async_streaming_bulk(
            server,
            actions,
            **BULK_OPTIONS,
            expand_action_callback=_as_it_is,
            index=target,
            require_alias=True,
            filter_path=RESPONSE_FIELDS,
        )
        async with aclosing(results):
            async for _, item in results:
                for result in item.values():
                    statuses[result["_id"]] = _status(result)
    return [statuses[write.identity] for write in writes]


def _action(write: Write) -> Action:
    metadata: dict[str, Any] = {"_id": write.identity}
    if write.version is not None:
        metadata["version"] = write.version
        metadata["version_type"] = "external_gte" if write.again else "external"
    if write.expected is not None:
        metadata["if_seq_no"], metadata["if_primary_term"] = write.expected
    if write.body is None:
        return _json({"delete": metadata}), None
    return _json({"create" if write.fresh else "index": metadata}), _json(write.body)


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def _as_it_is(action: Action) -> Action:
    return action


def _status(result: Json) -> int:
    status, error = int(result["status"]), result.get("error")
    if error is None or status == CONFLICT:
        return status
    if status == BUSY:
        raise Unavailable(OVERLOADED)
    kind, reason = str(error.get("type")), str(error.get("reason"))[:300]
    if kind == "index_not_found_exception":
        raise MissingIndex(reason)
    if status in REFUSED_STATUSES:
        raise Invalid(f"The index server (OpenSearch) refuses a document: {reason}")
    raise Unavailable(f"The index server (OpenSearch) cannot write: {reason}")
