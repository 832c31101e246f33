"""Delivers a batch of messages to its handler, and finds the faulty ones.

A message that cannot be handled is written to `<topic>.dead` with the reason, and the
others take effect. While a dependency of the handler is unavailable, the batch waits
and is tried again, because its messages are not faulty then.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid
from shared.contracts.topics import dead
from shared.guards.turns import in_turns
from shared.kit.events import metrics
from shared.kit.events.bus import Bus
from shared.kit.events.dead_letters import DeadLetter
from shared.kit.events.spans import processing
from shared.kit.observability import logs, tracing
from shared.kit.resilience.retries import Backoff, retry

Handler = Callable[[Sequence[Envelope]], Awaitable[None]]
#: A message's key and value.
Item = tuple[str, bytes]
BACKOFF = Backoff(0.2, 10.0)


class DeliveryStopped(Exception):
    """The messages were not handled; the next consumer delivers them."""


class BatchDelivery:
    """Delivers messages until each is handled or in the dead letters.

    `stopped` ends every wait between two tries.
    """

    def __init__(
        self, group: str, bus: Bus, *, tries: int, stopped: asyncio.Event
    ) -> None:
        self._group = group
        self._bus = bus
        self._tries = tries
        self._stopped = stopped
        self._log = logs.get_logger(group)

    async def deliver(
        self, topic: str, handler: Handler, items: Sequence[Item]
    ) -> None:
        """Deliver all at once, and one by one if that fails.

        Raises:
            DeliveryStopped: if `stopped` was set while the messages waited.
        """
        valid: list[tuple[Item, Envelope]] = []
        async for item in in_turns(items):
            try:
                valid.append((item, Envelope.parse(item[1])))
            except Invalid as error:
                await self._bury(topic, item, error, 1)
        if not valid:
            return
        try:
            await self._try(topic, handler, [envelope for _, envelope in valid])
        except DeliveryStopped:
            raise
        except Exception:  # noqa: BLE001 - the edge: one of them is poison, find it
            for item, envelope in valid:
                await self._deliver_alone(topic, handler, item, envelope)

    async def _deliver_alone(
        self, topic: str, handler: Handler, item: Item, envelope: Envelope
    ) -> None:
        tried = 0

        async def attempt() -> None:
            nonlocal tried
            tried += 1
            await self._try(topic, handler, [envelope])

        tries = replace(BACKOFF, attempts=self._tries)
        try:
            await retry(attempt, tries, on=_may_pass, sleep=self._pause)
        except DeliveryStopped:
            raise
        except Exception as error:  # noqa: BLE001 - the edge, see above
            with tracing.continued(envelope.trace):
                await self._bury(topic, item, error, tried)

    async def _try(
        self, topic: str, handler: Handler, batch: Sequence[Envelope]
    ) -> None:
        async def attempt() -> None:
            with processing(topic, self._group, batch):
                await handler(batch)

        await retry(attempt, BACKOFF, note=self._note, sleep=self._pause)

    def _note(self, error: Exception, _: float) -> None:
        self._log.warning("work_waits", group=self._group, error=str(error))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        if self._stopped.is_set():
            raise DeliveryStopped

    async def _bury(self, topic: str, item: Item, error: Exception, tried: int) -> None:
        key, value = item
        letter = DeadLetter.of(topic, key, self._group, value, error, tried)
        reason = letter.message[:300]
        self._log.error("dead_letter", topic=topic, error=letter.error, reason=reason)
        metrics.DEAD_LETTERS.labels(self._group, topic).inc()

        async def publish() -> None:
            await self._bus.publish(dead(topic), key, letter.to_bytes())

        await retry(publish, BACKOFF, sleep=self._pause)


def _may_pass(error: BaseException) -> bool:
    """Whether another try may succeed: input that breaks a rule breaks it again."""
    return isinstance(error, Exception) and not isinstance(
        error, Invalid | DeliveryStopped
    )
