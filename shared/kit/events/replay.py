"""Dead letters put back where they came from, each of them once.

A mark in the dead letters' own topic says which were put back; a crash between the two
puts one back twice, which its consumers must bear anyway.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.topics import dead
from shared.kit.config.servers import Server
from shared.kit.events import broker
from shared.kit.events.bus import Bus
from shared.kit.events.dead_letters import DeadLetter, put_back, put_back_id


async def waiting(server: Server, topic: str) -> list[DeadLetter]:
    """The dead letters of a topic that were not put back, oldest first.

    Raises:
        Unavailable: if the event log does not answer.
    """
    letters: dict[str, DeadLetter] = {}
    done: set[str] = set()
    try:
        async for raw in _whole(server, dead(topic)):
            marked = put_back_id(raw)
            if marked is not None:
                done.add(marked)
                continue
            try:
                letter = DeadLetter.parse(raw)
            except Invalid:
                # Not one of ours, or of a form that nobody can put back.
                continue
            letters[letter.id] = letter
    except (KafkaError, OSError) as error:
        raise Unavailable(f"The event log does not answer: {error}") from error
    return [letter for letter in letters.values() if letter.id not in done]


def chosen(letters: Iterable[DeadLetter], ids: Sequence[str]) -> list[DeadLetter]:
    """Those with the given ids, or all.

    Raises:
        Invalid: if an id is not among them, or one was too large to be kept.
    """
    found = {letter.id: letter for letter in letters}
    unknown = [id for id in ids if id not in found]  # noqa: A001
    if unknown:
        raise Invalid(f"id: no dead letter {unknown[0]!r} waits to be put back")
    asked = [found[id] for id in ids] if ids else list(found.values())  # noqa: A001
    lost = [letter for letter in asked if letter.value is None]
    if ids and lost:
        raise Invalid(f"id: {lost[0].id!r} was too large to be kept ({lost[0].size} B)")
    return [letter for letter in asked if letter.value is not None]


async def replay(bus: Bus, letters: Sequence[DeadLetter]) -> None:
    """Put letters back, then mark them."""
    for letter in letters:
        await bus.publish(letter.topic, letter.key, letter.value or b"")
        await bus.publish(dead(letter.topic), letter.key, put_back(letter.id))


async def _whole(server: Server, topic: str) -> AsyncIterator[bytes]:
    """Every message of a topic as it is now."""
    async with broker.asking(server) as asked:
        able = await asked.abilities()
        ids = (await asked.partitions([topic]))[topic]
    partitions = [TopicPartition(topic, number) for number in ids]
    consumer: Any = AIOKafkaConsumer(
        **broker.client_options(server),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=able.fetch_wait_ms,
    )
    try:
        await consumer.start()
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        left = {tp for tp in partitions if await consumer.position(tp) < ends[tp]}
        while left:
            batch = await consumer.getmany(*left, timeout_ms=500)
            for tp, items in batch.items():
                for item in items:
                    yield item.value or b""
                if await consumer.position(tp) >= ends[tp]:
                    left.discard(tp)
    finally:
        await broker.end(consumer.stop())
