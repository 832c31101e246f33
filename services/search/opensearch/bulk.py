"""Writing many documents: in requests of a bounded size, one after the other.

A server that has too much to do says so for a request or for single documents of it;
those are sent again, later each time, and nothing else is sent meanwhile.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.search.opensearch.client import MissingIndex, OpenSearchClient
from shared.contracts.errors import Invalid, Unavailable

#: Below the size from which the HTTP client had better not be given bytes.
MOST_BYTES = 1_000_000
MOST_DOCUMENTS = 2_000
FIRST_WAIT_SECONDS = 0.1
TRIES = 8
#: Somebody wrote a newer version, or another one than expected.
CONFLICT = 409
NOT_THERE = 404
BUSY = 429
#: It is the document that is at fault, and will be the next time too.
WRONG = (400, 413)
ANSWER = "items.*.status,items.*.error.type,items.*.error.reason"


@dataclass(frozen=True, slots=True)
class Write:
    """One document to be written; without a body, to be deleted.

    `version`: only over an older version, or with `again` over the same one too.
    `expected`: only if this (sequence number, primary term) is what is there; `fresh`:
    only if nothing is there.
    """

    identity: str
    body: Mapping[str, Any] | None
    version: int | None = None
    again: bool = False
    expected: tuple[int, int] | None = None
    fresh: bool = False


async def bulk(
    client: OpenSearchClient, target: str, writes: Sequence[Write]
) -> list[int]:
    """Write these; the status of each: 200s, 409 for a conflict, 404 for a non-delete.

    Raises:
        Missing: if there is no such alias; an index is never made by writing.
        Invalid: naming the first document that the server refuses, and why.
        Unavailable: if it does not answer, or stays busy.
    """
    statuses: dict[int, int] = {}
    left = list(range(len(writes)))
    wait = FIRST_WAIT_SECONDS
    for _ in range(TRIES):
        chunks = await asyncio.to_thread(_chunks, writes, left)
        for numbers, body in chunks:
            statuses |= dict(
                zip(numbers, await _sent(client, target, body), strict=True)
            )
        left = [number for number in left if statuses[number] == BUSY]
        if not left:
            return [statuses[number] for number in range(len(writes))]
        await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        wait *= 2
    raise Unavailable("The index server (OpenSearch) has more to do than it can take")


def _chunks(
    writes: Sequence[Write], numbers: Sequence[int]
) -> list[tuple[list[int], bytes]]:
    return list(_requests(writes, numbers))


def _requests(
    writes: Sequence[Write], numbers: Sequence[int]
) -> Iterator[tuple[list[int], bytes]]:
    lines: list[bytes] = []
    inside: list[int] = []
    size = 0
    for number in numbers:
        found = _lines(writes[number])
        if inside and (size + len(found) > MOST_BYTES or len(inside) >= MOST_DOCUMENTS):
            yield inside, b"".join(lines)
            lines, inside, size = [], [], 0
        lines.append(found)
        inside.append(number)
        size += len(found)
    if inside:
        yield inside, b"".join(lines)


def _lines(write: Write) -> bytes:
    about: dict[str, Any] = {"_id": write.identity}
    if write.version is not None:
        about["version"] = write.version
        about["version_type"] = "external_gte" if write.again else "external"
    if write.expected is not None:
        about["if_seq_no"], about["if_primary_term"] = write.expected
    if write.body is None:
        return orjson.dumps({"delete": about}) + b"\n"
    head = orjson.dumps({"create" if write.fresh else "index": about})
    body = orjson.dumps(write.body, option=orjson.OPT_NON_STR_KEYS)
    return b"%b\n%b\n" % (head, body)


async def _sent(client: OpenSearchClient, target: str, body: bytes) -> list[int]:
    path, params = f"/{target}/_bulk", {"require_alias": "true", "filter_path": ANSWER}
    found = await client.call("POST", path, body, params)
    return [_status(result) for item in found["items"] for result in item.values()]


def _status(result: Mapping[str, Any]) -> int:
    status, error = int(result["status"]), result.get("error")
    if error is None or status in (CONFLICT, BUSY):
        return status
    kind, why = str(error.get("type")), str(error.get("reason"))[:300]
    if kind == "index_not_found_exception":
        raise MissingIndex(why)
    if status in WRONG:
        raise Invalid(f"The index server (OpenSearch) refuses a document: {why}")
    raise Unavailable(f"The index server (OpenSearch) cannot write: {why}")
