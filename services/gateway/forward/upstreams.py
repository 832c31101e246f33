"""One service behind the gateway, of which there may be several replicas.

A question that changes nothing is asked again elsewhere when a replica does not answer;
a change only where it is certain that nothing of it has begun.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from yarl import URL

from services.gateway.forward import headers as hdr
from services.gateway.forward.bodies import RequestBody
from shared.contracts.errors import Unavailable
from shared.kit.replicas import Replicas
from shared.kit.web import UNTOUCHED

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
AWAY = (aiohttp.ClientError, TimeoutError, ConnectionError, OSError)
NOT_BEGUN = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(frozen=True, slots=True)
class Question:
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

    def __init__(self, plugin: str, addresses: str) -> None:
        self._plugin = plugin
        self._replicas = Replicas(addresses)
        self._questions: aiohttp.ClientSession | None = None
        self._changes: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the connections' pools."""
        self._questions = _session(keep=True)
        # A change goes over a connection of its own: one that its service is just
        # closing, as at a restart, would leave open whether it was done.
        self._changes = _session(keep=False)

    async def close(self) -> None:
        """Close all connections."""
        for session in (self._questions, self._changes):
            if session is not None:
                await session.close()

    async def ask(self, question: Question, body: RequestBody, reply: Reply) -> None:
        """Ask one replica after the other until one answers, and pass that on.

        Raises:
            Unavailable: if none does.
        """
        data = await body.data()
        order = self._replicas.order(question.caller)
        again = data is None or isinstance(data, bytes)
        for left, address in zip(range(len(order) - 1, -1, -1), order, strict=True):
            attempt = _Attempt(self._plugin, address, left if again else 0)
            try:
                if await attempt.go(self._session(question), question, data, reply):
                    return
            except AWAY as error:
                if body.failure is not None:
                    raise body.failure from error
                if len(order) > 1:
                    self._replicas.away(address)
                if reply.started or not attempt.may_go_on(question, error):
                    raise self._away() from error
            else:
                self._replicas.away(address)

    def _session(self, question: Question) -> aiohttp.ClientSession:
        session = self._changes if question.changes else self._questions
        if session is None:
            raise Unavailable("The gateway is starting")
        return session

    def _away(self) -> Unavailable:
        return Unavailable(f"The {self._plugin} does not answer", retry_after=1)


class _Attempt:
    """One replica asked; `left` others could be asked after it."""

    def __init__(self, plugin: str, address: str, left: int) -> None:
        self._plugin = plugin
        self._address = address
        self._left = left

    def may_go_on(self, question: Question, error: Exception) -> bool:
        """Whether the next one may be asked after this failure."""
        if not self._left:
            return False
        return not question.changes or isinstance(error, NOT_BEGUN)

    async def go(
        self,
        session: aiohttp.ClientSession,
        question: Question,
        data: object,
        to: Reply,
    ) -> bool:
        """Pass the answer on; False: it is no answer while there are others to ask."""
        url = URL(self._address + question.path, encoded=True)
        async with asyncio.timeout(self._patience(question)) as patience:
            answering = await session.request(
                question.method,
                url,
                headers=question.headers,
                data=data,
                allow_redirects=False,
            )
            patience.reschedule(None)
        async with answering as answer:
            if self._left and self._is_unready(answer, question):
                return False
            await self._pass_on(answer, question.method, to)
            return True

    def _patience(self, question: Question) -> float:
        if question.changes:
            return CHANGE_SECONDS
        return PATIENCE_SECONDS if self._left else LAST_PATIENCE_SECONDS

    @staticmethod
    def _is_unready(answer: aiohttp.ClientResponse, question: Question) -> bool:
        if answer.status != Unavailable.status:
            return False
        return not question.changes or UNTOUCHED in answer.headers

    async def _pass_on(
        self, answer: aiohttp.ClientResponse, method: str, reply: Reply
    ) -> None:
        """Headers, then the body: whole when it is small, else as it comes."""
        headers = hdr.to_client(answer.raw_headers, self._plugin, self._address)
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


def _session(*, keep: bool) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,
        keepalive_timeout=KEEPALIVE_SECONDS if keep else None,
        force_close=not keep,
        use_dns_cache=True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        read_bufsize=256 * 1024,
    )
