"""A service's start: open its dependencies, and wait while one is unavailable.

A process that ends because a server is missing would be restarted again and again, and
one that does not answer would block its callers. So it answers 503 with the reason
until all dependencies are open.
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
from shared.kit.http.error_responses import error_response
from shared.kit.observability import logs
from shared.kit.resilience.retries import Backoff, retry

BACKOFF = Backoff(first=0.5, longest=5.0)


class Opening:
    """Opens a service's dependencies in the background, again until all are open.

    `opens` enters them on the given stack. Entering this object waits for the first
    attempt only, so a service whose dependencies are available is open at once. Other
    errors than `Unavailable` and `Unfit` end the first attempt: waiting does not help.
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
        """The error while the service is not open; None once it is."""
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
        # After the first attempt, a starting server may cause any error.
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
    """Answers 503 with the `problem` while there is one, except to probes."""

    def __init__(self, app: ASGIApp, problem: Callable[[], Unavailable | None]) -> None:
        self.app = app
        self.problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            problem = self.problem()
            if problem is not None:
                response = error_response(Request(scope), problem)
                response.headers[UNTOUCHED] = "1"
                await response(scope, receive, send)
                return
        await self.app(scope, receive, send)
