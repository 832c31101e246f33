"""The HTTP API: Backstage's query, suggestions, and routes for services.

`/query` and `/suggest` are plain routes, because they are called while people type.
"""

import time
from collections.abc import AsyncIterator, Hashable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from services.search import handlers
from services.search.api_models import (
    FILTERS,
    RebuildProof,
    SearchPage,
    SearchQuery,
    SuggestionList,
    SuggestionQuery,
)
from services.search.conditions import Condition, criteria_condition
from services.search.highlight import Tags
from services.search.metrics import QUERY_SECONDS
from services.search.model import Checksum, Hit, HitPage
from services.search.ports import Alias, Owners
from services.search.query import (
    DEEPEST,
    SearchRequest,
    cursor_of,
    page_size,
    parse_question,
    parse_term,
)
from services.search.resync import ENTITIES, SITES, RebuildProgress, Rebuilt, rebuild
from shared.contracts.errors import CallboardError
from shared.kit.http.apps import (
    caller_of,
    json_response,
    service_caller,
    sse,
    sse_frame,
)
from shared.kit.http.bodies import BoundedRoute
from shared.kit.http.openapi import EVENTS, ServiceApp
from shared.kit.http.service_tokens import Principal

SUGGESTIONS, SUGGESTIONS_LIMIT = 8, 25
LONGEST_QUERY = 8_000
CACHED_BYTES = 100_000


router = APIRouter(route_class=BoundedRoute)


def add_routes(app: ServiceApp) -> None:
    """`app.state` must hold `alias`, `owners`, `tags` and `tokens`."""
    app.state.answers = SearchResponseCache()
    app.add_plain_route(
        "GET",
        "/query",
        query,
        answer=SearchPage,
        query=SearchQuery,
        openapi_extra={"parameters": [FILTERS]},
    )
    app.add_plain_route(
        "GET", "/suggest", suggest, answer=SuggestionList, query=SuggestionQuery
    )
    app.include_router(router)


async def query(request: Request) -> Response:
    """Return a page of results that the caller may see."""
    started_at = time.perf_counter()
    conditions = _conditions(caller_of(request))
    answers: SearchResponseCache = request.app.state.answers
    live = _alias(request).answering
    key = (live.edition, conditions, request.scope["query_string"])
    body = answers.get(key)
    if body is None:
        readable = _condition(conditions)
        question = parse_question(_pairs(request), readable=readable)
        page = await live.index.find(question)
        body = orjson.dumps(_page(question, page, request.app.state.tags))
        if live.edition is not None:
            answers.put(key, body)
    QUERY_SECONDS.observe(time.perf_counter() - started_at)
    return json_response(body)


async def suggest(request: Request) -> Response:
    """Return the best titles for a partially typed term."""
    principal = caller_of(request)
    parameters = dict(_pairs(request))
    term = parse_term(parameters.get("term", ""))
    limit = page_size(
        parameters.get("limit") or str(SUGGESTIONS), SUGGESTIONS_LIMIT, field="limit"
    )
    page = HitPage(0, ())
    if term.words:
        question = SearchRequest(
            term, readable=readable_by(principal), limit=2 * limit, within="title"
        )
        page = await handlers.search(_alias(request), question)
    tags: Tags = request.app.state.tags
    body = {
        "suggestions": _suggestions(page.hits)[:limit],
        "preTag": tags.pre,
        "postTag": tags.post,
    }
    return json_response(body)


@router.get(
    "/snapshot/checksum",
    dependencies=[Depends(service_caller)],
    include_in_schema=False,
)
async def checksum(request: Request) -> Mapping[str, Checksum]:
    """Return the checksums of the index."""
    return await _alias(request).live.checksums()


@router.post(
    "/rebuild",
    response_model=RebuildProof,
    responses=EVENTS["responses"],
    dependencies=[Depends(service_caller)],
)
async def rebuild_index(request: Request) -> Any:
    """Rebuild the index and switch to the new version.

    With `Accept: text/event-stream` the progress is sent as server-sent events. Closing
    the connection cancels the rebuild; the live index stays.
    """
    steps = rebuild(_alias(request), _owners(request))
    if "text/event-stream" in request.headers.get("accept", ""):
        return sse(_frames(steps))
    async for step in steps:
        if isinstance(step, Rebuilt):
            proof = _proof(step)
    return proof


def readable_by(principal: Principal) -> Condition | None:
    """The condition of the policy's decision; None means that everything is visible."""
    return _condition(_conditions(principal))


def _conditions(principal: Principal) -> bytes | None:
    if principal.decision == "allow":
        return None
    return orjson.dumps(principal.conditions)


@lru_cache(maxsize=1024)
def _condition(conditions: bytes | None) -> Condition | None:
    if conditions is None:
        return None
    return criteria_condition(orjson.loads(conditions))


class SearchResponseCache:
    """Caches responses until the index changes; keys contain the conditions."""

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._responses: dict[Hashable, bytes] = {}

    def get(self, key: Hashable) -> bytes | None:
        """The cached response of a key, if there is one."""
        return self._responses.get(key)

    def put(self, key: Hashable, body: bytes) -> None:
        """Cache a response; the oldest one is dropped at the limit."""
        if len(body) > CACHED_BYTES:
            return
        if len(self._responses) >= self._limit:
            del self._responses[next(iter(self._responses))]
        self._responses[key] = body


def _alias(request: Request) -> Alias:
    alias: Alias = request.app.state.alias
    return alias


def _owners(request: Request) -> Owners:
    owners: Owners = request.app.state.owners
    return owners


def _pairs(request: Request) -> list[tuple[str, str]]:
    text: bytes = request.scope["query_string"]
    return parse_qsl(text[:LONGEST_QUERY].decode("latin-1"), keep_blank_values=True)


def _page(question: SearchRequest, hit_page: HitPage, tags: Tags) -> dict[str, Any]:
    first = question.page * question.limit
    page: dict[str, Any] = {"numberOfResults": hit_page.total}
    after = first + question.limit
    if question.limit and after < hit_page.total and after <= DEEPEST:
        page["nextPageCursor"] = cursor_of(question.page + 1)
    if question.page:
        page["previousPageCursor"] = cursor_of(question.page - 1)
    page["results"] = [
        {
            "type": hit.type,
            "document": hit.document,
            "rank": first + number,
            "highlight": {
                "preTag": tags.pre,
                "postTag": tags.post,
                "fields": hit.highlight,
            },
        }
        for number, hit in enumerate(hit_page.hits, 1)
    ]
    return page


def _suggestions(hits: Iterable[Hit]) -> list[dict[str, Any]]:
    """The suggestions; a page and its first section with the same title are one."""
    lines: dict[tuple[str, str, str], dict[str, Any]] = {}
    for hit in hits:
        key = (hit.type, hit.ref, str(hit.document["title"]))
        lines.setdefault(key, _suggestion(hit))
    return list(lines.values())


def _suggestion(hit: Hit) -> dict[str, Any]:
    document = hit.document
    return {
        "title": document["title"],
        "highlight": hit.highlight.get("title", document["title"]),
        "type": hit.type,
        "kind": document["kind"],
        "entityRef": hit.ref,
        "entityTitle": document.get("entityTitle", document["title"]),
        "location": document["location"],
    }


def _proof(proof: Rebuilt) -> RebuildProof:
    parts = proof.agreements
    return RebuildProof(
        equal=all(agreement.reached for agreement in parts.values()),
        entities=parts[ENTITIES.name].indexed,
        sites=parts[SITES.name].indexed,
        live=dict(proof.live),
        seconds=round(proof.seconds, 3),
    )


async def _frames(
    steps: AsyncIterator[RebuildProgress | Rebuilt],
) -> AsyncIterator[bytes]:
    try:
        async for step in steps:
            if isinstance(step, Rebuilt):
                yield _frame("done", _proof(step).model_dump())
            else:
                data = {"step": step.step, "done": step.done, "total": step.total}
                yield _frame("progress", data)
    except CallboardError as error:
        yield _frame("error", {"name": error.name, "message": error.message})


def _frame(event: str, data: Mapping[str, Any]) -> bytes:
    return sse_frame(event=event, data=orjson.dumps(data))
