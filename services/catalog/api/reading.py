"""The common steps of all reads: the caller's scope, the cache, the response.

Reads are the hot paths: plain Starlette endpoints and ready bytes, no models.
"""

import asyncio
from collections import OrderedDict
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Sequence,
)
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from services.catalog.api.definitions import Definitions
from services.catalog.api.revisions import reach
from services.catalog.ports import DefinitionStore
from services.catalog.query.conditions import Conditions, parse_conditions
from services.catalog.query.rendering import piece_size, render_all
from services.catalog.query.scopes import ReaderScope, Scopes
from services.catalog.query.selection import select
from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.changes import ChangeCounter
from services.catalog.readmodel.records import EntityRecord
from shared.contracts.errors import Forbidden
from shared.contracts.headers import REVISION
from shared.kit.http.apps import Caller, caller_of
from shared.kit.http.service_tokens import Principal

JSON = b"application/json; charset=utf-8"

ANSWERS = 1024
LARGEST_ANSWER = 64 * 1024


class FinishedResponse:
    """A finished body; an ASGI app, as an endpoint's result has to be."""

    __slots__ = ("body", "headers", "revision", "status")

    def __init__(
        self, body: bytes, revision: str, *, status: int = 200, media: bytes = JSON
    ) -> None:
        self.body = body
        self.revision = revision
        self.status = status
        self.headers = [
            (b"content-type", media),
            (b"content-length", str(len(body)).encode()),
            (REVISION.encode(), revision.encode()),
        ]

    async def __call__(self, _scope: Connection, _receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": self.headers,
            }
        )
        await send({"type": "http.response.body", "body": self.body})


class StreamedResponse:
    """A body made while it is sent, with a pause between its pieces for others."""

    def __init__(
        self,
        pieces: Iterable[bytes] | AsyncIterator[bytes],
        revision: ChangeCounter | str,
        *,
        media: bytes = JSON,
    ) -> None:
        self.pieces = pieces
        self.headers = [
            (b"content-type", media),
            (REVISION.encode(), str(revision).encode()),
        ]

    async def __call__(self, _scope: Connection, _receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.headers}
        await send(start)
        async for piece in _with_pauses(self.pieces):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _with_pauses(
    pieces: Iterable[bytes] | AsyncIterator[bytes],
) -> AsyncIterator[bytes]:
    if isinstance(pieces, AsyncIterator):
        async for piece in pieces:
            yield piece
            await asyncio.sleep(0)
    else:
        for piece in pieces:
            yield piece
            await asyncio.sleep(0)


ReadResponse = FinishedResponse | StreamedResponse


class ReadResponseCache:
    """Finished answers by request and scope, valid until anything changes."""

    def __init__(self, model: ReadModel) -> None:
        self._model = model
        self._revision = -1
        self._state: OrderedDict[tuple[str, bytes, bytes], bytes] = OrderedDict()

    def find(self, key: tuple[str, bytes, bytes]) -> bytes | None:
        if self._revision != self._model.revision.value:
            self._state.clear()
            self._revision = self._model.revision.value
            return None
        return self._state.get(key)

    def keep(self, key: tuple[str, bytes, bytes], answer: FinishedResponse) -> None:
        """Remember an answer, unless something has changed while it was made."""
        if answer.revision != str(self._model.revision):
            return
        if len(answer.body) > LARGEST_ANSWER:
            return
        self._state[key] = answer.body
        if len(self._state) > ANSWERS:
            self._state.popitem(last=False)


class Reads:
    """The read model of one app, with what is remembered of answering from it."""

    def __init__(self, model: ReadModel, definitions: DefinitionStore | None) -> None:
        self.model = model
        self.scopes = Scopes(model)
        self.answers = ReadResponseCache(model)
        self.definitions = Definitions(model, definitions)

    def scope(self, principal: Principal) -> ReaderScope:
        """What a caller may see, by the decision that came with the request."""
        if principal.decision == "allow":
            return self.scopes.everything()
        if principal.conditions is None:
            raise Forbidden("The decision has no conditions")
        return self._conditional(principal.conditions)

    def renew(self, scope: ReaderScope) -> ReaderScope:
        """A caller's scope as it is now; the same one while nothing changes."""
        if scope.conditions is None:
            return scope
        return self._conditional(scope.conditions)

    def _conditional(self, conditions: Conditions) -> ReaderScope:
        scope = self.scopes.find(conditions)
        if scope is None:
            criterion = parse_conditions(conditions)
            visible = select(self.model, criterion, self.scopes.everything())
            scope = self.scopes.remember(conditions, visible)
        return scope

    def answer(self, body: bytes, revision: str | None = None) -> FinishedResponse:
        """A finished body, marked with the revision it reflects; None: that of now."""
        return FinishedResponse(body, revision or str(self.model.revision))


def reads_of(request: Request) -> Reads:
    """The app's reads, made when the first request comes."""
    state = request.app.state
    reads: Reads | None = getattr(state, "reads", None)
    if reads is None or reads.model is not state.readmodel:
        definitions = getattr(state, "definitions", None)
        reads = state.reads = Reads(state.readmodel, definitions)
    return reads


async def begin(request: Request) -> tuple[Reads, ReaderScope]:
    """The reads and the caller's scope, once the requested revision is reached."""
    principal = caller_of(request)
    reads = reads_of(request)
    await reach(request)
    return reads, reads.scope(principal)


async def reader_scope(request: Request, caller: Caller) -> ReaderScope:
    """What the caller may see."""
    return reads_of(request).scope(caller)


CallerScope = Annotated[ReaderScope, Depends(reader_scope)]


async def array(
    reads: Reads,
    records: Sequence[EntityRecord],
    fields: Sequence[str],
    scope: ReaderScope,
    *,
    around: tuple[bytes, bytes] = (b"[", b"]"),
    revision: str | None = None,
) -> ReadResponse:
    """Records as a JSON array between two texts; a long one is streamed.

    `revision` is the one that they were read at, None: that of now.
    """
    # The texts of definitions may have to be read: changes may come meanwhile.
    revision = revision or str(reads.model.revision)

    def rendered(part: Sequence[EntityRecord]) -> list[bytes]:
        # A hidden entity may have come since, to which a later part has a relation.
        return render_all(reads.model, part, fields, reads.renew(scope))

    size = piece_size(fields)
    if len(records) <= size and reads.definitions.are_few(records):
        bodies = await reads.definitions.complete(rendered(records))
        return reads.answer(around[0] + b",".join(bodies) + around[1], revision)
    portions = reads.definitions.portions(records, size)
    pieces = _pieces(reads, portions, rendered, around)
    return StreamedResponse(pieces, revision)


async def _pieces(
    reads: Reads,
    portions: Iterable[Sequence[EntityRecord]],
    rendered: Callable[[Sequence[EntityRecord]], list[bytes]],
    around: tuple[bytes, bytes],
) -> AsyncIterator[bytes]:
    separator = around[0]
    for part in portions:
        bodies = await reads.definitions.complete(rendered(part))
        yield separator + b",".join(bodies)
        separator = b","
    yield around[1]
