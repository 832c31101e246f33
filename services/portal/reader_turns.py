"""Work beside the event loop in turns of readers.

There are few threads, and anybody may write a template whose form is costly. One piece
of a reader's work is under way at a time and the rest of it waits in order, so that a
thread that becomes free serves another reader. Many guests have one subject: their
sign-ins have turns at their address, and their addresses at the thread of all guests.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from services.portal.model import Visitor
from shared.contracts.errors import TooMany
from shared.guards.workers import run_beside

P = ParamSpec("P")
Result = TypeVar("Result")

#: Pieces of work of one reader or sign-in, the one under way among them.
MOST_AT_ONCE = 16
#: Factor of that limit for an address: many guests may share it.
SHARED_FACTOR = 4
RETRY_SECONDS = 5

#: "subject", "sign-in", "address" or "guests", and which one.
Key = tuple[str, str]


@dataclass(slots=True)
class _Line:
    """Work that has one turn: `length` pieces, the one under way among them."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class ReaderTurns:
    """The work of all readers, each of whom has one thread at most; guests are one."""

    def __init__(self) -> None:
        self._lines: dict[Key, _Line] = {}

    @property
    def waiting(self) -> int:
        """Pieces of work that wait or are under way."""
        own = ("subject", "sign-in")
        return sum(line.length for key, line in self._lines.items() if key[0] in own)

    async def run(
        self,
        visitor: Visitor,
        function: Callable[P, Result],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Result:
        """Run bounded work in a thread when it is this reader's turn.

        Raises:
            TooMany: if too much of the reader's work waits already.
        """
        keys = _keys(visitor)
        self._join(keys)
        try:
            async with AsyncExitStack() as turns:
                for key in keys:
                    await turns.enter_async_context(self._lines[key].lock)
                work = asyncio.ensure_future(run_beside(function, *args, **kwargs))
                try:
                    return await asyncio.shield(work)
                finally:
                    # A thread cannot be stopped: the turn lasts as long as its work.
                    await asyncio.wait({work})
        finally:
            self._leave(keys)

    def _join(self, keys: Sequence[Key]) -> None:
        lines = [self._lines.get(key) or _Line() for key in keys]
        for (kind, _), line in zip(keys, lines, strict=True):
            most = MOST_AT_ONCE * (SHARED_FACTOR if kind == "address" else 1)
            if kind != "guests" and line.length >= most:
                raise TooMany(
                    f"{most} of your pages are being made already; wait for them, then "
                    "try again",
                    retry_after=RETRY_SECONDS,
                )
        for line in lines:
            line.length += 1
        self._lines.update(zip(keys, lines, strict=True))

    def _leave(self, keys: Sequence[Key]) -> None:
        for key in keys:
            line = self._lines[key]
            line.length -= 1
            if not line.length:
                del self._lines[key]


def _keys(visitor: Visitor) -> list[Key]:
    """The lines in which a reader's work waits, one after the other."""
    if not visitor.is_guest:
        return [("subject", visitor.subject)]
    address, sign_in = visitor.client
    return [("sign-in", sign_in), ("address", address), ("guests", "")]
