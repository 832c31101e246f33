"""One service behind the gateway, with one or several replicas.

A safe request is sent to another replica if one does not answer, unless the request may
be the reason; a changing request only if it certainly did not reach the first one.
"""

import asyncio
import time
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from services.gateway.forward import headers as hdr
from services.gateway.forward.bodies import RequestBody
from services.gateway.forward.suspects import ReplicaWatch, Strikes
from shared.contracts.errors import Unavailable
from shared.contracts.headers import UNTOUCHED
from shared.kit.http.replicas import Replicas, upstream_url

#: Responses up to this size are passed on in one piece.
WHOLE = 1024 * 1024
#: Services close an idle connection after 75 s; the gateway must close it first.
KEEPALIVE_SECONDS = 60.0
CONNECT_SECONDS = 3.0
#: Seconds in which a replica must answer while there is another one.
PATIENCE_SECONDS = 3.0
#: Seconds in which the last replica must answer.
LAST_PATIENCE_SECONDS = 60.0
#: Seconds that a change may take: a registration reads thousands of files.
CHANGE_SECONDS = 600.0
#: A reused connection that breaks within so many seconds was being closed already.
STALE_SECONDS = 0.25
#: Seconds between two health checks of several replicas.
HEALTH_SECONDS = 2.0
UNREACHABLE = (aiohttp.ClientError, TimeoutError, ConnectionError, OSError)
NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
BROKEN = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
#: Whether the request of this task opened its connection or reused one.
_is_fresh: ContextVar[bool] = ContextVar("is_fresh", default=False)


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """A request to a service, with the undecoded path and query."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    caller: str
    changes: bool


class Reply(Protocol):
    """The response to the client, started at most once."""

    started: bool

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None: ...

    async def body(self, chunk: bytes, *, more: bool) -> None: ...


class Upstream:
    """A service's replicas and the connections to them."""

    def __init__(
        self,
        plugin: str,
        addresses: str,
        *,
        prefix: str | None = None,
        patience: float = LAST_PATIENCE_SECONDS,
    ) -> None:
        """`prefix` is the public path of the service; `patience` of its last replica.

        Without a prefix it is `/api/` and the name.
        """
        self._plugin = plugin
        self._prefix = f"/api/{plugin}" if prefix is None else prefix
        self._patience = patience
        self._replicas = Replicas(addresses)
        self._watches = {
            address: ReplicaWatch() for address in self._replicas.addresses
        }
        self._strikes = Strikes()
        self._questions: aiohttp.ClientSession | None = None
        self._changes: aiohttp.ClientSession | None = None
        self._health_task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the connection pools."""
        self._questions = _session(keep=True)
        # A change gets a new connection: on one that the service is just closing, as at
        # a restart, it would be unknown whether the change was made.
        self._changes = _session(keep=False)
        if len(self._watches) > 1:
            name = f"health-{self._plugin}"
            self._health_task = asyncio.create_task(
                self._check_health(self._questions), name=name
            )

    async def close(self) -> None:
        """Close all connections."""
        if self._health_task is not None:
            self._health_task.cancel()
            await asyncio.gather(self._health_task, return_exceptions=True)
        for session in (self._questions, self._changes):
            if session is not None:
                await session.close()

    async def _check_health(self, session: aiohttp.ClientSession) -> None:
        """Check the health of the replicas, also without any requests."""

        async def check(address: str) -> None:
            with suppress(*UNREACHABLE):
                async with (
                    asyncio.timeout(HEALTH_SECONDS),
                    session.get(upstream_url(address, "/healthz")) as answer,
                ):
                    await answer.read()
                self._watches[address].answer()

        while True:
            await asyncio.sleep(HEALTH_SECONDS)
            await asyncio.gather(*map(check, self._watches))

    async def ask(
        self, question: ServiceRequest, body: RequestBody, reply: Reply
    ) -> None:
        """Try one replica after the other until one answers; pass its response on.

        Raises:
            Unavailable: if none answers, or the request may be the reason.
        """
        data = await body.data()
        name = (question.method, question.path, data if data is None else hash(data))
        self._strikes.check(name)
        order = self._replicas.order(question.caller)
        again = data is None or isinstance(data, bytes)
        for left, address in zip(range(len(order) - 1, -1, -1), order, strict=True):
            left = left if again else 0  # noqa: PLW2901
            patience = PATIENCE_SECONDS if left else self._patience
            attempt = _Attempt(self._prefix, address, left, patience)
            try:
                if await self._send(attempt, question, data, reply, again=again):
                    return
            except UNREACHABLE as error:
                if body.failure is not None:
                    raise body.failure from error
                if len(order) > 1:
                    self._replicas.mark_unavailable(address)
                if attempt.is_suspect:
                    self._strikes.add(name)
                if reply.started or not attempt.may_go_on(question, error):
                    raise self._unavailable() from error
            else:
                self._replicas.mark_unavailable(address)

    async def _send(
        self,
        attempt: "_Attempt",
        question: ServiceRequest,
        data: object,
        reply: Reply,
        *,
        again: bool,
    ) -> bool:
        """Send a request to one replica, twice if its connection was stale."""
        session, watch = self._session(question), self._watches[attempt.address]
        try:
            return await attempt.go(session, question, data, reply, watch)
        except BROKEN:
            may_repeat = again and not question.changes and not reply.started
            if not (may_repeat and attempt.is_stale) or self._changes is None:
                raise
        return await attempt.go(self._changes, question, data, reply, watch)

    def _session(self, question: ServiceRequest) -> aiohttp.ClientSession:
        session = self._changes if question.changes else self._questions
        if session is None:
            raise Unavailable("The gateway is starting")
        return session

    def _unavailable(self) -> Unavailable:
        return Unavailable(f"The service {self._plugin} does not answer", retry_after=1)


class _Attempt:
    """One attempt at a replica; `left` others could be tried after it."""

    def __init__(self, prefix: str, address: str, left: int, patience: float) -> None:
        self._prefix = prefix
        self.address = address
        self._left = left
        self._patience = patience
        #: Whether the connection was reused and broke at once.
        self.is_stale = False
        #: Whether the request may be the reason that the replica does not answer.
        self.is_suspect = False

    def may_go_on(self, question: ServiceRequest, error: Exception) -> bool:
        """Whether the next replica may be tried after this failure."""
        if not self._left or self.is_suspect:
            return False
        return not question.changes or isinstance(error, NOT_SENT)

    async def go(
        self,
        session: aiohttp.ClientSession,
        question: ServiceRequest,
        data: object,
        to: Reply,
        watch: ReplicaWatch,
    ) -> bool:
        """Pass the response on; False: the replica is not ready, try another one."""
        token, start = watch.send(), time.monotonic()
        _is_fresh.set(False)
        try:
            response = await self._response(session, question, data)
            watch.answer(token)
        except NOT_SENT:
            watch.withdraw(token)
            raise
        except UNREACHABLE:
            took = time.monotonic() - start
            self.is_stale = took < STALE_SECONDS and not _is_fresh.get()
            self.is_suspect = not self.is_stale and watch.is_suspect(token)
            raise
        finally:
            watch.end(token)
        async with response:
            if self._left and self._is_unready(response, question):
                return False
            await self._pass_on(response, question.method, to)
            return True

    async def _response(
        self, session: aiohttp.ClientSession, question: ServiceRequest, data: object
    ) -> aiohttp.ClientResponse:
        url = upstream_url(self.address, question.path)
        patience = CHANGE_SECONDS if question.changes else self._patience
        async with asyncio.timeout(patience):
            return await session.request(
                question.method,
                url,
                headers=question.headers,
                data=data,
                allow_redirects=False,
            )

    @staticmethod
    def _is_unready(answer: aiohttp.ClientResponse, question: ServiceRequest) -> bool:
        if answer.status != Unavailable.status:
            return False
        return not question.changes or UNTOUCHED in answer.headers

    async def _pass_on(
        self, answer: aiohttp.ClientResponse, method: str, reply: Reply
    ) -> None:
        """Send the headers, then the body: a small one whole, else as a stream."""
        headers = hdr.to_client(answer.raw_headers, self._prefix, self.address)
        length = answer.content_length
        if method == "HEAD" or (length is not None and length <= WHOLE):
            body = b"" if method == "HEAD" else await answer.read()
            await reply.start(answer.status, headers)
            await reply.body(body, more=False)
            return
        await reply.start(answer.status, headers)
        async for chunk in answer.content.iter_any():
            await reply.body(chunk, more=True)
        await reply.body(b"", more=False)


class _Connector(aiohttp.TCPConnector):
    """Records for its task that a connection is new."""

    async def _create_connection(self, *args: Any) -> Any:
        _is_fresh.set(True)
        return await super()._create_connection(*args)


def _session(*, keep: bool) -> aiohttp.ClientSession:
    connector = _Connector(
        limit=0,
        keepalive_timeout=KEEPALIVE_SECONDS if keep else None,
        force_close=not keep,
        use_dns_cache=True,
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        read_bufsize=256 * 1024,
    )
    # The client would repeat every request whose connection breaks.
    session._retry_connection = False  # noqa: SLF001
    return session
