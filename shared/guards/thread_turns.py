"""Work beside the event loop in turns: one owner of work holds up no other.

There are few threads. One piece of a line's work is under way at a time and the rest of
it waits in order, so that a thread that becomes free serves another line.
"""

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, ParamSpec, TypeVar

from shared.guards.workers import ThreadCall, run_beside

P = ParamSpec("P")
Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


@dataclass(slots=True)
class _Line:
    """Work that has one turn: `length` pieces, the one under way among them."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class ThreadTurns(Generic[Key]):
    """The lines of work by their keys; `in_thread` runs the piece whose turn it is."""

    def __init__(self, in_thread: ThreadCall = run_beside) -> None:
        self._in_thread = in_thread
        self._lines: dict[Key, _Line] = {}

    @property
    def lengths(self) -> Mapping[Key, int]:
        """How many pieces of each line wait or are under way."""
        return {key: line.length for key, line in self._lines.items()}

    def length(self, key: Key) -> int:
        """How many pieces of one line wait or are under way."""
        line = self._lines.get(key)
        return line.length if line is not None else 0

    async def run(
        self,
        keys: Sequence[Key],
        function: Callable[P, Result],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Result:
        """Run bounded work in a thread when it has its turn in each of the lines.

        It waits in one line after the other, in their order. A thread cannot be
        stopped: if the caller is cancelled, the turn lasts as long as the work.
        """
        lines = [self._joined(key) for key in keys]
        turns: list[_Line] = []

        def leave() -> None:
            for line in turns:
                line.lock.release()
            for key, line in zip(keys, lines, strict=True):
                line.length -= 1
                if not line.length:
                    del self._lines[key]

        try:
            for line in lines:
                await line.lock.acquire()
                turns.append(line)
        except asyncio.CancelledError:
            leave()
            raise
        work = asyncio.ensure_future(self._in_thread(function, *args, **kwargs))
        work.add_done_callback(lambda _: leave())
        return await asyncio.shield(work)

    def _joined(self, key: Key) -> _Line:
        """The line of this key, longer by one."""
        line = self._lines.setdefault(key, _Line())
        line.length += 1
        return line
