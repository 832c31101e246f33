"""Loads entities by ref: several parts of a page share one request.

This is the data loader of GraphQL servers: what is loaded within a few turns of the
event loop goes out together, with the fields that any of the parts needs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError

#: A part of a page may begin so many turns after another and still ask with it: a task
#: that starts tasks of its own is one turn behind.
TURNS = 2

Ask = Callable[[dict[str, list[str]]], Awaitable[Any]]


class EntityLoader:
    """Loads entities for one visit; `ask` posts a body to the API's by-refs."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._refs: dict[str, None] = {}
        self._fields: dict[str, None] = {}
        self._sending: asyncio.Task[dict[str, Entity] | CallboardError] | None = None

    async def load(
        self, refs: Collection[str], fields: Iterable[str]
    ) -> dict[str, Entity]:
        """The entities that the reader may see, with at least these fields, by ref.

        Refs are canonical.

        Raises:
            CallboardError: of the kind that the API answered with.
        """
        self._refs |= dict.fromkeys(refs)
        self._fields |= dict.fromkeys(fields)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        # Several wait for the request: it does not end when one of them is cancelled.
        result = await asyncio.shield(self._sending)
        if isinstance(result, CallboardError):
            raise result
        return {ref: result[ref] for ref in refs if ref in result}

    async def _send(self) -> dict[str, Entity] | CallboardError:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        refs, fields = [*self._refs], [*self._fields]
        self._refs, self._fields, self._sending = {}, {}, None
        try:
            answer = await self._ask({"entityRefs": refs, "fields": fields})
        except CallboardError as error:
            return error
        items = zip(refs, answer["items"], strict=True)
        return {ref: Entity(item) for ref, item in items if item is not None}
