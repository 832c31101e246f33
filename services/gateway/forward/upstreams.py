"""One service behind the gateway, of which there may be several replicas.

A question that changes nothing is asked again elsewhere when a replica does not answer,
unless it may be why; a change only where it is certain that nothing of it has begun.
"""

import asyncio
import time
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from yarl import URL

from services.gateway.forward import headers as hdr
from services.gateway.forward.bodies import RequestBody
from services.gateway.forward.suspects import ReplicaWatch, Strikes
from shared.contracts.errors import Unavailable
from shared.contracts.headers import UNTOUCHED
from shared.kit.http.replicas import Replicas

#: Answers up to this size are passed on in one piece.
WHOLE = 1024 * 1024
#: The services keep an idle connection for 75 s: ours must end first.
KEEPALIVE_SECONDS = 60.0
CONNECT_SECONDS = 3.0
#: How long a replica may think about a question while there is another to ask.
PATIENCE_SECONDS = 3.0
#: And the last one, before its silence is taken for an answer.
LAST_PATIENCE_SECONDS = 60.0
#: How long a change may take: a registration reads thousands of files.
CHANGE_SECONDS = 600.0
#: A connection that was kept and breaks off so soon was being closed already.
STALE_SECONDS = 0.25
#: How often several replicas are asked whether they are well, to know who was.
LOOK_SECONDS = 2.0
AWAY = (aiohttp.ClientError, TimeoutError, ConnectionError, OSError)
NOT_BEGUN = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
BROKEN_OFF = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
#: Whether the request of this task made its connection, or took one that was kept.
_is_fresh: ContextVar[bool] = ContextVar("is_fresh", default=False)


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """A request as its service gets it: path and query as the client wrote them."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    caller: str
    changes: bool


class Reply(Protocol):
    """The answer to the client, begun at most once."""

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
        self._watches = {each: ReplicaWatch() for each in self._replicas.addresses}
        self._strikes = Strikes()
        self._questions: aiohttp.ClientSession | None = None
        self._changes: aiohttp.ClientSession | None = None
        self._looking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Make the connections' pools."""
        self._questions = _session(keep=True)
        # A change goes over a connection of its own: one that its service is just
        # closing, as at a restart, would leave open whether it was done.
        self._changes = _session(keep=False)
        if len(self._watches) > 1:
            name = f"look-{self._plugin}"
            self._looking = asyncio.create_task(self._look(self._questions), name=name)

    async def close(self) -> None:
        """Close all connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        for session in (self._questions, self._changes):
            if session is not None:
                await session.close()

    async def _look(self, session: aiohttp.ClientSession) -> None:
        """Notice which replicas are well, also while nobody asks them anything."""

        async def look(address: str) -> None:
            with suppress(*AWAY):
                async with (
                    asyncio.timeout(LOOK_SECONDS),
                    session.get(f"{address}/healthz") as answer,
                ):
                    await answer.read()
                self._watches[address].answer()

        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.gather(*map(look, self._watches))

    async def ask(
        self, question: ServiceRequest, body: RequestBody, reply: Reply
    ) -> None:
        """Ask one replica after the other until one answers, and pass that on.

        Raises:
            Unavailable: if none does, or the question is why they do not.
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
                if await self._put(attempt, question, data, reply, again=again):
                    return
            except AWAY as error:
                if body.failure is not None:
                    raise body.failure from error
                if len(order) > 1:
                    self._replicas.away(address)
                if attempt.is_suspect:
                    self._strikes.add(name)
                if reply.started or not attempt.may_go_on(question, error):
                    raise self._away() from error
            else:
                self._replicas.away(address)

    async def _put(
        self,
        attempt: "_Attempt",
        question: ServiceRequest,
        data: object,
        reply: Reply,
        *,
        again: bool,
    ) -> bool:
        """Put a question to one replica, twice if its connection was a stale one."""
        session, watch = self._session(question), self._watches[attempt.address]
        try:
            return await attempt.go(session, question, data, reply, watch)
        except BROKEN_OFF:
            may_repeat = again and not question.changes and not reply.started
            if not (may_repeat and attempt.is_stale) or self._changes is None:
                raise
        return await attempt.go(self._changes, question, data, reply, watch)

    def _session(self, question: ServiceRequest) -> aiohttp.ClientSession:
        session = self._changes if question.changes else self._questions
        if session is None:
            raise Unavailable("The gateway is starting")
        return session

    def _away(self) -> Unavailable:
        return Unavailable(f"The {self._plugin} does not answer", retry_after=1)


class _Attempt:
    """One replica asked; `left` others could be asked after it."""

    def __init__(self, prefix: str, address: str, left: int, patience: float) -> None:
        self._prefix = prefix
        self.address = address
        self._left = left
        self._patience = patience
        #: The connection was kept from before, and broke off at once.
        self.is_stale = False
        #: The question may be why the replica does not answer.
        self.is_suspect = False

    def may_go_on(self, question: ServiceRequest, error: Exception) -> bool:
        """Whether the next one may be asked after this failure."""
        if not self._left or self.is_suspect:
            return False
        return not question.changes or isinstance(error, NOT_BEGUN)

    async def go(
        self,
        session: aiohttp.ClientSession,
        question: ServiceRequest,
        data: object,
        to: Reply,
        watch: ReplicaWatch,
    ) -> bool:
        """Pass the answer on; False: it is no answer while there are others to ask."""
        token, began = watch.send(), time.monotonic()
        _is_fresh.set(False)
        try:
            answering = await self._answering(session, question, data)
            watch.answer(token)
        except NOT_BEGUN:
            watch.withdraw(token)
            raise
        except AWAY:
            took = time.monotonic() - began
            self.is_stale = took < STALE_SECONDS and not _is_fresh.get()
            self.is_suspect = not self.is_stale and watch.is_suspect(token)
            raise
        finally:
            watch.end(token)
        async with answering as answer:
            if self._left and self._is_unready(answer, question):
                return False
            await self._pass_on(answer, question.method, to)
            return True

    async def _answering(
        self, session: aiohttp.ClientSession, question: ServiceRequest, data: object
    ) -> aiohttp.ClientResponse:
        url = URL(self.address + question.path, encoded=True)
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
        """Headers, then the body: whole when it is small, else as it comes."""
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
    """Notes for its task that a connection is a new one."""

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
    # By itself it asks again whenever a connection breaks off, whatever the reason.
    session._retry_connection = False  # noqa: SLF001
    return session
