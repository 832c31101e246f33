"""The Faust app: an agent for each topic counts what its events stand for.

A message that is no event goes to the dead letters of its topic, and the others are
counted. Messages are acknowledged when the tables have them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, cast

import faust
from faust.contrib.asgi import faust_app_running
from faust.types import TP

from services.analytics.counting import occurrence_on
from services.analytics.model import (
    FIGURE_OF,
    RESOLUTIONS,
    Occurrence,
    Resolution,
)
from services.analytics.tables import WindowedCounts
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.topics import dead
from shared.guards.turns import in_turns
from shared.kit.config.servers import Server
from shared.kit.events import broker
from shared.kit.events.dead_letters import DeadLetter
from shared.kit.events.metrics import DEAD_LETTERS
from shared.kit.observability import logs
from shared.kit.resilience.retries import Backoff, retry

GROUP = "analytics"
#: A batch is counted at once: one row of a table is written once for all of it.
BATCH, BATCH_SECONDS = 1000, 1.0
EXPIRE_SECONDS = 600.0
#: How long the group waits for a process that was killed; Faust's own is a minute.
SESSION_SECONDS, HEARTBEAT_SECONDS, REBALANCE_SECONDS = 6.0, 1.5, 30.0
TOPICS_BACKOFF = Backoff(0.1, 2.0, attempts=5)
STOP_SECONDS = 10.0
#: How long an end waits for rows that are not sent yet; its parts stop after that.
FLUSH_SECONDS = 5.0
#: Ids of events that were counted last: an outbox may publish an event twice.
REMEMBERED_IDS = 5_000


class ActivityStream:
    """Counts events in windowed tables, as long as it runs."""

    def __init__(self, server: Server, *, group: str = GROUP) -> None:
        self._server = server
        self.app = make_app(server, group)
        self.tables: dict[Resolution, WindowedCounts] = {
            resolution: WindowedCounts(self.app, resolution)
            for resolution in RESOLUTIONS
        }
        self._dead = {topic: self._topic(dead(topic)) for topic in FIGURE_OF}
        self._ids: dict[str, None] = {}
        #: What an agent could not count ends the stream.
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        #: What this process must be assigned, so that no count is missing.
        self._partitions: set[TP] = set()
        self._log = logs.get_logger(GROUP)
        for topic in FIGURE_OF:
            self._add_agent(topic)
        self.app.timer(EXPIRE_SECONDS, name="expire")(self._expire)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the app on this event loop.

        Raises:
            Unavailable: if the log does not answer, or does not have the topics.
        """
        changelogs = [table.changelog for table in self.tables.values()]
        async with broker.connect(self._server) as client:
            # The embedded log creates a topic when a client requests it.
            for topic in (*changelogs, *FIGURE_OF):
                await retry(partial(client.partitions, [topic]), TOPICS_BACKOFF)
            partitions = await client.partitions(FIGURE_OF)
        self._partitions = {
            TP(name, n) for name, ids in partitions.items() for n in ids
        }
        try:
            async with faust_app_running(
                self.app, discover=False, stop_timeout=STOP_SECONDS
            ):
                yield
        finally:
            await self._end()

    async def _end(self) -> None:
        """Stop what a start that was cancelled, or a stop that took too long, leaves.

        The supervisor of an agent survives the cancellation of all tasks, as its agent
        wakes it up by that: the process would never end.
        """
        supervisors = [
            agent.supervisor for agent in self.app.agents.values() if agent.supervisor
        ]
        for service in (self.app, *supervisors):
            with contextlib.suppress(Exception):
                async with asyncio.timeout(STOP_SECONDS):
                    await service.stop()

    async def until_ended(self) -> NoReturn:
        """Wait for the end of the app, or of an agent; raises what ended it."""
        await self.app.wait(self._failed)
        raise self.app.crash_reason or Unavailable("The stream of events has ended")

    async def check(self) -> None:
        """Raise Unavailable unless the tables are complete and follow the log."""
        is_running = self.app.started and not self.app.should_stop
        is_running = is_running and not self._failed.done()
        if not is_running or self.app.rebalancing or self.app.in_recovery:
            raise Unavailable("The tables of analytics are being rebuilt")
        if not self._partitions <= set(self.app.consumer.assignment()):
            raise Unavailable(
                "Another process of analytics has a part of the tables: run one alone"
            )

    def _topic(self, name: str) -> Any:
        return self.app.topic(name, key_serializer="raw", value_serializer="raw")

    def _add_agent(self, topic: str) -> None:
        async def count(stream: Any) -> None:
            async for events in stream.noack_take(BATCH, within=BATCH_SECONDS):
                with self._ending():
                    await self._count(topic, events)
                    await self._send_rows()
                if self._failed.done():
                    # The rows must not pass the offsets of what was not counted.
                    await asyncio.Event().wait()
                for event in events:
                    event.ack()

        self.app.agent(self._topic(topic), name=f"count-{topic}")(count)

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        """End the stream by an error inside, whatever it is.

        Faust would start the agent again behind the events that it had. Whoever runs
        the stream begins anew, with the tables and offsets that the log has.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001 - Faust and its client fail in many ways
            if not self._failed.done():
                self._failed.set_exception(error)

    async def _count(self, topic: str, events: Sequence[Any]) -> None:
        partitions: dict[int, dict[int, Occurrence]] = {}
        ids: dict[str, None] = {}
        async for event in in_turns(events):
            try:
                envelope = Envelope.parse(event.value or b"")
                occurrence = occurrence_on(topic, envelope)
            except Invalid as error:
                await self._bury(topic, event, error)
                continue
            if occurrence is None or envelope.id in ids or envelope.id in self._ids:
                continue
            ids[envelope.id] = None
            own = partitions.setdefault(event.message.partition, {})
            own[event.message.offset] = occurrence
        await self._know_partitions()
        for partition, occurrences in partitions.items():
            for table in self.tables.values():
                table.count(topic, partition, occurrences)
        self._remember(ids)

    async def _know_partitions(self) -> None:
        """Wait until the producer knows the changelogs' partitions, to choose rows'.

        It forgets a topic while the broker knows no leader of it, and asks then.
        """
        producer = cast("Any", self.app.producer)._ensure_producer()  # noqa: SLF001
        for table in self.tables.values():
            await producer.partitions_for(table.changelog)

    async def _send_rows(self) -> None:
        """Wait until the changelogs have the rows.

        Raises:
            RuntimeError: if the app ends before.
        """
        producer = cast("Any", self.app.producer)
        while producer.buffer.size:
            await producer.buffer.flush()
        await producer.flush()

    def _remember(self, ids: Mapping[str, None]) -> None:
        self._ids |= ids
        for old in list(self._ids)[: max(0, len(self._ids) - REMEMBERED_IDS)]:
            del self._ids[old]

    async def _bury(self, topic: str, event: Any, error: Invalid) -> None:
        key = (event.key or b"").decode("utf-8", "replace")
        letter = DeadLetter.of(topic, key, GROUP, event.value or b"", error, 1)
        self._log.error("dead_letter", topic=topic, reason=letter.message[:300])
        DEAD_LETTERS.labels(GROUP, topic).inc()
        await self._dead[topic].send(key=key.encode(), value=letter.to_bytes())

    async def _expire(self) -> None:
        await self._know_partitions()
        for table in self.tables.values():
            table.expire()


class AnalyticsApp(faust.App):
    """Faust without its folder: no table is kept in files."""

    def _create_directories(self) -> None:
        """Make nothing in the folder where the process happens to run."""

    async def on_stop(self) -> None:
        """Let nothing that fails here keep the parts of the app alive.

        Faust stops them after this. A consumer that is left would stay in the group and
        have partitions that the next stream never gets. Rows that are not sent here are
        of events that are not acknowledged: the next stream counts them.
        """
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await super().on_stop()
        except Exception as error:  # noqa: BLE001 - Faust and its client fail in many ways
            reason = str(error) or type(error).__name__
            logs.get_logger(GROUP).warning("rows_unsent", error=reason)
            unsent = cast("Any", self.producer).buffer.pending
            while not unsent.empty():
                unsent.get_nowait()


def make_app(server: Server, group: str) -> faust.App:
    """A Faust app whose topics and changelogs are declared elsewhere."""
    addresses = server.address.split(",")
    return AnalyticsApp(
        group,
        broker=[f"aiokafka://{address.strip()}" for address in addresses],
        broker_credentials=_credentials(server),
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        # `callboard topics` makes them; the embedded log at their first use.
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_rebalance_timeout=REBALANCE_SECONDS,
    )


def _credentials(server: Server) -> Any:
    context = server.context()
    if server.user is not None:
        return faust.SASLCredentials(
            username=server.user,
            password=server.password,
            ssl_context=context,
            mechanism=broker.MECHANISM,
        )
    return faust.SSLCredentials(context) if context is not None else None
