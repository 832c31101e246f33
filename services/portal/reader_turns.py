"""Work beside the event loop in turns of readers.

There are few threads, and anybody may write a template whose form is costly. One piece
of a reader's work is under way at a time and the rest of it waits in order, so that a
thread that becomes free serves another reader. Many guests have one subject: their
sign-ins have turns at their address, and their addresses at the thread of all guests.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from services.portal.model import Visitor
from shared.contracts.errors import TooMany
from shared.guards.thread_turns import ThreadTurns

P = ParamSpec("P")
Result = TypeVar("Result")

#: Pieces of work of one reader or sign-in, the one under way among them.
MOST_AT_ONCE = 16
#: Factor of that limit for an address: many guests may share it.
SHARED_FACTOR = 4
RETRY_SECONDS = 5

#: "subject", "sign-in", "address" or "guests", and which one.
Key = tuple[str, str]


class ReaderTurns:
    """The work of all readers, each of whom has one thread at most; guests are one."""

    def __init__(self) -> None:
        self._turns = ThreadTurns[Key]()

    @property
    def waiting(self) -> int:
        """Pieces of work that wait or are under way."""
        own = ("subject", "sign-in")
        lengths = self._turns.lengths.items()
        return sum(length for key, length in lengths if key[0] in own)

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
        for key in keys:
            self._check(key)
        return await self._turns.run(keys, function, *args, **kwargs)

    def _check(self, key: Key) -> None:
        kind = key[0]
        most = MOST_AT_ONCE * (SHARED_FACTOR if kind == "address" else 1)
        if kind != "guests" and self._turns.length(key) >= most:
            raise TooMany(
                f"{most} of your pages are being made already; wait for them, then "
                "try again",
                retry_after=RETRY_SECONDS,
            )


def _keys(visitor: Visitor) -> list[Key]:
    """The lines in which a reader's work waits, one after the other."""
    if not visitor.is_guest:
        return [("subject", visitor.subject)]
    address, sign_in = visitor.client
    return [("sign-in", sign_in), ("address", address), ("guests", "")]
