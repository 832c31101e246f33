"""Puts dead letters back into their topic, each of them once.

A mark in the dead letters' own topic records that one was put back; a crash between
both writes puts it back twice, and consumers are idempotent.
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


async def pending(server: Server, topic: str) -> list[DeadLetter]:
    """The dead letters of a topic that were not put back, oldest first.

    Raises:
        Unavailable: if the event log does not answer.
    """
    letters: dict[str, DeadLetter] = {}
    put_back_ids: set[str] = set()
    try:
        async for raw in _messages(server, dead(topic)):
            mark_id = put_back_id(raw)
            if mark_id is not None:
                put_back_ids.add(mark_id)
                continue
            try:
                letter = DeadLetter.parse(raw)
            except Invalid:
                # A message of another program, which cannot be put back.
                continue
            letters[letter.id] = letter
    except (KafkaError, OSError) as error:
        raise Unavailable(f"The event log does not answer: {error}") from error
    return [letter for letter in letters.values() if letter.id not in put_back_ids]


def select(letters: Iterable[DeadLetter], ids: Sequence[str]) -> list[DeadLetter]:
    """The dead letters with these ids; without ids all of them.

    Raises:
        Invalid: if an id is not among them, or its message was too large to be stored.
    """
    letters_by_id = {letter.id: letter for letter in letters}
    missing = [letter_id for letter_id in ids if letter_id not in letters_by_id]
    if missing:
        raise Invalid(f"id: no dead letter {missing[0]!r} waits to be put back")
    selected = [letters_by_id[letter_id] for letter_id in ids or letters_by_id]
    too_large = [letter for letter in selected if letter.value is None]
    if ids and too_large:
        raise Invalid(
            f"id: {too_large[0].id!r} was too large to be kept ({too_large[0].size} B)"
        )
    return [letter for letter in selected if letter.value is not None]


async def replay(bus: Bus, letters: Sequence[DeadLetter]) -> None:
    """Put letters back, then mark them."""
    for letter in letters:
        await bus.publish(letter.topic, letter.key, letter.value or b"")
        await bus.publish(dead(letter.topic), letter.key, put_back(letter.id))


async def _messages(server: Server, topic: str) -> AsyncIterator[bytes]:
    """Every message of a topic up to its current end."""
    async with broker.connect(server) as client:
        abilities = await client.abilities()
        ids = (await client.partitions([topic]))[topic]
    partitions = [TopicPartition(topic, number) for number in ids]
    consumer: Any = AIOKafkaConsumer(
        **broker.client_options(server),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=abilities.fetch_wait_ms,
    )
    try:
        await consumer.start()
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        unread = {
            partition
            for partition in partitions
            if await consumer.position(partition) < ends[partition]
        }
        while unread:
            batch = await consumer.getmany(*unread, timeout_ms=500)
            for partition, items in batch.items():
                for item in items:
                    yield item.value or b""
                if await consumer.position(partition) >= ends[partition]:
                    unread.discard(partition)
    finally:
        await broker.end(consumer.stop())
