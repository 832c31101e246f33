"""The Faust app on the real event log: what is counted, and that it is counted once."""

import time
from collections.abc import Iterable
from typing import Any, cast

import pytest
from faust.types import TP

from services.analytics.model import DAYS, HOURS, TOPIC_OF, Figure, Resolution
from services.analytics.stream import ActivityStream
from services.analytics.tables import REST
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Unavailable
from shared.contracts.topics import GIT_PUSH, dead
from shared.kit.config.servers import Server
from shared.kit.events.bus import EventRecord, KafkaBus, LiveReader
from tests.analytics.events import build, change, push, run
from tests.waiting import until

Numbers = list[int]


def numbers(
    stream: ActivityStream, figure: Figure, key: str, resolution: Resolution = HOURS
) -> Numbers | None:
    """The counts of a key in the last two windows; None if it has none."""
    last = resolution.start(time.time())
    windows = stream.tables[resolution].read(figure, [last - resolution.seconds, last])
    rows = [c.by_key[key] for c in windows.values() if key in c.by_key]
    return [sum(column) for column in zip(*rows, strict=True)] if rows else None


async def publish(bus: KafkaBus, figure: Figure, events: Iterable[Envelope]) -> None:
    topic = TOPIC_OF[figure]
    await bus.publish_many(
        [(topic, event.subject, event.to_bytes()) for event in events]
    )


async def test_events_of_all_topics_are_counted(kafka: str) -> None:
    """Each figure counts the outcomes of its topic, in hours and in days."""
    async with KafkaBus(kafka) as bus:
        changes = [
            change(how, f"all-{n}", owner="group:default/all")
            for n, how in enumerate(("updated", "updated", "created", "deleted"))
        ]
        await publish(bus, "changes", changes)
        runs = [run("template:default/all"), run("template:default/all", fails=True)]
        await publish(bus, "runs", runs)
        await publish(bus, "docs-builds", [build("component:default/all")])
        stream = ActivityStream(Server.of(kafka), group="all")
        async with stream.running():
            await publish(bus, "pushes", [push("all/web"), push("all/web")])
            for resolution in (HOURS, DAYS):

                def has_all(at: Resolution = resolution) -> bool:
                    return (
                        numbers(stream, "changes", "|group:default/all", at)
                        == [2, 1, 1, 0]
                        and numbers(stream, "runs", "template:default/all", at)
                        == [1, 1, 0]
                        and numbers(stream, "docs-builds", "component:default/all", at)
                        == [1, 0]
                        and numbers(stream, "pushes", "git.example.com/all/web", at)
                        == [2]
                    )

                await until(has_all, f"all figures by {resolution.name}")
            await until(lambda: is_ready(stream))


async def test_tables_are_rebuilt_without_double_counting(kafka: str) -> None:
    """A second process has the first one's counts, and continues at its offsets."""
    key = "git.example.com/again/web"
    async with KafkaBus(kafka) as bus:
        await publish(bus, "pushes", [push("again/web") for _ in range(50)])
        first = ActivityStream(Server.of(kafka), group="again")
        async with first.running():
            await until(lambda: numbers(first, "pushes", key) == [50])
        await publish(bus, "pushes", [push("again/web")])
        second = ActivityStream(Server.of(kafka), group="again")
        async with second.running():
            await until(lambda: numbers(second, "pushes", key) == [51])
            await publish(bus, "pushes", [push("again/web")])
            await until(lambda: numbers(second, "pushes", key) == [52])


async def test_an_event_that_is_published_twice_counts_once(kafka: str) -> None:
    """A restarted outbox may publish an event again, with the same id."""
    event = push("twice/web")
    async with KafkaBus(kafka) as bus:
        stream = ActivityStream(Server.of(kafka), group="twice")
        async with stream.running():
            await publish(bus, "pushes", [event, event])
            await publish(bus, "pushes", [event, push("twice/web")])
            key = "git.example.com/twice/web"
            await until(lambda: numbers(stream, "pushes", key) == [2])


async def test_a_malformed_event_does_not_stop_the_stream(kafka: str) -> None:
    """It becomes a dead letter, and the next event counts."""
    letters: list[EventRecord] = []

    async def keep(records: Iterable[EventRecord]) -> None:
        letters.extend(records)

    async with (
        KafkaBus(kafka) as bus,
        LiveReader(kafka, [dead(GIT_PUSH)], keep, from_start=True),
    ):
        stream = ActivityStream(Server.of(kafka), group="poison")
        async with stream.running():
            subject = push("poison/web").subject
            await bus.publish(GIT_PUSH, subject, b"{no event")
            await bus.publish(GIT_PUSH, subject, change("deleted").to_bytes())
            await publish(bus, "pushes", [push("poison/web")])
            key = "git.example.com/poison/web"
            await until(lambda: numbers(stream, "pushes", key) == [1])
            await until(lambda: any(b"{no event" in r.value for r in letters))


async def test_a_producer_may_forget_the_partitions_of_a_table(kafka: str) -> None:
    """It knows none at first, and while the broker has no leader for them."""
    async with KafkaBus(kafka) as bus:
        stream = ActivityStream(Server.of(kafka), group="forgetful")
        async with stream.running():
            await until(lambda: is_ready(stream))
            producer = cast("Any", stream.app.producer)._ensure_producer()
            for table in stream.tables.values():
                producer._metadata._partitions.pop(table.changelog, None)
            await publish(bus, "pushes", [push("forgetful/web") for _ in range(3)])
            key = "git.example.com/forgetful/web"
            await until(lambda: numbers(stream, "pushes", key) == [3])


async def test_names_of_any_length_are_counted(kafka: str) -> None:
    """Long names together would exceed the size of a message."""
    async with KafkaBus(kafka) as bus:
        stream = ActivityStream(Server.of(kafka), group="long")
        async with stream.running():
            before = numbers(stream, "changes", REST) or [0]
            # Forty of them differ, each 50 kB; the last is short until it is written.
            texts = [f"{n}" + "v" * 50_000 for n in range(40)] + ["\U0001f600" * 90]
            long = [change("updated", visibility=text) for text in texts]
            short = change("updated", "short", owner="group:default/short")
            await publish(bus, "changes", [*long, short])
            key = "|group:default/short"
            await until(lambda: numbers(stream, "changes", key) == [1, 0, 0, 0])

            def together() -> int:
                return (numbers(stream, "changes", REST) or [0])[0]

            await until(lambda: together() >= before[0] + 41)
            assert together() == before[0] + 41


async def test_an_incomplete_table_is_not_answered_from(kafka: str) -> None:
    """A process that shares the partitions with another answers 503."""
    stream = ActivityStream(Server.of(kafka), group="part")
    async with stream.running():
        await until(lambda: is_ready(stream))
        stream._partitions |= {TP(GIT_PUSH, 99)}
        with pytest.raises(Unavailable, match="run one alone"):
            await stream.check()


async def is_ready(stream: ActivityStream) -> bool:
    try:
        await stream.check()
    except Unavailable:
        return False
    return True
