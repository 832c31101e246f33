"""The route of the live stream: `GET /api/events/stream`."""

import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from starlette.requests import Request
from starlette.responses import Response

from services.gateway.callers import require_identity
from services.gateway.model import Identity
from services.gateway.open_requests import OpenRequests
from services.gateway.ports import LiveEvents
from shared.contracts.errors import Invalid, TooMany, Unavailable
from shared.contracts.ref import parse_ref
from shared.contracts.topics import TOPICS
from shared.kit.http.apps import sse, sse_frame
from shared.kit.http.openapi import EVENTS

#: Milliseconds after which a browser connects again.
RETRY_MS = 1000
POSITION = re.compile(r"[0-9a-f]{12}-[0-9]{1,18}")


def make_router(live: LiveEvents, open_requests: OpenRequests) -> APIRouter:
    """The stream's route."""
    router = APIRouter(prefix="/api/events", tags=["events"])

    @router.get("/stream", **EVENTS)
    async def stream(
        request: Request,
        identity: Annotated[Identity, Depends(require_identity)],
        topic: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI's default
        entity: Annotated[str | None, Query()] = None,
        last_event_id: Annotated[str | None, Header()] = None,
        after: Annotated[str | None, Query()] = None,
    ) -> Response:
        """Events as they happen; resumes after `Last-Event-ID` (or `after`).

        `entity` selects the events of an entity, and of those that begin or cease to
        relate to it.

        `event` is the topic and `data` the whole CloudEvent; the event `reset` means
        that some may have been missed: read what you show again.
        """
        topics = [name for names in topic for name in names.split(",") if name]
        for name in topics:
            if name not in TOPICS:
                topic_names = ", ".join(TOPICS)
                raise Invalid(f"topic: {name!r} is none of {topic_names}")
        ref = str(parse_ref(entity)) if entity else None
        # Checked before the response begins; counted while it is sent.
        open_requests.check(identity, request.scope, "streams")
        frames = _frames(live, identity, topics, ref, last_event_id or after)
        place = open_requests.hold(identity, request.scope, "streams")
        return sse(_counted_frames(place, frames))

    return router


async def _counted_frames(
    place: AbstractContextManager[None], frames: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """The frames of a stream that counts as open while it is sent."""
    # A simultaneous request may have taken the last place: this stream ends.
    with contextlib.suppress(TooMany), place:
        async with contextlib.aclosing(frames) as open_frames:  # type: ignore[type-var]
            async for frame in open_frames:
                yield frame


async def _frames(
    live: LiveEvents,
    identity: Identity,
    topics: list[str],
    entity: str | None,
    after: str | None,
) -> AsyncIterator[bytes]:
    async with live.subscribe(
        identity, topics=topics, entity=entity, after=after
    ) as events:
        # The first position lets a reader resume who never got an event. Only a valid
        # position is repeated, because other text could forge lines of the stream.
        start = after if after and POSITION.fullmatch(after) else live.position()
        yield f"retry: {RETRY_MS}\nid: {start}\n\n".encode()
        # While the policy is unavailable, the reader's rights are unknown: the stream
        # ends, and resumes after the last event that was sent.
        with contextlib.suppress(Unavailable):
            async for event in events:
                if event is None:
                    yield sse_frame(event="reset", data="{}", id=live.position())
                else:
                    yield sse_frame(
                        event=event.topic, data=event.document, id=event.position
                    )
