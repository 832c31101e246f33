"""A consumer for the embedded event log, which fetches when a message has arrived."""

import asyncio
import contextlib
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.protocol.fetch import FetchRequest

from shared.kit.events.announcements import POLL_SECONDS, Listener

#: What the broker may wait for messages: the consumer waits instead.
FETCH_WAIT_MS = 1


class EmbeddedLogConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """A consumer of the embedded log that fetches when something has arrived."""

    def __init__(self, *topics: str, **options: Any) -> None:
        super().__init__(*topics, **options, fetch_max_wait_ms=FETCH_WAIT_MS)
        self._listener = Listener(options["bootstrap_servers"])
        self._positions: Any = None
        self._is_drained = False
        self._known_count = 0
        # aiokafka offers no other place between its fetcher and the connection.
        self._send = self._client.send
        self._client.send = self._send_when_due

    async def start(self) -> None:
        """Connect, and listen for announcements."""
        with contextlib.suppress(OSError):
            await self._listener.open()
        await super().start()

    async def stop(self) -> None:
        """Disconnect."""
        self._listener.close()
        await super().stop()

    async def _send_when_due(self, node_id: Any, request: Any, **options: Any) -> Any:
        if not isinstance(request, FetchRequest):
            return await self._send(node_id, request, **options)
        positions = (node_id, sorted((t, sorted(rows)) for t, rows in request.topics))
        if self._is_drained and positions == self._positions:
            await self._listener.wait(self._known_count)
        self._positions, self._known_count = positions, self._listener.count
        response = await self._send(node_id, request, **options)
        rows = [row for _, partitions in response.topics for row in partitions]
        self._is_drained = not any(row[-1] for row in rows)
        if any(row[1] for row in rows):
            # A refused fetch is repeated by aiokafka at once.
            await asyncio.sleep(POLL_SECONDS)
        return response
