"""Workers that share a topic's work among processes (Faust, batches by `take`).

At least once: the effect first, then the offset. A message that cannot be handled goes
to `<topic>.dead` with the reason, and its partition goes on; while something needed is
away (Unavailable) the worker waits and tries again, for nothing is wrong with a message
then.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

import faust
import yarl
from faust.contrib.asgi import bind_to_running_loop
from faust.transport.drivers import aiokafka as driver

from shared.contracts.envelope import Envelope, to_bytes
from shared.contracts.errors import CallboardError, Invalid, Unavailable
from shared.contracts.topics import dead
from shared.kit import logs
from shared.kit.bus import FETCH_WAIT_MS, Bus

Handler = Callable[[Sequence[Envelope]], Awaitable[None]]
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0
KEPT_BYTES = 64 * 1024
#: How long a group waits for a member that was killed: Kafka's own least. Faust's 60 s
#: would be what every restarted process waits for its work.
SESSION_SECONDS = 6.0
HEARTBEAT_SECONDS = 1.0
LEAVE_SECONDS = 2.0


class _PromptThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer with a short fetch: its 1.5 s would be every event's delay."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust offers no setting; aiokafka reads this when the consumer starts.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001
        return consumer


class _PromptConsumer(driver.Consumer):
    def _new_consumer_thread(self) -> Any:
        return _PromptThread(self, loop=self.loop, beacon=self.beacon)


class _PromptTransport(driver.Transport):
    Consumer = _PromptConsumer


class _App(faust.App):
    """Faust without its folder: no table is kept, and state lies elsewhere."""

    def _create_directories(self) -> None:
        """Make nothing in the folder where the process happens to run."""


@contextlib.asynccontextmanager
async def _running(app: Any) -> AsyncIterator[None]:
    """A started Faust app, stopped in any case: also when starting was cancelled.

    Faust's own helper does not stop an app whose start did not end, and its consumer's
    thread then keeps the process alive.
    """
    bind_to_running_loop(app)
    app.finalize()
    try:
        await app.start()
        yield
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await app.stop()


class SharedWork:
    """One consumer group: each message is handled by one of its processes.

    `handlers` maps a topic to a coroutine function that takes a batch of events; it
    must be idempotent. Starts in the background: a broker that is away delays work,
    never the service.
    """

    def __init__(
        self,
        name: str,
        bootstrap: str,
        handlers: Mapping[str, Handler],
        bus: Bus,
        *,
        batch: int = 200,
        within: float = 0.02,
        tries: int = 5,
    ) -> None:
        self._name = name
        self._bootstrap = bootstrap
        self._handlers = dict(handlers)
        self._bus = bus
        self._batch = batch
        self._within = within
        self._tries = tries
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger(name)
        self._leaving = asyncio.Event()
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
            await asyncio.wait({self._task}, timeout=LEAVE_SECONDS)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def check(self) -> None:
        """Raise Unavailable unless the worker is in its group."""
        if not self.joined.is_set():
            raise Unavailable(f"The workers of {self._name} have not joined yet")

    async def _run(self) -> None:
        wait = FIRST_WAIT_SECONDS
        while not self._leaving.is_set():
            try:
                async with _running(self._app()):
                    self.joined.set()
                    await self._leaving.wait()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - Faust fails in many ways
                self._log.warning("workers_lost", group=self._name, error=str(error))
            self.joined.clear()
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def _app(self) -> Any:
        url = yarl.URL(f"aiokafka://{self._bootstrap}")
        app = _App(
            self._name,
            broker=str(url),
            loop=asyncio.get_running_loop(),
            store="memory://",
            key_serializer="raw",
            value_serializer="raw",
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_wait_empty=False,
            broker_commit_every=1000,
            broker_commit_interval=0.5,
            broker_session_timeout=SESSION_SECONDS,
            broker_rebalance_timeout=SESSION_SECONDS,
            broker_heartbeat_interval=HEARTBEAT_SECONDS,
            consumer_auto_offset_reset="earliest",
        )
        app.transport = _PromptTransport([url], app, loop=asyncio.get_running_loop())
        for topic, handler in self._handlers.items():
            self._agent(app, topic, handler)
        return app

    def _agent(self, app: Any, topic: str, handler: Handler) -> None:
        source = app.topic(topic, key_serializer="raw", value_serializer="raw")

        async def take(stream: Any) -> None:
            async for values in stream.take(self._batch, within=self._within):
                await self.handle(topic, handler, values)

        app.agent(source, name=f"{self._name}-{topic}")(take)

    async def handle(
        self, topic: str, handler: Handler, values: Sequence[bytes]
    ) -> None:
        """Handle raw messages: all at once, and one by one if that fails."""
        good: list[tuple[bytes, Envelope]] = []
        for value in values:
            try:
                good.append((value, Envelope.parse(value or b"")))
            except Invalid as error:
                await self._bury(topic, value or b"", error, 1)
        if not good:
            return
        try:
            await self._try(handler, [envelope for _, envelope in good])
        except Exception:  # noqa: BLE001 - the edge: one of them is poison, find it
            for value, envelope in good:
                await self._alone(topic, handler, value, envelope)

    async def _alone(
        self, topic: str, handler: Handler, value: bytes, envelope: Envelope
    ) -> None:
        wait = FIRST_WAIT_SECONDS
        for tried in range(1, self._tries + 1):
            try:
                await self._try(handler, [envelope])
            except Exception as error:  # noqa: BLE001 - the edge, see above
                # Input that breaks a rule will break it the next time too.
                if isinstance(error, Invalid) or tried == self._tries:
                    await self._bury(topic, value, error, tried)
                    return
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            else:
                return

    async def _try(self, handler: Handler, batch: Sequence[Envelope]) -> None:
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                with logs.traced(batch[0].traceparent):
                    await handler(batch)
            except Unavailable as error:
                self._log.warning("work_waits", group=self._name, error=str(error))
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            else:
                return

    async def _bury(
        self, topic: str, value: bytes, error: Exception, tried: int
    ) -> None:
        name = error.name if isinstance(error, CallboardError) else type(error).__name__
        letter = {
            "topic": topic,
            "consumer": self._name,
            "error": {"name": name, "message": str(error)[:1000]},
            "tried": tried,
            "size": len(value),
            "value": value[:KEPT_BYTES].decode("utf-8", "replace"),
        }
        self._log.error("dead_letter", topic=topic, error=name, reason=str(error)[:300])
        wait = FIRST_WAIT_SECONDS
        while True:
            with contextlib.suppress(Unavailable):
                await self._bus.publish(dead(topic), self._name, to_bytes(letter))
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)
