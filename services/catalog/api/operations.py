"""What APIs are searched by, for the search service: the words of their operations."""

from collections.abc import Sequence
from typing import Any

import orjson
from starlette.requests import Request

from services.catalog.api.parameters import body_of
from services.catalog.api.reading import Reads, Sent, post
from services.catalog.api.snapshot import for_services
from services.catalog.descriptor.definitions import Reference, reference_in
from services.catalog.ingest.operations import LANGUAGES, operation_text
from services.catalog.ports import DefinitionStore
from shared.contracts.errors import CallboardError, Invalid
from shared.guards.workers import run_beside, run_bounded

MOST = 50
#: Up to here a text is read in hundredths of a second: a thread will do.
SHORT = 8_000


async def operations(request: Request) -> Sent:
    """POST `/snapshot/operations`: the words of each definition, in their order.

    A definition is `{type, definition}`, as it stands in the `spec` of an entity or an
    event: the answer belongs to that text, whatever the entity is by now.
    """
    reads = for_services(request)
    body = await body_of(request)
    items = body.get("definitions")
    if not isinstance(items, list) or len(items) > MOST:
        raise Invalid(f"request/body/definitions must be array of at most {MOST}")
    store = getattr(request.app.state, "definitions", None)
    found = [await _words(reads, store, item) for item in items]
    return reads.answer(orjson.dumps({"items": found}))


async def _words(reads: Reads, store: DefinitionStore | None, item: Any) -> str:
    kind = str(item.get("type") or "").lower() if isinstance(item, dict) else ""
    if kind not in LANGUAGES:
        return ""
    reference = reference_in(item.get("definition"))
    if reference is None:
        text = item.get("definition")
        return await _extracted(kind, text) if isinstance(text, str) else ""
    known = await store.operations(reference.hash, kind) if store is not None else None
    if known is None:
        known = await _extracted(kind, await _text(reads, reference))
        if store is not None:
            await store.remember_operations(reference.hash, kind, known)
    return known


async def _text(reads: Reads, reference: Reference) -> str:
    wanted: Sequence[Reference] = [reference]
    return (await reads.definitions.texts(wanted))[reference.hash]


async def _extracted(kind: str, text: str) -> str:
    if len(text) <= SHORT:
        return await run_beside(operation_text, kind, text)
    try:
        return await run_bounded(operation_text, kind, text, label="definition")
    except CallboardError:
        # Found by its own words alone; its page says what is wrong with the text.
        return ""


routes = [post("/snapshot/operations", operations)]
