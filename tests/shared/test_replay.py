"""Dead letters: kept whole, shown, and put back once."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from typer.testing import CliRunner

from deploy.cli.commands import all_commands
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid
from shared.contracts.topics import GIT_PUSH, dead
from shared.kit.config.servers import Server
from shared.kit.events import replay
from shared.kit.events.bus import EventRecord, KafkaBus, LiveReader
from shared.kit.events.consumer_group import GroupConsumer
from shared.kit.events.dead_letters import STORED_BYTES, DeadLetter
from tests.shared.test_consumer_group import event
from tests.waiting import until


def test_a_dead_letter_keeps_its_message_unchanged() -> None:
    """It can be replayed as it was, also if it is no text."""
    letter = DeadLetter.of(
        "t", "k", "search", b"\xff\x00{", Invalid("kind: unknown"), 3
    )
    assert DeadLetter.parse(letter.to_bytes()) == letter
    assert json.loads(letter.to_bytes())["error"]["name"] == "InputError"


def test_a_dead_letter_without_its_message_says_so() -> None:
    """A message that is too large leaves its size, and is not replayed."""
    letter = DeadLetter.of(
        "t", "k", "g", bytes(STORED_BYTES + 1), Invalid("too much"), 1
    )
    dead_letter = DeadLetter.parse(letter.to_bytes())
    assert dead_letter.value is None
    assert dead_letter.size == STORED_BYTES + 1
    assert replay.select([dead_letter], []) == []
    with pytest.raises(Invalid, match="too large to be kept"):
        replay.select([dead_letter], [dead_letter.id])


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"id": 1}', b"\xff"])
def test_a_malformed_dead_letter_is_refused(raw: bytes) -> None:
    """A topic may hold anything; only dead letters are read as such."""
    with pytest.raises(Invalid, match="no dead letter"):
        DeadLetter.parse(raw)


async def test_a_dead_letter_is_replayed_once(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed message takes effect after the fault is repaired."""
    monkeypatch.setenv("CALLBOARD_KAFKA", kafka)
    broken, subjects = [True], list[str]()
    records_read: list[EventRecord] = []

    async def handle(batch: Sequence[Envelope]) -> None:
        if broken and any("poison" in envelope.subject for envelope in batch):
            raise Invalid("this one is not understood")
        subjects.extend(envelope.subject for envelope in batch)

    async def read(records: Sequence[EventRecord]) -> None:
        records_read.extend(records)

    poison, good = event("poison"), event("good")
    topics = [GIT_PUSH, dead(GIT_PUSH)]
    async with KafkaBus(kafka) as bus, LiveReader(kafka, topics, read) as reader:
        await asyncio.wait_for(reader.reading.wait(), 20)
        async with GroupConsumer("replayed", kafka, {GIT_PUSH: handle}, bus):
            await bus.publish(GIT_PUSH, "the/key", poison.to_bytes())
            await bus.publish(GIT_PUSH, "the/key", good.to_bytes())
            await until(lambda: good.subject in subjects)
            await until(lambda: _letters(records_read, poison))
            letters = _letters(records_read, poison)
            assert [letter.key for letter in letters] == ["the/key"]

            report = await _command(GIT_PUSH, "--dry-run", "--json")
            assert report["putBack"] is False
            assert letters[0].id in [letter["id"] for letter in report["letters"]]
            assert poison.subject not in subjects

            broken.clear()
            done = await _command(GIT_PUSH, "--id", letters[0].id, "--json")
            assert [letter["id"] for letter in done["letters"]] == [letters[0].id]
            await until(lambda: poison.subject in subjects)
            await until(
                lambda: len(_keys(records_read)) >= 3, condition="the reader has it too"
            )
    assert _keys(records_read) == ["the/key"] * 3
    left = await replay.pending(Server(kafka), GIT_PUSH)
    assert letters[0].id not in [letter.id for letter in left]
    with pytest.raises(Invalid, match="no dead letter"):
        replay.select(left, [letters[0].id])


def _keys(records: Sequence[EventRecord]) -> list[str]:
    return [record.key for record in records if record.topic == GIT_PUSH]


def _letters(records: Sequence[EventRecord], about: Envelope) -> list[DeadLetter]:
    """The letters that hold this event: a new group finds older poison too."""
    letters = [DeadLetter.parse(r.value) for r in records if r.topic == dead(GIT_PUSH)]
    return [letter for letter in letters if letter.value == about.to_bytes()]


async def _command(*arguments: str) -> dict:
    def run() -> dict:
        done = CliRunner().invoke(all_commands(), ["replay", *arguments])
        assert done.exit_code == 0, done.output
        # Log lines of this process may be in the output too.
        lines = done.output.splitlines()
        report: dict = json.loads(next(line for line in lines if line[:1] == "{"))
        return report

    return await asyncio.to_thread(run)


def test_an_unknown_topic_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the argument and its possible values."""
    monkeypatch.setenv("CALLBOARD_KAFKA", "127.0.0.1:1")
    done = CliRunner().invoke(all_commands(), ["replay", "git-pull"])
    assert done.exit_code == 2
    assert "TOPIC" in done.output
    assert "git-push" in done.output
