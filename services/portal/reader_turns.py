"""Work beside the event loop in turns of readers.

There are few threads, and anybody may write a template whose form is costly. One piece
of a reader's work is under way at a time and the rest of it waits in order, so that a
thread that becomes free serves another reader.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from services.portal.model import Visitor
from shared.contracts.errors import TooMany
from shared.guards.workers import run_beside

P = ParamSpec("P")
Result = TypeVar("Result")

#: Pieces of work of one reader, the one under way among them.
MOST_AT_ONCE = 16
#: Factor of that limit for guests: many people share the subject.
SHARED_FACTOR = 4
RETRY_SECONDS = 5


@dataclass(slots=True)
class _Line:
    """One reader's work: `length` pieces, of which the lock's owner is under way."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class ReaderTurns:
    """The work of all readers, each of whom has one thread at most; guests are one."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

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
        reader = visitor.kind if visitor.is_guest else visitor.subject
        most = MOST_AT_ONCE * (SHARED_FACTOR if visitor.is_guest else 1)
        line = self._lines.setdefault(reader, _Line())
        if line.length >= most:
            raise TooMany(
                f"{most} of your pages are being made already; wait for them, then try "
                "again",
                retry_after=RETRY_SECONDS,
            )
        line.length += 1
        try:
            async with line.lock:
                work = asyncio.ensure_future(run_beside(function, *args, **kwargs))
                try:
                    return await asyncio.shield(work)
                finally:
                    # A thread cannot be stopped: the turn lasts as long as its work.
                    await asyncio.wait({work})
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[reader]
