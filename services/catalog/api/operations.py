"""What APIs are searched by, for the search service: the words of their operations."""

from typing import Any

import orjson
from pydantic import Field
from starlette.requests import Request

from services.catalog.api.reading import ReadResponse, Reads
from services.catalog.api.snapshot import for_services
from services.catalog.descriptor.definitions import Reference, reference_in
from services.catalog.ingest.operations import LANGUAGES, operation_text
from services.catalog.ports import DefinitionStore
from shared.guards.budgets import BudgetExceeded
from shared.guards.workers import run_beside, run_bounded
from shared.kit.http.bodies import body_as
from shared.kit.http.models import RequestModel

MOST_DEFINITIONS = 50
#: Up to here a text is read in hundredths of a second: a thread will do.
SHORT_TEXT = 8_000


class DefinitionList(RequestModel):
    """Definitions of APIs: `{type, definition}` each."""

    definitions: list[Any] = Field(max_length=MOST_DEFINITIONS)


async def operations(request: Request) -> ReadResponse:
    """The words of each definition, in their order.

    A definition is `{type, definition}`, as it stands in the `spec` of an entity or an
    event: the answer belongs to that text, whatever the entity is by now.
    """
    reads = for_services(request)
    body = await body_as(request, DefinitionList)
    store = getattr(request.app.state, "definitions", None)
    words = [await _words(reads, store, item) for item in body.definitions]
    return reads.answer(orjson.dumps({"items": words}))


async def _words(reads: Reads, store: DefinitionStore | None, item: Any) -> str:
    kind = str(item.get("type") or "").lower() if isinstance(item, dict) else ""
    if kind not in LANGUAGES:
        return ""
    definition = item.get("definition")
    reference = reference_in(definition)
    try:
        if reference is not None and store is not None:
            return await _stored_words(reads, store, reference, kind)
        return await _extract(kind, definition) if isinstance(definition, str) else ""
    except BudgetExceeded:
        # Search finds it by its own words alone; its page names the error in the text.
        return ""


async def _stored_words(
    reads: Reads, store: DefinitionStore, reference: Reference, kind: str
) -> str:
    """The words of a definition that is stored apart, extracted once.

    What took too long is not remembered: the machine may have been busy.
    """
    words = await store.operations(reference.hash, kind)
    if words is None:
        texts = await reads.definitions.texts([reference])
        words = await _extract(kind, texts[reference.hash])
        await store.remember_operations(reference.hash, kind, words)
    return words


async def _extract(kind: str, text: str) -> str:
    if len(text) <= SHORT_TEXT:
        return await run_beside(operation_text, kind, text)
    return await run_bounded(operation_text, kind, text, label="definition")
