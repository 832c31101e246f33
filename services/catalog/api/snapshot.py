"""The whole catalog, for services that derive data from it."""

from collections.abc import Iterator, Sequence

import orjson
from starlette.requests import Request

from services.catalog.api.reading import (
    ReadResponse,
    Reads,
    StreamedResponse,
    reads_of,
)
from services.catalog.query.ordering import ids_of, in_order, indexes_in_turns
from services.catalog.query.rendering import ENTITIES_AT_ONCE
from services.catalog.readmodel.records import EntityRecord, tail_of
from shared.contracts.errors import Forbidden
from shared.kit.http.apps import caller_of

NDJSON = b"application/x-ndjson"


async def snapshot(request: Request) -> ReadResponse:
    """A line of JSON for each entity, by ref, as of one moment."""
    reads = for_services(request)
    indexes = await indexes_in_turns(reads.model, ())
    ids = ids_of(in_order(indexes, reads.model.live, ()))
    records = list(reads.model.existing(ids))
    refs_only = b"refs_only=1" in request.scope["query_string"]
    pieces = _lines(reads, records, refs_only=refs_only)
    return StreamedResponse(pieces, reads.model.revision, media=NDJSON)


async def checksum(request: Request) -> ReadResponse:
    """Equal where the same revisions are held."""
    reads = for_services(request)
    summary = {"count": len(reads.model), "checksum": reads.model.checksum()}
    return reads.answer(orjson.dumps(summary))


def for_services(request: Request) -> Reads:
    """The reads of a calling service; raises Forbidden for people."""
    principal = caller_of(request)
    if not principal.is_service or principal.decision != "allow":
        raise Forbidden("Only services may read the snapshot")
    return reads_of(request)


def _lines(
    reads: Reads, records: Sequence[EntityRecord], *, refs_only: bool
) -> Iterator[bytes]:
    for start in range(0, len(records), ENTITIES_AT_ONCE):
        part = records[start : start + ENTITIES_AT_ONCE]
        if refs_only:
            yield b"".join(_start(record) + b"}\n" for record in part)
        else:
            yield b"".join(_line(reads, record) for record in part)


def _start(record: EntityRecord) -> bytes:
    fields = (orjson.dumps(record.ref), record.stored.revision)
    return b'{"ref":%b,"revision":%d' % fields


def _line(reads: Reads, record: EntityRecord) -> bytes:
    # Tails are not remembered here: these entities may not be read again for days.
    tail = record.tail or tail_of(record, reads.model.relations(record))
    return b'%b,"entity":%b%b}\n' % (_start(record), record.head, tail)
