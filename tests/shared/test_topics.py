"""Topics as code: made where missing, refused where they contradict."""

import json
import time

import pytest
from typer.testing import CliRunner

from deploy.cli.commands import all_commands
from shared.contracts.topics import CHANGELOGS, ENTITY_CHANGED, GIT_PUSH, TOPICS, dead
from shared.kit.config.servers import Server
from shared.kit.events import broker, topics
from shared.kit.events.bus import KafkaBus
from shared.kit.events.topics import Topic, WrongTopics

runner = CliRunner()


def named(name: str) -> str:
    return f"{name}-{time.time_ns()}"


def test_each_topic_is_declared_with_its_dead_letters() -> None:
    """Entities are compacted, others expire; dead letters are kept longest."""
    declared_topics = {topic.name: topic for topic in topics.declared()}
    assert set(declared_topics) == {*TOPICS, *map(dead, TOPICS), *CHANGELOGS}
    assert [name for name in declared_topics if declared_topics[name].compacted] == [
        ENTITY_CHANGED,
        *CHANGELOGS,
    ]
    assert (
        declared_topics[dead(GIT_PUSH)].made_keep_ms
        > declared_topics[GIT_PUSH].made_keep_ms
    )


async def test_missing_topics_are_created(servers: None, kafka: str) -> None:
    """A topic is created once with its settings, and fits from then on."""
    server = Server(kafka)
    required = [
        Topic(named("made"), compacted=True),
        Topic(named("made"), partitions=2),
    ]
    with pytest.raises(WrongTopics, match="topic is missing, must be created"):
        await topics.check(server, required)
    report = await topics.ensure(server, required)
    assert set(report.created) == {topic.name for topic in required}
    again = await topics.ensure(server, required)
    assert again.created == ()
    assert set(again.fitting) == {topic.name for topic in required}
    await topics.check(server, required)


@pytest.mark.parametrize(
    ("current", "needed", "problem"),
    [
        (
            {"compacted": False},
            {"compacted": True},
            "cleanup.policy is delete, must be compact",
        ),
        (
            {"compacted": True},
            {"compacted": False},
            "cleanup.policy is compact, must be delete",
        ),
        (
            {"partitions": 1},
            {"partitions": 4},
            "partitions is 1, must be at least 4",
        ),
        ({}, {"replication": 3}, "replication is 1, must be at least 3"),
        (
            {"made_keep_ms": 60_000},
            {"keep_ms": 3_600_000},
            "retention.ms is 60000, must be at least 3600000",
        ),
    ],
)
async def test_a_topic_with_other_settings_is_refused(
    servers: None, kafka: str, current: dict, needed: dict, problem: str
) -> None:
    """The error has the topic, the setting, its value and the required one."""
    name, server = named("wrong"), Server(kafka)
    await topics.ensure(server, [Topic(name, keep_ms=0, **current)])
    with pytest.raises(WrongTopics) as refused:
        await topics.ensure(server, [Topic(name, **needed)])
    assert f"{name}: {problem}" in str(refused.value)


async def test_unlimited_retention_satisfies_any_retention(
    servers: None, kafka: str
) -> None:
    """No limit is more than any."""
    name, server = named("ever"), Server(kafka)
    await topics.ensure(server, [Topic(name, made_keep_ms=-1)])
    await topics.check(server, [Topic(name)])


async def test_a_service_is_not_ready_until_its_topics_fit(
    servers: None, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check fails and names a missing topic; it passes once the topic exists."""
    name = named("needed")
    monkeypatch.setattr(topics, "declared", lambda: (Topic(name),))
    async with KafkaBus(kafka) as bus:
        with pytest.raises(WrongTopics, match=name):
            await bus.check()
        await topics.ensure(Server(kafka), [Topic(name)])
        await bus.check()


async def test_a_bus_without_declarations_always_fits(kafka: str) -> None:
    """Only a broker with declarations is checked."""
    server = Server(kafka)
    if (await broker.abilities(server)).declares:
        pytest.skip("this event log declares topics")
    report = await topics.check(server)
    assert report == topics.Report(declares=False)


def test_the_topics_command_creates_and_checks(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`callboard topics` reports its findings, for people and for scripts."""
    monkeypatch.setenv("CALLBOARD_KAFKA", kafka)
    done = runner.invoke(all_commands(), ["topics", "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.output)
    assert report["wrong"] == []
    if not report["declares"]:
        return
    names = {*report["fitting"], *report["made"]}
    assert names == {*TOPICS, *map(dead, TOPICS), *CHANGELOGS}
    refused = runner.invoke(all_commands(), ["topics", "--check", "--partitions", "64"])
    assert refused.exit_code == 1
    assert "partitions is 4, must be at least 64" in refused.output


def test_the_topics_command_names_a_missing_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Without an address and without a portal it says which setting to give."""
    monkeypatch.delenv("CALLBOARD_KAFKA", raising=False)
    done = runner.invoke(all_commands(), ["topics", "--data", str(tmp_path)])
    assert done.exit_code == 3
    assert "CALLBOARD_KAFKA is not set" in done.output


def test_the_topics_command_never_shows_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A missing event log is reported by its address alone."""
    monkeypatch.setenv("CALLBOARD_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("CALLBOARD_KAFKA_USER", "callboard")
    monkeypatch.setenv("CALLBOARD_KAFKA_PASSWORD", "quite-secret")
    done = runner.invoke(all_commands(), ["topics"])
    assert done.exit_code == 1
    assert "127.0.0.1:1 is not reachable" in done.output
    assert "quite-secret" not in done.output
