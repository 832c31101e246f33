"""The catalog's list as a file: all its pages, ordered and narrowed as on screen."""

import csv
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import orjson
from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from services.portal.api_paths import BY_QUERY
from services.portal.catalog_query import CatalogQuery, Reader
from services.portal.entities import entities_of, spec_ref
from services.portal.pages.catalog import list_params
from services.portal.pages.catalog_facets import reader_of
from services.portal.visit import Visit, Visiting
from shared.contracts.entity import Entity

#: Entities of one request: so many are written before others get their turn.
BATCH = 250
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
HEAD = (
    "ref",
    "kind",
    "namespace",
    "name",
    "title",
    "description",
    "type",
    "lifecycle",
    "owner",
    "system",
    "tags",
)

Batches = AsyncIterator[list[Entity]]
Writer = Callable[[Batches], AsyncIterator[str | bytes]]

router = APIRouter()


@router.get("/catalog.csv")
async def as_csv(visit: Visiting) -> Response:
    """RFC 4180, UTF-8; one line an entity."""
    return await _download(visit, "text/csv; charset=utf-8", "catalog.csv", _csv)


@router.get("/catalog.json")
async def as_json(visit: Visiting) -> Response:
    """One JSON array, an entity a line."""
    return await _download(visit, "application/json", "catalog.json", _json)


async def _download(
    visit: Visit, media_type: str, name: str, write: Writer
) -> Response:
    query = CatalogQuery.of(visit.request.query_params.multi_items())
    reader = await reader_of(visit, query)
    # An error must come before the response begins.
    first = await _batch(visit, query, reader, 1)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    batches = _batches(visit, query, reader, first)
    return StreamingResponse(write(batches), 200, headers, media_type)


async def _batch(
    visit: Visit, query: CatalogQuery, reader: Reader, page: int
) -> list[Entity]:
    params = list_params(replace(query, page=page), reader, limit=BATCH)
    answer = await visit.get(BY_QUERY, params)
    return entities_of(answer["items"])


async def _batches(
    visit: Visit, query: CatalogQuery, reader: Reader, first: list[Entity]
) -> AsyncIterator[list[Entity]]:
    page, batch = 1, first
    while batch:
        yield batch
        if len(batch) < BATCH:
            return
        page += 1
        batch = await _batch(visit, query, reader, page)


def row_of(entity: Entity) -> dict[str, str]:
    """An entity as a flat line of the export."""
    return {
        "ref": str(entity.ref),
        "kind": entity.kind,
        "namespace": entity.namespace,
        "name": entity.name,
        "title": entity.title,
        "description": entity.description,
        "type": entity.type,
        "lifecycle": entity.lifecycle,
        "owner": spec_ref(entity, "owner", "group"),
        "system": spec_ref(entity, "system", "system"),
        "tags": " ".join(entity.tags),
    }


async def _csv(batches: Batches) -> AsyncIterator[str]:
    yield ",".join(HEAD) + "\r\n"
    async for batch in batches:
        text = io.StringIO()
        lines = csv.DictWriter(text, HEAD)
        lines.writerows(
            {name: _harmless(value) for name, value in row_of(entity).items()}
            for entity in batch
        )
        yield text.getvalue()


async def _json(batches: Batches) -> AsyncIterator[bytes]:
    mark = b"["
    async for batch in batches:
        for entity in batch:
            yield mark + orjson.dumps(row_of(entity))
            mark = b",\n"
    yield b"]\n" if mark != b"[" else b"[]\n"


def _harmless(value: str) -> str:
    """A spreadsheet runs a cell that begins like a formula (OWASP: CSV injection)."""
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value
