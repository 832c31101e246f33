"""Writing many documents: in requests of a bounded size, one after the other.

A server that has too much to do says so for a request or for single documents of it;
those are sent again, later each time, and nothing else is sent meanwhile.
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

#: Requests below the size from which the HTTP client had better not be given bytes.
OPTIONS: Json = {
    "chunk_size": 2_000,
    "max_chunk_bytes": 1_000_000,
    "max_retries": 7,
    "initial_backoff": 0.1,
    "raise_on_error": False,
}
#: Somebody wrote a newer version, or another one than expected.
CONFLICT = 409
BUSY = 429
#: It is the document that is at fault, and will be the next time too.
WRONG = (400, 413)
ANSWER = ",".join(
    f"items.*.{field}" for field in ("_id", "status", "error.type", "error.reason")
)
OVERLOADED = "The index server (OpenSearch) has more to do than it can take"
#: What is done with a document, and the document, as JSON.
Action = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Write:
    """One document to be written; without a body, to be deleted.

    `version`: only over an older version, or with `again` over the same one too.
    `expected`: only if this (sequence number, primary term) is what is there; `fresh`:
    only if nothing is there.
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
    """Write these; the status of each: 200s, 409 for a conflict, 404 for a non-delete.

    No two of them are of one document.

    Raises:
        MissingIndex: if there is no such alias; an index is never made by writing.
        Invalid: naming the first document that the server refuses, and why.
        Unavailable: if it does not answer, or stays busy.
    """
    # Beside the loop: the library's helper would write the JSON on it.
    actions = await asyncio.to_thread(lambda: [_action(write) for write in writes])
    statuses: dict[str, int] = {}
    with client.calls() as server:
        results = async_streaming_bulk(
            server,
            actions,
            **OPTIONS,
            expand_action_callback=_as_it_is,
            index=target,
            require_alias=True,
            filter_path=ANSWER,
        )
        async with aclosing(results):
            async for _, item in results:
                for result in item.values():
                    statuses[result["_id"]] = _status(result)
    return [statuses[write.identity] for write in writes]


def _action(write: Write) -> Action:
    about: dict[str, Any] = {"_id": write.identity}
    if write.version is not None:
        about["version"] = write.version
        about["version_type"] = "external_gte" if write.again else "external"
    if write.expected is not None:
        about["if_seq_no"], about["if_primary_term"] = write.expected
    if write.body is None:
        return _json({"delete": about}), None
    return _json({"create" if write.fresh else "index": about}), _json(write.body)


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
    kind, why = str(error.get("type")), str(error.get("reason"))[:300]
    if kind == "index_not_found_exception":
        raise MissingIndex(why)
    if status in WRONG:
        raise Invalid(f"The index server (OpenSearch) refuses a document: {why}")
    raise Unavailable(f"The index server (OpenSearch) cannot write: {why}")
