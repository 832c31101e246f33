"""The snapshot that search rebuilds from: all sites' sections, and a checksum."""

from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response, StreamingResponse

from services.techdocs.api.dependencies import DocsDependencies, Served
from services.techdocs.model import Documented, PublishedSite
from shared.contracts.errors import NotFound
from shared.kit.http.apps import json_response, service_caller

router = APIRouter(dependencies=[Depends(service_caller)], include_in_schema=False)


@router.get("/snapshot")
async def snapshot(
    dependencies: Served,
    ref: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """JSON lines `{ref, site, commit, title, sections}`; `ref` names some of them."""
    return StreamingResponse(
        _lines(dependencies, ref), media_type="application/x-ndjson"
    )


async def _lines(
    dependencies: DocsDependencies, refs: list[str] | None
) -> AsyncIterator[bytes]:
    async for record in _requested_records(dependencies, refs):
        if record.current is not None:
            line = await _line(dependencies, record, record.current)
            if line is not None:
                yield line


async def _requested_records(
    dependencies: DocsDependencies, refs: list[str] | None
) -> AsyncIterator[Documented]:
    if refs is None:
        async for record in dependencies.records.listed():
            yield record
        return
    for ref in refs:
        named = await dependencies.records.get(ref.lower())
        if named is not None:
            yield named


async def _line(
    dependencies: DocsDependencies, record: Documented, site: PublishedSite
) -> bytes | None:
    try:
        sections = await dependencies.reading.sections(site.site)
    except NotFound:
        # The site was replaced and deleted between the reads; the next snapshot has it.
        return None
    line = {
        "ref": record.ref,
        "site": site.site,
        "commit": site.commit,
        "title": site.title,
    }
    return orjson.dumps(line)[:-1] + b',"sections":' + sections + b"}\n"


@router.get("/snapshot/checksum")
async def checksum(dependencies: Served) -> Response:
    """How many sites, and the exclusive or of the 64-bit hashes of `ref@site`."""
    published = await dependencies.records.published()
    total = 0
    for ref, site in published:
        digest = blake2b(f"{ref}@{site}".encode(), digest_size=8).digest()
        total ^= int.from_bytes(digest, "big")
    return json_response({"count": len(published), "checksum": f"{total:016x}"})
