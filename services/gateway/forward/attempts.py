"""Limits failed authentications of one client.

Successful requests are always served: many people may share one address, and none of
them can lock the others out. Only a response that refuses a request becomes 429.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import ceil
from typing import Literal

from prometheus_client import Counter
from starlette.types import Message, Scope, Send

from services.gateway.forward import headers as hdr
from shared.contracts.errors import TooMany
from shared.kit.http.error_responses import error_body

Kind = Literal["token", "sign-in", "delivery"]
Network = IPv4Network | IPv6Network
#: Failures that are allowed at once, and further ones for each second.
BURSTS: dict[Kind, float] = {"token": 120, "sign-in": 60, "delivery": 60}
PER_SECOND = 1.0
MOST_CLIENTS = 10_000
SIGN_IN = ("/sign-in/", "/api/auth/")
DELIVERIES = ("/api/webhooks/", "/api/events/http/")
REFUSED = Counter(
    "callboard_gateway_attempts_refused_total",
    "Failed authentications that were answered with 429",
    ["kind"],
)


@dataclass(slots=True)
class _TokenBucket:
    tokens: float
    updated_at: float


class Attempts:
    """Failed authentications by kind and client address."""

    def __init__(
        self,
        proxies: Sequence[str] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`proxies` are addresses or networks whose `X-Forwarded-For` is trusted.

        Raises:
            ValueError: if one of them is neither.
        """
        self._proxies = [ip_network(text, strict=False) for text in proxies]
        self._clock = clock
        self._buckets: OrderedDict[tuple[Kind, str], _TokenBucket] = OrderedDict()

    def client(self, scope: Scope) -> str:
        """The client's address; for IPv6 the network of one site."""
        peer = scope.get("client")
        address = str(peer[0]) if peer else ""
        if self._proxies and self._is_proxy(address):
            address = self._forwarded(scope["headers"]) or address
        try:
            parsed_address = ip_address(address)
        except ValueError:
            return address
        if isinstance(parsed_address, IPv6Address):
            return str(IPv6Network((parsed_address, 64), strict=False))
        return address

    def _forwarded(self, headers: hdr.Headers) -> str | None:
        """The last address that is no trusted proxy."""
        values = [value for name, value in headers if name == b"x-forwarded-for"]
        addresses = b",".join(values).decode("latin-1").split(",")
        for text in reversed(addresses):
            address = text.strip()
            if address and not self._is_proxy(address):
                return address
        return None

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed_address = ip_address(address)
        except ValueError:
            return False
        return any(parsed_address in network for network in self._proxies)

    def fail(self, kind: Kind, client: str) -> int:
        """Count a failure; 0, or the seconds until another one is allowed."""
        now = self._clock()
        key = (kind, client)
        bucket = self._buckets.pop(key, None) or _TokenBucket(BURSTS[kind], now)
        bucket.tokens += (now - bucket.updated_at) * PER_SECOND
        bucket.tokens, bucket.updated_at = min(bucket.tokens, BURSTS[kind]), now
        self._buckets[key] = bucket
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        if bucket.tokens < 1:
            REFUSED.labels(kind).inc()
            return ceil((1 - bucket.tokens) / PER_SECOND)
        bucket.tokens -= 1
        return 0

    def watched(self, scope: Scope, send: Send) -> Send:
        """`send` that counts failures of this request; unchanged if it cannot fail."""
        kind = kind_of(scope)
        return send if kind is None else _CountingSend(self, kind, scope, send)


class _CountingSend:
    """Sends a response, or 429 in place of a refusal beyond the limit."""

    def __init__(
        self, attempts: Attempts, kind: Kind, scope: Scope, send: Send
    ) -> None:
        self._attempts = attempts
        self._kind: Kind = kind
        self._scope = scope
        self._send = send
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start" and self._has_failed(message):
            client = self._attempts.client(self._scope)
            if wait := self._attempts.fail(self._kind, client):
                self._replaced = True
                await self._refuse(wait)
                return
        await self._send(message)

    def _has_failed(self, message: Message) -> bool:
        status: int = message["status"]
        if self._kind == "sign-in":
            # A failed form redirects back to the sign-in page.
            back = status == 303 and _leads_to(message, b"/sign-in")
            return back or status in (401, 403, 404)
        return status == 401 or (self._kind == "delivery" and status == 403)

    async def _refuse(self, wait: int) -> None:
        error = TooMany("Too many failed attempts; wait, then try again")
        method, path = self._scope["method"], self._scope["path"]
        body = error_body(error.name, error.message, method, path, error.status)
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", str(wait).encode()),
        ]
        start = {"type": "http.response.start", "headers": headers}
        await self._send({**start, "status": error.status})
        await self._send({"type": "http.response.body", "body": body})


def _leads_to(message: Message, path: bytes) -> bool:
    return any(
        name.lower() == b"location" and value.startswith(path)
        for name, value in message.get("headers", ())
    )


def kind_of(scope: Scope) -> Kind | None:
    """The kind of authentication in a request; None: it has none."""
    path: str = scope["path"]
    if scope["method"] == "POST":
        if path.startswith(SIGN_IN):
            return "sign-in"
        if path.startswith(DELIVERIES):
            return "delivery"
    for name, _ in scope["headers"]:
        if name in (b"authorization", b"cookie"):
            return "token"
    return None
