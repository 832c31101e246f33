"""Reads definitions for pages, off the event loop, each once for all who wait.

A long text is read in a process of its own, which is ended when it is late.
"""

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import replace

from services.portal.definitions.languages import (
    in_pieces,
    of_pieces,
    unread_definition,
    without_text,
)
from services.portal.definitions.model import Definition
from shared.contracts.errors import CallboardError
from shared.guards.workers import run_bounded

#: Up to here the budget of a text is some hundredths of a second: a thread will do.
SHORT = 4_000
SECONDS = 15.0
MEMORY = 768 * 1024 * 1024
#: Definitions that are remembered: those that people open one after another.
REMEMBERED = 8
LATE = "It takes too long to be read, so only its text is shown."

Key = tuple[str, bytes]


class DefinitionReader:
    """Reads and remembers definitions."""

    def __init__(self) -> None:
        self._recent: OrderedDict[Key, Definition] = OrderedDict()
        self._running: dict[Key, asyncio.Task[Definition]] = {}

    async def read(self, kind: str, text: str) -> Definition:
        """The definition of an API whose `spec.type` is `kind`."""
        digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=16)
        key = (kind.lower(), digest.digest())
        if key not in self._recent:
            task = self._running.get(key)
            if task is None:
                task = asyncio.create_task(_read(kind, text))
                self._running[key] = task
                task.add_done_callback(lambda _: self._running.pop(key, None))
            # Others may wait for the same: one reader that leaves does not end it.
            self._remember(key, await asyncio.shield(task))
        self._recent.move_to_end(key)
        return replace(self._recent[key], raw=text)

    def _remember(self, key: Key, definition: Definition) -> None:
        self._recent[key] = definition
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)


async def _read(kind: str, text: str) -> Definition:
    if len(text) <= SHORT:
        return await asyncio.to_thread(without_text, kind, text)
    try:
        pieces = await run_bounded(
            in_pieces, kind, text, seconds=SECONDS, memory=MEMORY, label="definition"
        )
        return of_pieces(pieces)
    except CallboardError:
        return replace(unread_definition(kind, text, LATE), raw="")
