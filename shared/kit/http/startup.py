"""A service's start: open what it needs, and wait where something is away.

A process that ends because a server is not there yet is restarted in circles; one that
answers nothing makes its callers hang. This one serves: 503 and why, until all is open.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Self

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.contracts.errors import Unavailable
from shared.contracts.headers import UNTOUCHED
from shared.contracts.permissions import OPEN_PATHS
from shared.kit.documents.mongo import Unfit
from shared.kit.http.apps import error_response
from shared.kit.observability import logs
from shared.kit.resilience.retries import Backoff, retry

BACKOFF = Backoff(first=0.5, longest=5.0)


class Opening:
    """Opens a service's parts in the background, anew until they are all there.

    `opens` enters them on the stack that it is given. Entering this waits for the first
    attempt only, so that where nothing is away the service is open at once. Errors
    other than `Unavailable` and `Unfit` end the first: waiting cures no mistake.
    """

    def __init__(
        self, name: str, opens: Callable[[AsyncExitStack], Awaitable[None]]
    ) -> None:
        self._name = name
        self._opens = opens
        self._reason = "it has just begun"
        self._tried = asyncio.Event()
        self._leaving = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.is_open = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"opening-{self._name}")
        tried = asyncio.create_task(self._tried.wait())
        try:
            await asyncio.wait({self._task, tried}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tried.cancel()
        if self._task.done():
            self._task.result()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_open = False
        self._leaving.set()
        if self._task is None:
            return
        if not self._tried.is_set():
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def problem(self) -> Unavailable | None:
        """Why the service does not answer yet; None once it does."""
        if self.is_open:
            return None
        return Unavailable(f"The {self._name} is not open yet: {self._reason}")

    async def check(self) -> None:
        """Raise Unavailable, with the reason, until everything is open."""
        if problem := self.problem():
            raise problem

    async def _run(self) -> None:
        await retry(
            self._stay_open, BACKOFF, on=self._passes, note=self._note, sleep=self._rest
        )

    async def _stay_open(self) -> None:
        if self._leaving.is_set():
            return
        async with AsyncExitStack() as stack:
            await self._opens(stack)
            self.is_open = True
            self._tried.set()
            await self._leaving.wait()

    def _passes(self, error: BaseException) -> bool:
        # A server that is just coming up may answer anything, but not at first.
        is_late = self._tried.is_set() and isinstance(error, Exception)
        return isinstance(error, Unavailable | Unfit) or is_late

    def _note(self, error: Exception, _: float) -> None:
        log = logs.get_logger(self._name)
        if isinstance(error, Unavailable | Unfit):
            self._reason = error.message
            log.warning("start_waits", reason=error.message)
        else:
            self._reason = f"{type(error).__name__}; the log tells more"
            log.error("start_failed", exc_info=error)
        self._tried.set()

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leaving.wait()


class WhenOpen:
    """Answers 503 with the `problem` until there is none, but for probes."""

    def __init__(self, app: ASGIApp, problem: Callable[[], Unavailable | None]) -> None:
        self.app = app
        self.problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            problem = self.problem()
            if problem is not None:
                answer = error_response(Request(scope), problem)
                answer.headers[UNTOUCHED] = "1"
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)
