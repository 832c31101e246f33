"""Routes for single entities: by name, uid or refs, and their ancestry."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import orjson
from starlette.requests import Request

from services.catalog.api.models import EntityFilter, EntityRefsRequest
from services.catalog.api.parameters import query_as
from services.catalog.api.reading import (
    ReadResponse,
    Reads,
    StreamedResponse,
    begin,
)
from services.catalog.query.ancestry import ancestry
from services.catalog.query.criteria import EVERYTHING, AllOf, Criterion
from services.catalog.query.fields import parse_fields
from services.catalog.query.filters import parse_filters
from services.catalog.query.predicates import Predicate, parse_predicate
from services.catalog.query.rendering import piece_size, render, render_all
from services.catalog.query.scopes import ReaderScope
from services.catalog.query.selection import select
from services.catalog.readmodel.records import EntityRecord
from shared.contracts.errors import NotFound
from shared.kit.http.bodies import body_as


async def by_name(request: Request) -> ReadResponse:
    """One entity by its name, in any case."""
    reads, scope = await begin(request)
    names = request.path_params
    ref = f"{names['kind']}:{names['namespace']}/{names['name']}".lower()
    record = _visible(reads, ref, scope)
    if record is None:
        raise NotFound(
            f"No entity named '{names['name']}' found, with kind '{names['kind']}' "
            f"in namespace '{names['namespace']}'"
        )
    return await _answer(reads, record, scope)


async def by_uid(request: Request) -> ReadResponse:
    """One entity by the uid that the catalog gave it."""
    reads, scope = await begin(request)
    uid: str = request.path_params["uid"]
    for entity in reads.model.index.equal("metadata.uid", uid.lower()):
        record = reads.model.records[entity]
        if record is not None and scope.holds(entity):
            return await _answer(reads, record, scope)
    raise NotFound(f"No entity with uid {uid}")


async def by_refs(request: Request) -> ReadResponse:
    """Entities by their refs: as many items as refs, null where there is none."""
    reads, scope = await begin(request)
    body = await body_as(request, EntityRefsRequest)
    fields = parse_fields(body.fields)
    criterion = _criterion(request, body.query)
    ids, all_records, within = reads.model.ids, reads.model.records, scope.visible
    if criterion != EVERYTHING:
        within = select(reads.model, criterion, scope)
    # In one pass: a page asks for hundreds.
    entities = map(ids.get, body.entity_refs)
    records = [
        all_records[entity]
        if entity is not None and (within is None or entity in within)
        else None
        for entity in entities
    ]
    return await _items(reads, records, fields, scope)


async def by_name_ancestry(request: Request) -> ReadResponse:
    """An entity and the locations above it."""
    reads, scope = await begin(request)
    names = request.path_params
    ref = f"{names['kind']}:{names['namespace']}/{names['name']}".lower()
    record = _visible(reads, ref, scope)
    if record is None:
        raise NotFound(f"No such entity {ref}")
    revision = str(reads.model.revision)
    items = [
        b'{"entity":%b,"parentEntityRefs":%b}'
        % (await _rendered_entity(reads, ancestor, scope), orjson.dumps(parents))
        for ancestor, parents in ancestry(reads.model, record, scope)
    ]
    body = b'{"rootEntityRef":%b,"items":[%b]}' % (
        orjson.dumps(ref),
        b",".join(items),
    )
    return reads.answer(body, revision)


def _visible(reads: Reads, ref: str, scope: ReaderScope) -> EntityRecord | None:
    record = reads.model.record(ref)
    return record if record is not None and scope.holds(record.entity) else None


async def _answer(
    reads: Reads, record: EntityRecord, scope: ReaderScope
) -> ReadResponse:
    revision = str(reads.model.revision)
    return reads.answer(await _rendered_entity(reads, record, scope), revision)


async def _rendered_entity(
    reads: Reads, record: EntityRecord, scope: ReaderScope
) -> bytes:
    rendered = render(reads.model, record, reads.renew(scope))
    return (await reads.definitions.complete([rendered]))[0]


def _criterion(request: Request, query: Predicate | None) -> Criterion:
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
) -> ReadResponse:
    existing_records = [record for record in records if record is not None]

    def rendered(part: Sequence[EntityRecord]) -> list[bytes]:
        return render_all(reads.model, part, fields, reads.renew(scope))

    size = piece_size(fields)
    if len(records) <= size and reads.definitions.are_few(existing_records):
        revision = str(reads.model.revision)
        bodies = iter(await reads.definitions.complete(rendered(existing_records)))
        items = [b"null" if record is None else next(bodies) for record in records]
        return reads.answer(b'{"items":[' + b",".join(items) + b"]}", revision)
    return StreamedResponse(
        _item_pieces(reads, reads.definitions.portions(records, size), rendered),
        reads.model.revision,
    )


async def _item_pieces(
    reads: Reads,
    portions: Iterable[Sequence[EntityRecord | None]],
    rendered: Callable[[Sequence[EntityRecord]], list[bytes]],
) -> AsyncIterator[bytes]:
    separator = b'{"items":['
    for part in portions:
        existing_records = [record for record in part if record is not None]
        bodies = iter(await reads.definitions.complete(rendered(existing_records)))
        items = [b"null" if record is None else next(bodies) for record in part]
        yield separator + b",".join(items)
        separator = b","
    yield b"]}"
