"""Tells readers of the embedded event log that a message has arrived.

The embedded broker answers a fetch that finds nothing only when its whole wait is over,
so a consumer that must be fast would have to ask thirty times a second. Instead the
broker's process relays datagrams on the UDP port of the same number as the broker's TCP
port: producers announce what the log has taken, and a consumer whose last fetch was
empty holds its next fetch back until an announcement (ADR 22). A lost datagram costs at
most `IDLE_SECONDS`. Apache Kafka needs none of this and is never sent a datagram.
"""

import asyncio
import contextlib
import socket
import time
from typing import Any

LISTEN = b"listen"
LISTENING = b"listening"
ARRIVED = b"arrived"
#: How often a listener registers again; the relay forgets it after three times that.
RENEW_SECONDS = 5.0
EXPIRY_SECONDS = 3 * RENEW_SECONDS
#: The longest that a fetch is held back while the relay is known to work.
IDLE_SECONDS = 1.0
#: How long a fetch is held back where no relay answers, or a fetch was refused.
POLL_SECONDS = 0.03
#: Announcements closer together than this are sent as one.
GATHER_SECONDS = 0.002


def _endpoint(address: str) -> tuple[str, int]:
    host, _, port = address.split(",", maxsplit=1)[0].strip().rpartition(":")
    return host, int(port)


class Announcer:
    """The producer's side: announces messages that the log has taken."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._endpoint = _endpoint(address)
        self._sent_at = 0.0
        self._pending: asyncio.TimerHandle | None = None

    def announce(self) -> None:
        """Wake the consumers; must be called on the event loop."""
        if self._pending is not None:
            return
        if time.monotonic() - self._sent_at < GATHER_SECONDS:
            loop = asyncio.get_running_loop()
            self._pending = loop.call_later(GATHER_SECONDS, self._send)
        else:
            self._send()

    def _send(self) -> None:
        self._pending = None
        self._sent_at = time.monotonic()
        # A relay that is gone costs the consumers a second, and the producer nothing.
        with contextlib.suppress(OSError):
            self._socket.sendto(ARRIVED, self._endpoint)

    def close(self) -> None:
        """Release the socket."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        self._socket.close()


class Listener(asyncio.DatagramProtocol):
    """The consumer's side: counts announcements."""

    def __init__(self, address: str) -> None:
        self._endpoint = _endpoint(address)
        self._transport: asyncio.DatagramTransport | None = None
        self._renewal: asyncio.TimerHandle | None = None
        self._confirmed_at = -EXPIRY_SECONDS
        self._changed = asyncio.Event()
        self.count = 0

    async def open(self) -> None:
        """Register at the relay, and again every `RENEW_SECONDS`."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, remote_addr=self._endpoint)

    def close(self) -> None:
        """Stop listening; the relay forgets this listener by itself."""
        if self._renewal is not None:
            self._renewal.cancel()
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    @property
    def is_confirmed(self) -> bool:
        """Whether the relay has answered lately."""
        return time.monotonic() - self._confirmed_at < EXPIRY_SECONDS

    def wake(self) -> None:
        """Let a fetch that is held back go on."""
        self.count += 1
        self._changed.set()

    async def wait(self, known_count: int) -> None:
        """Wait for more than `known_count` announcements, or until it is time."""
        seconds = IDLE_SECONDS if self.is_confirmed else POLL_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.count <= known_count:
                    self._changed.clear()
                    await self._changed.wait()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._renew()

    def _renew(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(LISTEN)
            loop = asyncio.get_running_loop()
            self._renewal = loop.call_later(RENEW_SECONDS, self._renew)

    def datagram_received(self, data: bytes, _address: Any) -> None:
        if data == LISTENING:
            self._confirmed_at = time.monotonic()
        elif data == ARRIVED:
            self.wake()

    def error_received(self, _error: Exception) -> None:
        """Nobody listens at the port: poll until somebody does."""
        self._confirmed_at = -EXPIRY_SECONDS


class AnnouncementRelay:
    """The broker's side: passes announcements on to whoever listens."""

    #: More listeners than this are not served: they poll.
    MOST = 256

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(_endpoint(address))
        self._listeners: dict[Any, float] = {}

    def close(self) -> None:
        """Release the port."""
        self._socket.close()

    def serve(self, seconds: float) -> None:
        """Relay for some time; returns early only after a datagram."""
        self._socket.settimeout(seconds)
        try:
            data, sender = self._socket.recvfrom(64)
        except (TimeoutError, ConnectionError):
            # A listener that is gone may be reported by the next receive.
            return
        now = time.monotonic()
        if data == LISTEN:
            self._register(sender, now)
        elif data == ARRIVED:
            self._pass_on(now)

    def _register(self, sender: Any, now: float) -> None:
        for address, at in list(self._listeners.items()):
            if now - at > EXPIRY_SECONDS:
                del self._listeners[address]
        if sender in self._listeners or len(self._listeners) < self.MOST:
            self._listeners[sender] = now
            self._socket.sendto(LISTENING, sender)

    def _pass_on(self, now: float) -> None:
        for address, at in self._listeners.items():
            if now - at <= EXPIRY_SECONDS:
                with contextlib.suppress(OSError):
                    self._socket.sendto(ARRIVED, address)
