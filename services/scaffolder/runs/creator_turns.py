"""The threads of template runs and of the requests about them, in turns of people.

Anybody may write a template whose expressions take seconds. A person's runs and dry
runs have one thread together, and their requests another one, however many there are:
somebody else's run has a thread of its own meanwhile.
"""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, ParamSpec, TypeVar

from services.scaffolder.model import Initiator
from shared.guards.thread_turns import ThreadTurns
from shared.guards.workers import ThreadCall

P = ParamSpec("P")
Result = TypeVar("Result")

#: All threads: so many people's work is under way at once.
THREADS = 8
#: What the work belongs to, and the ref of the person or program that it is done for.
Key = tuple[Literal["runs", "requests"], str]


class CreatorTurns:
    """The threads of one process, in which each creator's work takes turns."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="runs")
        self._turns = ThreadTurns[Key](self._in_thread)

    def of_runs(self, creator: Initiator) -> ThreadCall:
        """The thread of the creator's runs and dry runs."""
        return self._of(("runs", creator.ref))

    def of_requests(self, caller: Initiator) -> ThreadCall:
        """The thread of the caller's requests."""
        return self._of(("requests", caller.ref))

    def _of(self, key: Key) -> ThreadCall:
        async def in_thread(
            function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
        ) -> Result:
            return await self._turns.run([key], function, *args, **kwargs)

        return in_thread

    async def _in_thread(
        self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        # With the caller's context, as `asyncio.to_thread` does: it has the trace.
        context = contextvars.copy_context()
        work = functools.partial(context.run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
