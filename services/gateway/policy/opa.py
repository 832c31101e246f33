"""The policy on an OPA server, which fetches the gateway's bundle.

Input and `.rego` files are those of the embedded form. Without a decision in time,
nothing is allowed.
"""

import asyncio
import ssl
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import orjson
from opa_client.opa_async import AsyncOpaClient
from prometheus_client import Counter, Gauge

from services.gateway.model import Decision, PolicyInput
from services.gateway.policy.question import PACKAGE, RULE, Questions, decision_of
from shared.contracts.errors import Invalid, Unavailable
from shared.kit.config.servers import Server
from shared.kit.observability import logs
from shared.kit.resilience.breaker import RETRY_AFTER, CircuitBreaker

DEFAULT_PORT = 8181
#: Seconds that one decision may take.
SECONDS = 1.0
CONNECTIONS = 64
#: After so many failures in a row the breaker opens. The rest is short; the first
#: request after it may wait for the time-out.
FAILURES, REST_SECONDS = 5, 0.25
#: Proxies in front of OPA close idle connections, OPA itself does not.
KEEPALIVE_SECONDS = 30.0
FAILED = Counter(
    "callboard_gateway_policy_failures_total",
    "Questions that the policy server did not answer",
    ["reason"],
)
AWAY = Gauge("callboard_gateway_policy_away", "1 while the policy server is not asked")
#: Errors of a connection that the other side closed while it was idle.
STALE = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


class OpaPolicy:
    """`Policy` by OPA's data API; an async context manager for its connections.

    A decision may take `seconds`. Raises Invalid, naming the setting, if the address or
    the CA is wrong.
    """

    def __init__(
        self,
        server: Server | str,
        questions: Questions,
        *,
        seconds: float = SECONDS,
    ) -> None:
        server = Server.of(server)
        self._questions = questions
        self._seconds = seconds
        self._breaker = CircuitBreaker(
            failures=FAILURES, rest_seconds=REST_SECONDS, changed=_note_change
        )
        self._client = _client(server, seconds)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close_connection()

    async def decide(self, question: PolicyInput) -> Decision:
        """One decision; raises Unavailable if the server gives none in time."""
        document = self._questions.document(question)
        with self._breaker.call():
            answer = await self._answer(document)
        if "result" not in answer:
            raise Unavailable(
                f"The policy server has no policy yet (data.{PACKAGE}.{RULE}), "
                "so nothing is allowed"
            )
        return decision_of(answer["result"])

    async def _answer(self, document: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._query(document)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason, description = self._describe(error)
            FAILED.labels(reason).inc()
            raise Unavailable(
                f"The policy server {description}, so nothing is allowed until it does",
                retry_after=RETRY_AFTER,
            ) from error
        return answer if isinstance(answer, dict) else {}

    async def _query(self, document: dict[str, Any]) -> Any:
        try:
            return await self._client.query_rule(document, PACKAGE, RULE)
        except STALE:
            # A query changes nothing, so it may be repeated.
            return await self._client.query_rule(document, PACKAGE, RULE)

    def _describe(self, error: Exception) -> tuple[str, str]:
        """The failure as a metric's label, and as text for the operator."""
        match error:
            case TimeoutError():
                return "late", f"did not answer within {self._seconds:g} s"
            case aiohttp.ClientResponseError(status=401 | 403):
                return "refused", "does not accept this gateway (CALLBOARD_OPA_TOKEN)"
            case aiohttp.ClientSSLError():
                return "certificate", "does not prove who it is (CALLBOARD_OPA_CA)"
            case aiohttp.ClientResponseError(status=status):
                return "error", f"answers {status}"
            case ValueError():
                return "error", "answers no JSON"
        return "away", "does not answer"


def _note_change(is_away: bool, reason: str) -> None:
    AWAY.set(is_away)
    log = logs.get_logger("gateway")
    if is_away:
        log.warning("policy_server_away", reason=reason)
    else:
        log.info("policy_server_back")


class _OpaClient(AsyncOpaClient):  # type: ignore[misc]  # the package has no types
    """The client with a configurable CA, which its own constructor does not take."""

    def __init__(self, context: ssl.SSLContext | None, **settings: Any) -> None:
        super().__init__(ssl=context is not None, **settings)
        self._context = context

    async def _init_session(self) -> None:
        self._connector = aiohttp.TCPConnector(
            ssl=self._context or True,
            limit=CONNECTIONS,
            keepalive_timeout=KEEPALIVE_SECONDS,
        )
        self._session = aiohttp.ClientSession(
            headers=self.headers,
            connector=self._connector,
            json_serialize=lambda value: orjson.dumps(value).decode(),
            timeout=aiohttp.ClientTimeout(total=self.timeout),
        )


def _client(server: Server, seconds: float) -> _OpaClient:
    host, port = _address(server)
    return _OpaClient(
        _context(server),
        host=host,
        port=port,
        token=server.password,
        # The breaker decides when to try again.
        retries=0,
        timeout=seconds,
    )


def _address(server: Server) -> tuple[str, int]:
    """The host and port of the server."""
    rule = f"CALLBOARD_OPA: must be http(s)://HOST[:PORT], not {server.address!r}"
    try:
        address = urlsplit(server.address)
        port = address.port
    except ValueError as error:
        raise Invalid(rule) from error
    rest = (address.path.strip("/"), address.query, address.fragment)
    if "@" in server.address:
        raise Invalid("CALLBOARD_OPA: no user; the token is CALLBOARD_OPA_TOKEN")
    if address.scheme not in ("http", "https") or not address.hostname or any(rest):
        raise Invalid(rule)
    host = address.hostname
    return f"[{host}]" if ":" in host else host, port or DEFAULT_PORT


def _context(server: Server) -> ssl.SSLContext | None:
    if server.ca and not server.address.startswith("https:"):
        raise Invalid("CALLBOARD_OPA_CA: is for an https:// address in CALLBOARD_OPA")
    try:
        return server.context()
    except OSError as error:
        raise Invalid(f"CALLBOARD_OPA_CA: {error}") from error
