"""Hears everything that is said, beside the portal: what was told, and how often."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

import orjson

from shared.contracts.topics import ENTITY_CHANGED, TOPICS, dead
from shared.kit.events.bus import EventRecord, LiveReader

LOOK_SECONDS = 0.5


class Recorder:
    """Follows all topics from their beginning, in a thread with a loop of its own.

    `address` is asked again and again: the embedded log comes back somewhere else.
    """

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address
        self._ending = threading.Event()
        #: (entity ref, revision) -> the ids of the events that told it.
        self.event_ids: dict[tuple[str, int], set[str]] = defaultdict(set)
        #: Where each message of a change lies: the same one read twice counts once.
        self.places: dict[tuple[str, int], set[tuple[str, int, int]]] = defaultdict(set)
        self.dead: set[str] = set()
        self.deaths = 0
        self._thread = threading.Thread(target=self._run, name="recorder")
        self._thread.start()

    def close(self) -> None:
        """Stop hearing."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._follow())

    async def _follow(self) -> None:
        while not self._ending.is_set():
            at = self._address()
            topics = [*TOPICS, *(dead(topic) for topic in TOPICS)]

            async def hear(records: Sequence[EventRecord], at: str = at) -> None:
                for record in records:
                    self._hear(record, at)

            async with LiveReader(at, topics, hear, from_start=True):
                while not self._ending.is_set() and self._address() == at:
                    await asyncio.sleep(LOOK_SECONDS)
            self.deaths += not self._ending.is_set()

    def _hear(self, record: EventRecord, at: str) -> None:
        if record.topic.endswith(".dead"):
            self.dead.add(f"{record.topic} {record.value.decode('utf-8', 'replace')}")
            return
        if record.topic != ENTITY_CHANGED:
            return
        envelope = orjson.loads(record.value)
        key = (record.key, int(envelope["data"]["revision"]))
        self.event_ids[key].add(envelope["id"])
        self.places[key].add((at, record.partition, record.offset))
