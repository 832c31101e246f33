"""Faust fitted to the house: one consumer group, exact offsets, a prompt hand-over.

Faust brings the agents, the streams and the batches. Three things are done here:

* The consumer is made with the house's own options: TLS and user, a fetch wait that
  suits the broker, a sticky assignor. Neither Faust nor aiokafka offers the cooperative
  protocol: a rebalance calls all partitions back.
* Whoever handles the messages keeps the offsets (`GroupMember`). Faust marks a batch
  as done also when its handler was cancelled, and forgets what was done when
  partitions are called back.
* Before partitions are given back, what is under way is finished and saved, so that
  the next member begins where this one ended.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Protocol

import faust
import yarl
from aiokafka.coordinator.assignors.sticky.sticky_assignor import (
    StickyPartitionAssignor,
)
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.contrib.asgi import bind_to_running_loop
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver

from shared.kit.config.servers import Server
from shared.kit.events import broker
from shared.kit.events.embedded_log import EmbeddedLogConsumer

#: How long a group waits for a member that was killed: Kafka's own least. Faust's 60 s
#: would be what every restarted process waits for its work.
SESSION_SECONDS = 6.0
#: Also how long it takes a member to hear that the partitions are shared out anew.
HEARTBEAT_SECONDS = 0.5
#: How long the others wait for a member that is finishing what it has begun.
REBALANCE_SECONDS = 30.0
SAVE_SECONDS = 5.0
METADATA_MS = 30_000
#: Faust never has anything to commit here.
FAUST_COMMIT_SECONDS = 30.0

Offsets = Mapping[Any, int]


class GroupMember(Protocol):
    """Who handles the messages, told of what the group does with its partitions."""

    async def called_back(self, consumer: "Consumer") -> None:
        """Finish and save what is under way: the partitions go to somebody else."""

    def shared_out(self, partitions: Iterable[Any]) -> None:
        """These partitions are held from now on."""


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ARG002
        # The assignor keeps what it knows on its class; each group has one of its own.
        sticky = type("Sticky", (StickyPartitionAssignor,), {})
        app: Any = self.app
        return broker.make_consumer(
            app.server,
            app.able,
            group_id=app.conf.id,
            client_id=app.conf.id,
            partition_assignment_strategy=[sticky],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_interval_ms=int(app.conf.broker_max_poll_interval * 1000),
            session_timeout_ms=int(SESSION_SECONDS * 1000),
            heartbeat_interval_ms=int(HEARTBEAT_SECONDS * 1000),
            rebalance_timeout_ms=int(REBALANCE_SECONDS * 1000),
            metadata_max_age_ms=METADATA_MS,
        )

    async def _keepalive2(self) -> None:
        """Nothing: Faust wakes the loops here in case a call between them got lost.

        None does, since calls wake the loop that they are for (`call_soon_threadsafe`).
        """

    def set_shutdown(self) -> None:
        """Say that the thread has ended, if anybody is there to hear it.

        A stop waits for a while only (`broker.end`): a broker that is away may keep
        this thread longer than the loop that started it.
        """
        with contextlib.suppress(RuntimeError):
            super().set_shutdown()

    async def on_thread_stop(self) -> None:
        """Leave the group and close the connections.

        aiokafka waits for its own tasks then. One that was cancelled, or whose
        connection is closed in that moment, ends the closing early: it would end this
        thread as if it were a fault, and leave connections open.
        """
        closing = asyncio.ensure_future(super().on_thread_stop())
        await asyncio.wait({closing})
        if closing.cancelled() or isinstance(closing.exception(), KafkaError):
            await broker.close_rest(self._consumer)
        else:
            closing.result()

    async def _commit(self, offsets: Offsets) -> bool:
        """Save offsets; False, and no crash, if the group does not take them."""
        consumer = self._ensure_consumer()
        held = consumer.assignment()
        kept = {tp: OffsetAndMetadata(n, "") for tp, n in offsets.items() if tp in held}
        try:
            async with asyncio.timeout(SAVE_SECONDS):
                await consumer.commit(kept)
        except (KafkaError, TimeoutError):
            return False
        return True

    async def seek_to_committed(self) -> dict[Any, int]:
        """Go to what is to be read next of every partition that is held.

        aiokafka's own leaves a partition of which nothing was saved where it is. Faust
        throws away what arrives while it stands still and seeks after that: the first
        messages of such a partition would be lost.
        """
        found: dict[Any, int] = await self.call_thread(self._seek_to_committed)
        return found

    async def _seek_to_committed(self) -> dict[Any, int]:
        consumer = self._ensure_consumer()
        found: dict[Any, int] = {}
        for partition in consumer.assignment():
            saved = await consumer.committed(partition)
            if saved is None:
                saved = (await consumer.beginning_offsets([partition]))[partition]
            consumer.seek(partition, saved)
            found[partition] = saved
        if isinstance(consumer, EmbeddedLogConsumer):
            consumer.fetch_soon()
        return found

    def problem(self) -> Exception | None:
        """What befell the group.

        aiokafka tells that to whoever reads, and stands still until it is heard. Faust
        reads past it, so its members would stand still for good.
        """
        coordinator = getattr(self._consumer, "_coordinator", None)
        if coordinator is None:
            return None
        task = coordinator._coordination_task  # noqa: SLF001
        if task.done():
            # What it called in this process may have been cancelled, and it with that.
            why = "cancelled" if task.cancelled() else task.exception()
            ended: Exception = KafkaError(f"the group's membership ended: {why!r}")
            return ended
        pending: Exception | None = coordinator._pending_exception  # noqa: SLF001
        return pending

    async def learn_topics(self, topics: Iterable[str]) -> None:
        """Ask for the topics that the broker has not shown yet."""
        # Looked at from here, as nearly always none is missing: a call into the thread
        # every second would be felt at rest.
        client = self._ensure_consumer()._client  # noqa: SLF001
        if any(not client.cluster.partitions_for_topic(topic) for topic in topics):
            await self.call_thread(client.force_metadata_update)

    async def committed(self, partitions: Iterable[Any]) -> dict[Any, int | None]:
        found: dict[Any, int | None] = await self.call_thread(
            self._committed, list(partitions)
        )
        return found

    async def _committed(self, partitions: list[Any]) -> dict[Any, int | None]:
        consumer = self._ensure_consumer()
        return {tp: await consumer.committed(tp) for tp in partitions}


class Consumer(driver.Consumer):
    """Faust's consumer, telling the member what happens to its partitions."""

    _thread: Any
    app: Any

    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Faust forgets all offsets here: the member is asked first."""
        await self.app.member.called_back(self)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(
        self, assigned: Any, generation_id: int = 0
    ) -> None:
        """Nothing of the new partitions has been handed to anybody yet."""
        self.app.member.shared_out(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    def check(self) -> None:
        """Whether the group still works.

        Raises:
            KafkaError: if something befell it; a member must begin anew then.
        """
        problem = self._thread.problem()
        if problem is not None:
            raise problem

    async def learn_topics(self, topics: Iterable[str]) -> None:
        """Look again for topics that were missing when the group was joined.

        A member of the group would learn of them when its metadata is refreshed, up to
        `METADATA_MS` later, and read nothing until then.
        """
        await self._thread.learn_topics(topics)

    async def save(self, offsets: Offsets) -> bool:
        """Save what is to be read next; False if the group did not take it."""
        return bool(await self._commit(offsets))

    async def behind(self, handled: Offsets) -> dict[str, int]:
        """How many messages of the held partitions are not handled yet, by topic.

        Raises:
            KafkaError: if the log does not answer.
        """
        partitions = list(self.assignment())
        if not partitions:
            return {}
        ends = await self.highwaters(*partitions)
        fresh = [tp for tp in partitions if tp not in handled]
        saved = await self._thread.committed(fresh)
        begins = await self.earliest_offsets(*(tp for tp in fresh if saved[tp] is None))
        found: dict[str, int] = {}
        for tp in partitions:
            begun = handled.get(tp) if tp in handled else saved[tp]
            behind = max(0, ends[tp] - (begins[tp] if begun is None else begun))
            found[tp.topic] = found.get(tp.topic, 0) + behind
        return found


class _Transport(driver.Transport):
    Consumer = Consumer


class _NoTables(TableManager):
    """Faust's tables, of which none is kept here.

    Faust waits a second for tables to be declared, and so would every start.
    """

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class ConsumerApp(faust.App):
    """Faust without its folder: no table is kept, and state lies elsewhere."""

    server: Server
    able: broker.Abilities
    member: GroupMember

    def _create_directories(self) -> None:
        """Make nothing in the folder where the process happens to run."""


def make_app(
    name: str, server: Server, able: broker.Abilities, member: GroupMember
) -> Any:
    """An app whose group is `name`; agents are added by the caller."""
    loop = asyncio.get_running_loop()
    urls = [
        yarl.URL(f"aiokafka://{address.strip()}")
        for address in server.address.split(",")
    ]
    app = ConsumerApp(
        name,
        broker=[str(url) for url in urls],
        broker_credentials=_credentials(server),
        loop=loop,
        store="memory://",
        TableManager=_NoTables,
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        broker_session_timeout=SESSION_SECONDS,
        broker_rebalance_timeout=REBALANCE_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=FAUST_COMMIT_SECONDS,
    )
    app.server, app.able, app.member = server, able, member
    app.transport = _Transport(urls, app, loop=loop)
    return app


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


async def unacknowledged(stream: Any) -> AsyncIterator[Any]:
    """The events of a stream, none of which Faust counts as done.

    It would do so whatever became of an event.
    """
    async for event in stream.events():
        event.message.incref()
        yield event


@contextlib.asynccontextmanager
async def stopped(app: Any) -> AsyncIterator[None]:
    """A Faust app that is stopped at the end, also when its start did not end.

    Faust's own helper does not stop such an app, and its consumer's thread then keeps
    the process alive.
    """
    bind_to_running_loop(app)
    app.finalize()
    try:
        yield
    finally:
        await broker.end(app.stop())
