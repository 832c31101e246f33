"""A message that cannot be handled: it is put aside, and its partition goes on."""

import asyncio
import json
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.e2e.running import Portal, eventually, push
from tests.e2e.system import working_copy

PARTITIONS = range(4)
REF = "component:default/payments"


def on_a_thread(work: Any) -> Any:
    """The result of a coroutine, beside whatever loop this thread may have."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(asyncio.run(work)))
    thread.start()
    thread.join(60)
    assert results, "the log did not answer"
    return results[0]


async def produce(address: str, topic: str, value: bytes) -> int:
    """Put a message into every partition, so that no consumer misses it."""
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for partition in PARTITIONS:
            await producer.send_and_wait(topic, value, b"poison", partition)
    return len(PARTITIONS)


async def letters(address: str, topic: str, mark: str) -> list[dict[str, Any]]:
    """The dead letters of a topic that hold a mark."""
    async with AIOKafkaConsumer(bootstrap_servers=address) as consumer:
        parts = [TopicPartition(f"{topic}.dead", n) for n in PARTITIONS]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        await consumer.seek_to_beginning(*parts)
        values: list[bytes] = []
        for part in parts:
            while await consumer.position(part) < ends[part]:
                for records in (await consumer.getmany(part, timeout_ms=500)).values():
                    values += [record.value for record in records]
    return [json.loads(value) for value in values if mark.encode() in value]


def envelope(mark: str, type_: str, data: dict[str, Any]) -> bytes:
    """A CloudEvent of a known type."""
    event = {
        "specversion": "1.0",
        "id": mark,
        "source": "/tests",
        "type": type_,
        "subject": mark,
        "time": "2026-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "data": data,
    }
    return json.dumps(event).encode()


@pytest.fixture(scope="module", autouse=True)
def lively(system: Portal) -> Iterator[None]:
    """After all the poison, a push still walks the whole house."""
    yield
    copy = working_copy(system, "payments")
    word = f"zq{secrets.token_hex(4)}"
    text = f"{copy.read('docs/index.md')}\n\nStill alive: {word}.\n"
    push(copy, {"docs/index.md": text}, f"Say {word}")
    eventually(lambda: system.results(word), f"docs and search know {word}")


#: topic: (who puts its dead letters aside, a type that belongs on another topic)
CONSUMERS = {
    "entity-changed": ({"search", "techdocs"}, "callboard.repository.pushed.v1"),
    "docs-built": ({"search"}, "callboard.repository.pushed.v1"),
    "git-push": ({"catalog", "techdocs"}, "callboard.entity.updated.v1"),
    "template-run": ({"scaffolder"}, "callboard.entity.updated.v1"),
}


@pytest.mark.parametrize("topic", CONSUMERS)
@pytest.mark.parametrize("kind", ["garbage", "wrong data", "wrong type"])
def test_poison_messages_go_to_the_dead_letters(
    system: Portal, topic: str, kind: str
) -> None:
    """Each consumer writes the message and the reason to `<topic>.dead`."""
    consumers, foreign = CONSUMERS[topic]
    own = {
        "entity-changed": "callboard.entity.updated.v1",
        "docs-built": "callboard.site.built.v1",
        "git-push": "callboard.repository.pushed.v1",
        "template-run": "callboard.run.created.v1",
    }[topic]
    mark = f"poison-{secrets.token_hex(6)}"
    value = {
        "garbage": f"\x00{mark} is no event".encode(),
        "wrong data": envelope(mark, own, {"nothing": "known"}),
        "wrong type": envelope(mark, foreign, {"nothing": "known"}),
    }[kind]
    address = system.run["addresses"]["broker"]
    sent = on_a_thread(produce(address, topic, value))

    def put_aside() -> list[dict[str, Any]]:
        dead_letters: list[dict[str, Any]] = on_a_thread(letters(address, topic, mark))
        # One consumer may say the same twice before another has said it once.
        counts = Counter(letter["consumer"] for letter in dead_letters)
        return dead_letters if all(counts[name] >= sent for name in consumers) else []

    dead_letters = eventually(put_aside, f"dead letters of {topic}")
    # Analytics reads all topics, and puts aside what it would count.
    assert {letter["consumer"] for letter in dead_letters} - {"analytics"} == consumers
    for letter in dead_letters:
        assert letter["topic"] == topic
        assert letter["error"]["name"]
        assert letter["error"]["message"]
        assert letter["tried"] >= 1


def test_topics_are_consumed_after_a_poison_message(system: Portal) -> None:
    """Catalog and search handle a later push."""
    copy = working_copy(system, "payments")
    word = f"zq{secrets.token_hex(4)}"
    before = str((system.known(REF) or {})["metadata"]["description"])
    text = copy.read("catalog-info.yaml").replace(before, f"Takes payments ({word})")
    push(copy, {"catalog-info.yaml": text}, f"Say {word}")
    eventually(lambda: word in str(system.known(REF)), f"the catalog knows {word}")
    eventually(lambda: system.results(word), f"search knows {word}")
