"""One stay of a process in a consumer group: from joining to leaving.

aiokafka offers no cooperative protocol: a rebalance revokes all partitions, between two
batches (`assignment.py`).
"""

import asyncio
import contextlib
import time
from collections.abc import Collection

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.errors import Unavailable
from shared.kit.events import metrics
from shared.kit.events.assignment import Assignment, Subscription
from shared.kit.observability import logs

#: The longest that a hand-over waits for a handler; the group waits longer than this.
FINISH_SECONDS = 20.0
#: The same when this process is told to stop, which should not take long.
LEAVE_SECONDS = 2.0
#: Longer than a group waits for its slowest consumer.
JOIN_SECONDS = 40.0
SAVE_EVERY_SECONDS = 1.0
LAG_EVERY_SECONDS = 5.0


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """One stay in the group: from joining to leaving, with its assignments."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        subscription: Subscription,
        joined: asyncio.Event,
    ) -> None:
        self._consumer = consumer
        self._subscription = subscription
        self._joined = joined
        self._assignment: Assignment | None = None
        self._has_ended = False
        self._revoked_at: float | None = None
        self._log = logs.get_logger(subscription.group)

    async def keep(self) -> None:
        """Join, then commit offsets, and raise the errors of the group.

        Raises:
            KafkaError: if the group does not work any more.
            Unavailable: if it is not joined in time.
        """
        await self._consumer.start()
        self._consumer.subscribe(list(self._subscription.handlers), listener=self)
        measured, start = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(SAVE_EVERY_SECONDS)
            # aiokafka tells its errors to whoever reads, and a handler may be busy.
            self._consumer._coordinator.check_errors()  # noqa: SLF001
            await self._request_missing_topics()
            assignment = self._assignment
            late = time.monotonic() - start > JOIN_SECONDS
            if late and not self._joined.is_set():
                raise Unavailable(f"not joined within {JOIN_SECONDS:.0f} s")
            if assignment is None:
                continue
            assignment.raise_failure()
            await assignment.commit()
            if time.monotonic() - measured > LAG_EVERY_SECONDS:
                measured = time.monotonic()
                with contextlib.suppress(KafkaError, TimeoutError):
                    await assignment.measure_lag()

    async def end(self) -> None:
        """Hand the partitions over: this process leaves the group."""
        self._has_ended = True
        await self._end_assignment(LEAVE_SECONDS)

    async def on_partitions_revoked(self, _revoked: object) -> None:
        """Finish and commit: the group assigns its partitions anew."""
        self._revoked_at = time.monotonic()
        await self._end_assignment(FINISH_SECONDS)

    async def on_partitions_assigned(
        self, assigned: Collection[TopicPartition]
    ) -> None:
        """Begin to handle the partitions."""
        if self._has_ended:
            return
        if self._revoked_at is not None and self._joined.is_set():
            took = time.monotonic() - self._revoked_at
            metrics.HAND_OVER_SECONDS.labels(self._subscription.group).observe(took)
        self._assignment = Assignment(self._consumer, assigned, self._subscription)
        self._joined.set()
        group = self._subscription.group
        self._log.info("partitions_assigned", group=group, count=len(assigned))

    async def _end_assignment(self, seconds: float) -> None:
        assignment = self._assignment
        if assignment is None:
            return
        if not await assignment.end(seconds):
            group = self._subscription.group
            self._log.warning("handed_over_unfinished", group=group)
        self._assignment = None

    async def _request_missing_topics(self) -> None:
        """Ask for topics that the broker does not show yet.

        A consumer would learn of them when its metadata is refreshed
        (`metadata_max_age_ms`), and read nothing until then.
        """
        client = self._consumer._client  # noqa: SLF001
        topics = self._subscription.handlers
        if any(not client.cluster.partitions_for_topic(topic) for topic in topics):
            await client.force_metadata_update()
