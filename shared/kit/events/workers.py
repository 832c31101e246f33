"""Workers that share a topic's work among processes (Faust, batches by `take`).

At least once: the effect first, then the offset. A message that cannot be handled goes
to `<topic>.dead` with the reason, and its partition goes on; while something needed is
away (Unavailable) the worker waits and tries again, for nothing is wrong with a message
then. Partitions are handed over between batches: what a member has begun it finishes
and saves first, what it has not begun it leaves to the next one.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from aiokafka.errors import KafkaError

from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.topics import dead
from shared.kit.config.servers import Server
from shared.kit.events import broker, consumer_group, metrics
from shared.kit.events.batching import batches
from shared.kit.events.bus import Bus, KafkaBus
from shared.kit.events.dead_letters import DeadLetter
from shared.kit.events.spans import processing
from shared.kit.observability import logs
from shared.kit.processes import tasks

Handler = Callable[[Sequence[Envelope]], Awaitable[None]]
#: A message's key and value.
Item = tuple[str, bytes]
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0
SAVE_EVERY_SECONDS = 1.0
LAG_EVERY_SECONDS = 5.0
#: Longer than a group waits for its slowest member.
JOIN_SECONDS = 40.0
#: The longest that a hand-over waits for a handler; the group waits longer than this.
FINISH_SECONDS = 20.0
#: The same when this process is told to stop, which should not take long.
LEAVE_SECONDS = 2.0


class _CalledBack(Exception):
    """The partitions are wanted elsewhere: stop waiting, somebody else will try."""


class SharedWork:
    """One consumer group: each message is handled by one of its processes.

    `handlers` maps a topic to a coroutine function that takes a batch of events; it
    must be idempotent. Starts in the background: a broker that is away delays work,
    never the service.
    """

    def __init__(
        self,
        name: str,
        server: Server | str,
        handlers: Mapping[str, Handler],
        bus: Bus,
        *,
        batch: int = 200,
        within: float = 0.02,
        tries: int = 5,
    ) -> None:
        self._name = name
        self._server = Server.of(server)
        self._handlers = dict(handlers)
        self._bus = bus
        self._batch = batch
        self._within = within
        self._tries = tries
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger(name)
        self._leaving = asyncio.Event()
        self._held = _AssignedPartitions()
        #: Set once the group is joined.
        self.joined = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"work-{self._name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is None:
            return
        self._leaving.set()
        if self.joined.is_set():
            # Told to leave, a member hands its partitions over at once; cancelled, it
            # would keep the group waiting for its session to end.
            await asyncio.wait({self._task}, timeout=2 * LEAVE_SECONDS)
        await tasks.end(self._task, retry_seconds=2 * broker.END_SECONDS)

    async def check(self) -> None:
        """Raise Unavailable unless the worker is in its group, on topics that fit."""
        if not self.joined.is_set():
            raise Unavailable(f"The workers of {self._name} have not joined yet")
        if isinstance(self._bus, KafkaBus):
            await self._bus.check()

    async def _run(self) -> None:
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                await self._take_part()
            except asyncio.CancelledError:
                if broker.is_cancelled_itself():
                    raise
                self._log.warning("workers_lost", group=self._name, error="cancelled")
            except Exception as error:  # noqa: BLE001 - Faust fails in many ways
                self._log.warning("workers_lost", group=self._name, error=str(error))
            if self.joined.is_set():
                wait = FIRST_WAIT_SECONDS
            self.joined.clear()
            if self._leaving.is_set():
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    async def _take_part(self) -> None:
        able = await broker.abilities(self._server)
        app = consumer_group.make_app(self._name, self._server, able, self)
        for topic, handler in self._handlers.items():
            self._agent(app, topic, handler)
        async with consumer_group.stopped(app):
            working = asyncio.create_task(self._work(app), name=f"work-{self._name}")
            keeping = asyncio.create_task(self._keep(app), name=f"keep-{self._name}")
            both = (working, keeping)
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if self._leaving.is_set():
                    await self._give_back(app.consumer, LEAVE_SECONDS)
                    return
                # What ended first says why; then everything begins anew.
                for task in both:
                    if task.done():
                        task.result()
            finally:
                await tasks.end(*both)

    async def _work(self, app: Any) -> None:
        await app.start()
        # Ends, or raises, when Faust does.
        await app.wait(self._leaving)

    def _agent(self, app: Any, topic: str, handler: Handler) -> None:
        source = app.topic(topic, key_serializer="raw", value_serializer="raw")

        async def take(stream: Any) -> None:
            events = consumer_group.unacknowledged(stream)
            async for batch in batches(events, size=self._batch, seconds=self._within):
                await self._take(app, topic, handler, batch)

        app.agent(source, name=f"{self._name}-{topic}")(take)

    async def _take(
        self, app: Any, topic: str, handler: Handler, events: Sequence[Any]
    ) -> None:
        generation = app.consumer_generation_id
        held = [
            event
            for event in events
            if event.message.generation_id == generation
            and self._held.is_new(event.message.tp, event.message.offset)
        ]
        if not held or self._held.called_back.is_set():
            # Partitions that are somebody else's by now, or will be.
            return
        items = [((e.key or b"").decode("utf-8", "replace"), e.value) for e in held]
        with self._held.busy(), contextlib.suppress(_CalledBack):
            await self._handle(topic, handler, items)
            if app.consumer_generation_id == generation:
                for event in held:
                    self._held.handled(event.message.tp, event.message.offset)

    async def _keep(self, app: Any) -> None:
        """Save what is handled, measure what is not, and notice what befell the group.

        Raises:
            KafkaError: if the group does not work any more.
            Unavailable: if it is not joined in time.
        """
        looked, began = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(SAVE_EVERY_SECONDS)
            app.consumer.check()
            if not self.joined.is_set() and time.monotonic() - began > JOIN_SECONDS:
                raise Unavailable(f"not joined within {JOIN_SECONDS:.0f} s")
            if not self.joined.is_set():
                continue
            await app.consumer.learn_topics(self._handlers)
            await self._save(app.consumer)
            if time.monotonic() - looked > LAG_EVERY_SECONDS:
                looked = time.monotonic()
                with contextlib.suppress(KafkaError, KeyError):
                    behind = await app.consumer.behind(self._held.following)
                    for topic in self._handlers:
                        lag = metrics.LAG.labels(self._name, topic)
                        lag.set(behind.get(topic, 0))

    async def _save(self, consumer: consumer_group.Consumer) -> None:
        fresh = self._held.unsaved()
        if fresh and await consumer.save(fresh):
            self._held.saved.update(fresh)

    async def called_back(self, consumer: consumer_group.Consumer) -> None:
        """The group shares its partitions out anew: finish and save."""
        await self._give_back(consumer, FINISH_SECONDS)

    async def _give_back(
        self, consumer: consumer_group.Consumer, seconds: float
    ) -> None:
        self._held.called_back.set()
        self._held.since = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                await self._held.idle.wait()
        except TimeoutError:
            self._log.warning("handed_over_unfinished", group=self._name)
        await self._save(consumer)

    def shared_out(self, partitions: Iterable[Any]) -> None:
        """Partitions are held: nothing of them is handled yet."""
        if self._held.called_back.is_set():
            took = time.monotonic() - self._held.since
            metrics.HAND_OVER_SECONDS.labels(self._name).observe(took)
        self._held.begin()
        self.joined.set()
        self._log.info("partitions_held", group=self._name, count=len(set(partitions)))

    async def handle(
        self, topic: str, handler: Handler, values: Sequence[bytes]
    ) -> None:
        """Handle raw messages: all at once, and one by one if that fails."""
        await self._handle(topic, handler, [("", value) for value in values])

    async def _handle(
        self, topic: str, handler: Handler, items: Sequence[Item]
    ) -> None:
        good: list[tuple[Item, Envelope]] = []
        for item in items:
            try:
                good.append((item, Envelope.parse(item[1] or b"")))
            except Invalid as error:
                await self._bury(topic, item, error, 1)
        if not good:
            return
        try:
            await self._try(topic, handler, [envelope for _, envelope in good])
        except _CalledBack:
            raise
        except Exception:  # noqa: BLE001 - the edge: one of them is poison, find it
            for item, envelope in good:
                await self._alone(topic, handler, item, envelope)

    async def _alone(
        self, topic: str, handler: Handler, item: Item, envelope: Envelope
    ) -> None:
        wait = FIRST_WAIT_SECONDS
        for tried in range(1, self._tries + 1):
            try:
                await self._try(topic, handler, [envelope])
            except _CalledBack:
                raise
            except Exception as error:  # noqa: BLE001 - the edge, see above
                # Input that breaks a rule will break it the next time too.
                if isinstance(error, Invalid) or tried == self._tries:
                    await self._bury(topic, item, error, tried)
                    return
                wait = await self._pause(wait)
            else:
                return

    async def _try(
        self, topic: str, handler: Handler, batch: Sequence[Envelope]
    ) -> None:
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                with processing(topic, self._name, batch):
                    await handler(batch)
            except Unavailable as error:
                self._log.warning("work_waits", group=self._name, error=str(error))
                wait = await self._pause(wait)
            else:
                return

    async def _pause(self, seconds: float) -> float:
        """Wait before the next try; how long to wait the next time.

        Raises:
            _CalledBack: if the partitions are called back meanwhile.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._held.called_back.wait()
        if self._held.called_back.is_set():
            raise _CalledBack
        return min(seconds * 2, LONGEST_WAIT_SECONDS)

    async def _bury(self, topic: str, item: Item, error: Exception, tried: int) -> None:
        key, value = item
        letter = DeadLetter.of(topic, key, self._name, value or b"", error, tried)
        reason = letter.message[:300]
        self._log.error("dead_letter", topic=topic, error=letter.error, reason=reason)
        metrics.DEAD_LETTERS.labels(self._name, topic).inc()
        wait = FIRST_WAIT_SECONDS
        while True:
            with contextlib.suppress(Unavailable):
                await self._bus.publish(dead(topic), key, letter.to_bytes())
                return
            wait = await self._pause(wait)


class _AssignedPartitions:
    """How far the partitions held now are handled, and whether they are wanted back."""

    def __init__(self) -> None:
        self.called_back = asyncio.Event()
        self.since = 0.0
        self.idle = asyncio.Event()
        self.idle.set()
        self._busy = 0
        #: What is read next of each partition of which something was handled.
        self.following: dict[Any, int] = {}
        self.saved: dict[Any, int] = {}

    def begin(self) -> None:
        """Partitions were shared out: what was done in others is of no account."""
        self.following.clear()
        self.saved.clear()
        self.called_back.clear()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """While a batch is being handled; several topics may be at once."""
        self._busy += 1
        self.idle.clear()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self.idle.set()

    def is_new(self, partition: Any, offset: int) -> bool:
        """Whether it is not handled yet: Faust goes back to what was saved last."""
        return offset >= self.following.get(partition, 0)

    def handled(self, partition: Any, offset: int) -> None:
        """The message there took effect, and with it all before it."""
        self.following[partition] = offset + 1

    def unsaved(self) -> dict[Any, int]:
        """What the group has not been told yet."""
        return {
            partition: following
            for partition, following in self.following.items()
            if self.saved.get(partition) != following
        }
