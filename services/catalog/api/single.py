"""Entities that are asked for one by one: by name, uid or refs, and their origins."""

from collections.abc import Callable, Iterator

import orjson
from starlette.requests import Request

from services.catalog.api.parameters import Parameters, body_of, predicate, strings
from services.catalog.api.reading import CHUNK, Pieces, Reads, Sent, begin, get, post
from services.catalog.query.ancestry import ancestry
from services.catalog.query.criteria import EVERYTHING, AllOf, Criterion
from services.catalog.query.fields import parse_fields
from services.catalog.query.filters import parse_filters
from services.catalog.query.rendering import render, render_all
from services.catalog.query.scopes import Scope
from services.catalog.query.selection import select
from services.catalog.readmodel.records import Record
from shared.contracts.errors import Invalid, NotFound

MOST_REFS = 20_000
BY_NAME = "/entities/by-name/{kind}/{namespace}/{name}"


async def by_name(request: Request) -> Sent:
    """GET `/entities/by-name/…`: one entity, its name in any case."""
    reads, scope = await begin(request)
    at = request.path_params
    ref = f"{at['kind']}:{at['namespace']}/{at['name']}".lower()
    record = _visible(reads, ref, scope)
    if record is None:
        raise NotFound(
            f"No entity named '{at['name']}' found, with kind '{at['kind']}' "
            f"in namespace '{at['namespace']}'"
        )
    return reads.answer(render(reads.model, record, scope))


async def by_uid(request: Request) -> Sent:
    """GET `/entities/by-uid/…`: one entity by the id that its storing gave it."""
    reads, scope = await begin(request)
    uid: str = request.path_params["uid"]
    for entity in reads.model.index.equal("metadata.uid", uid.lower()):
        record = reads.model.records[entity]
        if record is not None and scope.holds(entity):
            return reads.answer(render(reads.model, record, scope))
    raise NotFound(f"No entity with uid {uid}")


async def by_refs(request: Request) -> Sent:
    """POST `/entities/by-refs`: as many items as refs, null where there is none."""
    reads, scope = await begin(request)
    body = await body_of(request)
    refs = strings(body, "entityRefs", required=True)
    if len(refs) > MOST_REFS:
        raise Invalid(f"request/body/entityRefs must have at most {MOST_REFS} items")
    fields = parse_fields(strings(body, "fields"))
    criterion = _demanded(request, body)
    narrowed = None
    if criterion != EVERYTHING:
        narrowed = select(reads.model, criterion, scope)
    records = []
    for ref in refs:
        record = _visible(reads, ref, scope)
        if record is not None and narrowed is not None:
            record = record if record.entity in narrowed else None
        records.append(record)
    return _items(reads, records, fields, scope)


async def by_name_ancestry(request: Request) -> Sent:
    """GET `/entities/by-name/…/ancestry`: an entity and the locations above it."""
    reads, scope = await begin(request)
    at = request.path_params
    ref = f"{at['kind']}:{at['namespace']}/{at['name']}".lower()
    record = _visible(reads, ref, scope)
    if record is None:
        raise NotFound(f"No such entity {ref}")
    items = b",".join(
        b'{"entity":%b,"parentEntityRefs":%b}'
        % (render(reads.model, one, scope), orjson.dumps(parents))
        for one, parents in ancestry(reads.model, record, scope)
    )
    body = b'{"rootEntityRef":%b,"items":[%b]}' % (orjson.dumps(ref), items)
    return reads.answer(body)


def _visible(reads: Reads, ref: str, scope: Scope) -> Record | None:
    record = reads.model.record(ref)
    return record if record is not None and scope.holds(record.entity) else None


def _demanded(request: Request, body: dict[str, object]) -> Criterion:
    query = request.scope["query_string"]
    filters = parse_filters(Parameters(query).all("filter")) if query else EVERYTHING
    asked = predicate(body)
    if asked == EVERYTHING:
        return filters
    return asked if filters == EVERYTHING else AllOf((filters, asked))


def _items(
    reads: Reads,
    records: list[Record | None],
    fields: tuple[str, ...],
    scope: Scope,
) -> Sent:
    def rendered(part: list[Record | None]) -> bytes:
        found = iter(
            render_all(reads.model, filter(None, part), fields, scope),
        )
        return b",".join(b"null" if one is None else next(found) for one in part)

    if len(records) <= CHUNK:
        return reads.answer(b'{"items":[' + rendered(records) + b"]}")
    return Pieces(_item_pieces(records, rendered), reads.model.revision)


def _item_pieces(
    records: list[Record | None], rendered: Callable[[list[Record | None]], bytes]
) -> Iterator[bytes]:
    before = b'{"items":['
    for start in range(0, len(records), CHUNK):
        yield before + rendered(records[start : start + CHUNK])
        before = b","
    yield b"]}"


routes = [
    get(BY_NAME, by_name),
    post("/entities/by-refs", by_refs),
    get("/entities/by-uid/{uid}", by_uid),
    get(f"{BY_NAME}/ancestry", by_name_ancestry),
]
