"""The topics as code: their settings; missing ones are created, existing ones checked.

Existing topics are not changed. If the settings of a topic contradict the code, the
error names the topic, the setting, its value and the required value, for the operator
to change. A broker that cannot declare topics (the embedded one) needs no check.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.contracts.errors import Unavailable
from shared.contracts.topics import CHANGELOGS, ENTITY_CHANGED, TOPICS, dead
from shared.kit.config.servers import Server
from shared.kit.events import broker
from shared.kit.resilience.retries import Backoff, retry

PARTITIONS = 4
#: Copies of each message where the cluster has that many brokers.
REPLICATION = 3
DAY_MS = 24 * 3600 * 1000
#: The largest event: it is stored in a state document, and no store takes over 16 MB.
LARGEST_EVENT = 16 * 1024 * 1024
#: Bytes that a batch adds to a message.
BATCH_OVERHEAD = 64 * 1024
HOUR_MS = 3600 * 1000
#: Polls for created topics, because brokers learn of them one after another.
VISIBLE_BACKOFF = Backoff(first=0.1, longest=0.1, within=20.0)


@dataclass(frozen=True, slots=True)
class Topic:
    """The required settings of one topic.

    `keep_ms` is the least retention, `made_keep_ms` that of a created topic.
    """

    name: str
    compacted: bool = False
    keep_ms: int = DAY_MS
    made_keep_ms: int = 7 * DAY_MS
    partitions: int = PARTITIONS
    #: None: as many copies as `REPLICATION` says and the cluster has brokers for.
    replication: int | None = None

    @property
    def cleanup(self) -> str:
        """Kafka's `cleanup.policy`."""
        return "compact" if self.compacted else "delete"

    def settings(self) -> dict[str, str]:
        """The settings of a created topic."""
        settings = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(LARGEST_EVENT + BATCH_OVERHEAD),
        }
        if self.compacted:
            # For an hour all revisions can be read, not only the last one.
            return {**settings, "min.compaction.lag.ms": str(HOUR_MS)}
        return {**settings, "retention.ms": str(self.made_keep_ms)}


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A setting of a topic that contradicts the code."""

    topic: str
    setting: str
    actual: str
    needed: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.actual}, must be {self.needed}"


class WrongTopics(Unavailable):
    """Topics contradict the code; the message names each."""

    def __init__(self, contradictions: Sequence[Contradiction]) -> None:
        super().__init__("Topics do not fit: " + "; ".join(map(str, contradictions)))
        self.contradictions = tuple(contradictions)


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check, by topic, and the created topics."""

    #: Whether the broker can declare topics; otherwise nothing was checked.
    declares: bool
    created: tuple[str, ...] = ()
    fitting: tuple[str, ...] = ()
    wrong: tuple[Contradiction, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values, for scripts."""
        wrong = [
            {
                "topic": contradiction.topic,
                "setting": contradiction.setting,
                "is": contradiction.actual,
                "must": contradiction.needed,
            }
            for contradiction in self.wrong
        ]
        return {
            "declares": self.declares,
            "made": list(self.created),
            "fitting": list(self.fitting),
            "wrong": wrong,
        }


def declared(
    *, partitions: int | None = None, replication: int | None = None
) -> tuple[Topic, ...]:
    """Every topic, its dead letters with longer retention, and the changelogs."""
    topics: list[Topic] = []
    for name in TOPICS:
        topics.append(Topic(name, compacted=name == ENTITY_CHANGED))
        topics.append(Topic(dead(name), keep_ms=7 * DAY_MS, made_keep_ms=30 * DAY_MS))
    topics += [Topic(name, compacted=True) for name in CHANGELOGS]
    return tuple(
        replace(
            topic, partitions=partitions or topic.partitions, replication=replication
        )
        for topic in topics
    )


async def ensure(server: Server, topics: Iterable[Topic] | None = None) -> Report:
    """Create missing topics and check existing ones.

    Raises:
        WrongTopics: if a topic contradicts the code.
        Unavailable: if the broker does not answer or refuses to create a topic.
    """
    return await _report_or_raise(server, topics, make=True)


async def check(server: Server, topics: Iterable[Topic] | None = None) -> Report:
    """The same without creating any; a missing topic is a contradiction too."""
    return await _report_or_raise(server, topics, make=False)


async def inspect(
    server: Server, topics: Iterable[Topic] | None = None, *, make: bool
) -> Report:
    """The report with all contradictions, without raising them."""
    declared_topics = tuple(declared() if topics is None else topics)
    if not (await broker.abilities(server)).declares:
        return Report(declares=False)
    admin = AIOKafkaAdminClient(
        **broker.client_options(server),
        request_timeout_ms=broker.REQUEST_SECONDS * 1000,
    )
    try:
        await admin.start()
        return await _inspect(admin, declared_topics, make=make)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"The event log does not answer: {error}") from error
    finally:
        await admin.close()


async def _report_or_raise(
    server: Server, topics: Iterable[Topic] | None, *, make: bool
) -> Report:
    report = await inspect(server, topics, make=make)
    if report.wrong:
        raise WrongTopics(report.wrong)
    return report


async def _inspect(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic], *, make: bool
) -> Report:
    described = await _described(admin)
    missing = [topic for topic in topics if topic.name not in described]
    created: list[str] = []
    if missing and make:
        created = await _make(admin, missing)
        missing = []
        described = await _visible_topics(admin, topics)
    existing = [topic for topic in topics if topic.name in described]
    settings = await _settings(admin, [topic.name for topic in existing])
    wrong = [Contradiction(t.name, "topic", "missing", "created") for t in missing]
    for topic in existing:
        partitions, replication = described[topic.name]
        wrong += _contradictions(topic, partitions, replication, settings[topic.name])
    refused = {contradiction.topic for contradiction in wrong}
    fitting = tuple(t.name for t in existing if t.name not in {*created, *refused})
    return Report(True, tuple(created), fitting, tuple(wrong))


async def _visible_topics(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic]
) -> dict[str, tuple[int, int]]:
    """The topics, once the broker shows all created ones."""

    async def described_all() -> dict[str, tuple[int, int]]:
        described = await _described(admin)
        for topic in topics:
            if topic.name not in described:
                raise Unavailable(
                    f"{topic.name}: the event log made it and does not show it"
                )
        return described

    return await retry(described_all, VISIBLE_BACKOFF)


async def _described(admin: AIOKafkaAdminClient) -> dict[str, tuple[int, int]]:
    """The partitions and the least number of copies of every topic."""
    described: dict[str, tuple[int, int]] = {}
    for topic in await admin.describe_topics():
        partitions = topic["partitions"]
        if partitions:
            copies = min(len(partition["replicas"]) for partition in partitions)
            described[topic["topic"]] = (len(partitions), copies)
    return described


async def _make(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> list[str]:
    """Create topics; returns the names without those that exist meanwhile."""
    brokers = len((await admin.describe_cluster())["brokers"])
    new_topics = [
        NewTopic(
            topic.name,
            topic.partitions,
            topic.replication or min(REPLICATION, brokers),
            topic_configs=topic.settings(),
        )
        for topic in topics
    ]
    answer = await admin.create_topics(new_topics)
    created = []
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        if not code:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            reason = message[0] if message and message[0] else error.__name__
            raise Unavailable(f"{name}: the event log refuses to make it: {reason}")
    return created


async def _settings(
    admin: AIOKafkaAdminClient, names: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    settings: dict[str, Mapping[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            if code:
                reason = message or for_code(code).__name__
                raise Unavailable(f"{name}: its settings are not shown: {reason}")
            settings[name] = {entry[0]: entry[1] for entry in entries}
    return settings


def _contradictions(
    topic: Topic, partitions: int, replication: int, settings: Mapping[str, str]
) -> list[Contradiction]:
    contradictions: list[Contradiction] = []

    def least(setting: str, value: int, needed: int | None) -> None:
        # Kafka writes "without limit" as -1.
        if needed is not None and 0 <= value < needed:
            requirement = f"at least {needed}"
            contradictions.append(
                Contradiction(topic.name, setting, str(value), requirement)
            )

    least("partitions", partitions, topic.partitions)
    least("replication", replication, topic.replication)
    cleanup = settings["cleanup.policy"]
    if cleanup != topic.cleanup:
        contradictions.append(
            Contradiction(topic.name, "cleanup.policy", cleanup, topic.cleanup)
        )
    if not topic.compacted and "delete" in cleanup:
        least("retention.ms", int(settings["retention.ms"]), topic.keep_ms)
    least("max.message.bytes", int(settings["max.message.bytes"]), LARGEST_EVENT)
    return contradictions


class TopicsCheck:
    """Checks the topics until they fit, and not again after that."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._fits = False

    async def __call__(self) -> None:
        """Raise WrongTopics, or Unavailable, until the topics fit."""
        if not self._fits:
            await check(self._server)
            self._fits = True
