"""Entities that are asked for one by one: by name, uid or refs, and their origins."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import orjson
from starlette.requests import Request

from services.catalog.api.models import EntityFilter, EntityRefsRequest
from services.catalog.api.parameters import query_as
from services.catalog.api.reading import CHUNK, Pieces, Reads, Sent, begin
from services.catalog.query.ancestry import ancestry
from services.catalog.query.criteria import EVERYTHING, AllOf, Criterion
from services.catalog.query.fields import parse_fields
from services.catalog.query.filters import parse_filters
from services.catalog.query.predicates import parse_predicate
from services.catalog.query.rendering import render, render_all
from services.catalog.query.scopes import ReaderScope
from services.catalog.query.selection import select
from services.catalog.readmodel.records import EntityRecord
from shared.contracts.errors import NotFound
from shared.kit.http.bodies import body_as


async def by_name(request: Request) -> Sent:
    """One entity by its name, in any case."""
    reads, scope = await begin(request)
    at = request.path_params
    ref = f"{at['kind']}:{at['namespace']}/{at['name']}".lower()
    record = _visible(reads, ref, scope)
    if record is None:
        raise NotFound(
            f"No entity named '{at['name']}' found, with kind '{at['kind']}' "
            f"in namespace '{at['namespace']}'"
        )
    return await _answer(reads, record, scope)


async def by_uid(request: Request) -> Sent:
    """One entity by the uid that the catalog gave it."""
    reads, scope = await begin(request)
    uid: str = request.path_params["uid"]
    for entity in reads.model.index.equal("metadata.uid", uid.lower()):
        record = reads.model.records[entity]
        if record is not None and scope.holds(entity):
            return await _answer(reads, record, scope)
    raise NotFound(f"No entity with uid {uid}")


async def by_refs(request: Request) -> Sent:
    """Entities by their refs: as many items as refs, null where there is none."""
    reads, scope = await begin(request)
    body = await body_as(request, EntityRefsRequest)
    fields = parse_fields(body.fields)
    criterion = _criterion(request, body.query)
    narrowed = None
    if criterion != EVERYTHING:
        narrowed = select(reads.model, criterion, scope)
    records = []
    for ref in body.entity_refs:
        record = _visible(reads, ref, scope)
        if record is not None and narrowed is not None:
            record = record if record.entity in narrowed else None
        records.append(record)
    return await _items(reads, records, fields, scope)


async def by_name_ancestry(request: Request) -> Sent:
    """An entity and the locations above it."""
    reads, scope = await begin(request)
    at = request.path_params
    ref = f"{at['kind']}:{at['namespace']}/{at['name']}".lower()
    record = _visible(reads, ref, scope)
    if record is None:
        raise NotFound(f"No such entity {ref}")
    revision = str(reads.model.revision)
    items = [
        b'{"entity":%b,"parentEntityRefs":%b}'
        % (await _whole(reads, one, scope), orjson.dumps(parents))
        for one, parents in ancestry(reads.model, record, scope)
    ]
    body = b'{"rootEntityRef":%b,"items":[%b]}' % (
        orjson.dumps(ref),
        b",".join(items),
    )
    return reads.answer(body, revision)


def _visible(reads: Reads, ref: str, scope: ReaderScope) -> EntityRecord | None:
    record = reads.model.record(ref)
    return record if record is not None and scope.holds(record.entity) else None


async def _answer(reads: Reads, record: EntityRecord, scope: ReaderScope) -> Sent:
    revision = str(reads.model.revision)
    return reads.answer(await _whole(reads, record, scope), revision)


async def _whole(reads: Reads, record: EntityRecord, scope: ReaderScope) -> bytes:
    rendered = render(reads.model, record, reads.renewed(scope))
    return (await reads.definitions.completed([rendered]))[0]


def _criterion(request: Request, query: dict[str, Any] | None) -> Criterion:
    filters: Criterion = EVERYTHING
    if request.scope["query_string"]:
        query_string = request.scope["query_string"]
        filters = parse_filters(query_as(query_string, EntityFilter).filter)
    if query is None:
        return filters
    predicate = parse_predicate(query)
    return predicate if filters == EVERYTHING else AllOf((filters, predicate))


async def _items(
    reads: Reads,
    records: list[EntityRecord | None],
    fields: tuple[str, ...],
    scope: ReaderScope,
) -> Sent:
    there = [record for record in records if record is not None]

    def rendered(part: Sequence[EntityRecord]) -> list[bytes]:
        return render_all(reads.model, part, fields, reads.renewed(scope))

    if len(records) <= CHUNK and reads.definitions.are_few(there):
        revision = str(reads.model.revision)
        bodies = iter(await reads.definitions.completed(rendered(there)))
        items = [b"null" if one is None else next(bodies) for one in records]
        return reads.answer(b'{"items":[' + b",".join(items) + b"]}", revision)
    return Pieces(_item_pieces(reads, records, rendered), reads.model.revision)


async def _item_pieces(
    reads: Reads,
    records: Sequence[EntityRecord | None],
    rendered: Callable[[Sequence[EntityRecord]], list[bytes]],
) -> AsyncIterator[bytes]:
    before = b'{"items":['
    for part in reads.definitions.portions(records, CHUNK):
        there = [record for record in part if record is not None]
        found = iter(await reads.definitions.completed(rendered(there)))
        items = [b"null" if one is None else next(found) for one in part]
        yield before + b",".join(items)
        before = b","
    yield b"]}"
