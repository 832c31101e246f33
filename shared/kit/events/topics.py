"""The topics as code: what each must be, made where missing, checked where there.

Nothing that exists is changed here. A topic that contradicts what the code needs is an
operator's to mend, and the error names the topic, the setting, what it is and what it
must be. A broker that cannot declare topics (the embedded one) has nothing to check.
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
#: No event is larger: it lies inside a state document, and no store takes over 16 MB.
LARGEST_EVENT = 16 * 1024 * 1024
#: What a batch adds around a message.
BATCH_OVERHEAD = 64 * 1024
HOUR_MS = 3600 * 1000
#: Looks for topics that were just made: brokers learn of them one after another.
SHOWING = Backoff(first=0.1, longest=0.1, within=20.0)


@dataclass(frozen=True, slots=True)
class Topic:
    """What one topic must be. `keep_ms` is at least, `made_keep_ms` when created."""

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
        """What it is created with."""
        made = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(LARGEST_EVENT + BATCH_OVERHEAD),
        }
        if self.compacted:
            # For an hour every revision can be read, not the last one alone.
            return {**made, "min.compaction.lag.ms": str(HOUR_MS)}
        return {**made, "retention.ms": str(self.made_keep_ms)}


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A topic that is not what the code needs."""

    topic: str
    setting: str
    found: str
    needed: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.found}, must be {self.needed}"


class WrongTopics(Unavailable):
    """Topics contradict what the code needs; the message names each."""

    def __init__(self, found: Sequence[Contradiction]) -> None:
        super().__init__("Topics do not fit: " + "; ".join(map(str, found)))
        self.found = tuple(found)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, by topic, and what was made."""

    #: The broker can declare topics; if not, nothing was looked at.
    declares: bool
    made: tuple[str, ...] = ()
    fitting: tuple[str, ...] = ()
    wrong: tuple[Contradiction, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        wrong = [
            {"topic": w.topic, "setting": w.setting, "is": w.found, "must": w.needed}
            for w in self.wrong
        ]
        return {
            "declares": self.declares,
            "made": list(self.made),
            "fitting": list(self.fitting),
            "wrong": wrong,
        }


def declared(
    *, partitions: int | None = None, replication: int | None = None
) -> tuple[Topic, ...]:
    """Every topic with its dead letters, kept longer, and the tables' changelogs."""
    found: list[Topic] = []
    for name in TOPICS:
        found.append(Topic(name, compacted=name == ENTITY_CHANGED))
        found.append(Topic(dead(name), keep_ms=7 * DAY_MS, made_keep_ms=30 * DAY_MS))
    found += [Topic(name, compacted=True) for name in CHANGELOGS]
    return tuple(
        replace(
            topic, partitions=partitions or topic.partitions, replication=replication
        )
        for topic in found
    )


async def ensure(server: Server, topics: Iterable[Topic] | None = None) -> Report:
    """Make what is missing and check what is there.

    Raises:
        WrongTopics: if a topic contradicts what the code needs.
        Unavailable: if the broker does not answer or refuses to make a topic.
    """
    return await _refusing(server, topics, make=True)


async def check(server: Server, topics: Iterable[Topic] | None = None) -> Report:
    """The same without making anything: a topic that is missing contradicts too."""
    return await _refusing(server, topics, make=False)


async def look(
    server: Server, topics: Iterable[Topic] | None = None, *, make: bool
) -> Report:
    """What there is; contradictions are told in the report, not raised."""
    wanted = tuple(declared() if topics is None else topics)
    if not (await broker.abilities(server)).declares:
        return Report(declares=False)
    admin = AIOKafkaAdminClient(
        **broker.client_options(server), request_timeout_ms=broker.ASK_SECONDS * 1000
    )
    try:
        await admin.start()
        return await _looked(admin, wanted, make=make)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"The event log does not answer: {error}") from error
    finally:
        await admin.close()


async def _refusing(
    server: Server, topics: Iterable[Topic] | None, *, make: bool
) -> Report:
    report = await look(server, topics, make=make)
    if report.wrong:
        raise WrongTopics(report.wrong)
    return report


async def _looked(
    admin: AIOKafkaAdminClient, wanted: Sequence[Topic], *, make: bool
) -> Report:
    described = await _described(admin)
    missing = [topic for topic in wanted if topic.name not in described]
    made: list[str] = []
    if missing and make:
        made = await _make(admin, missing)
        missing = []
        described = await _visible_topics(admin, wanted)
    there = [topic for topic in wanted if topic.name in described]
    settings = await _settings(admin, [topic.name for topic in there])
    wrong = [Contradiction(t.name, "topic", "missing", "created") for t in missing]
    for topic in there:
        partitions, replication = described[topic.name]
        wrong += _contradictions(topic, partitions, replication, settings[topic.name])
    refused = {found.topic for found in wrong}
    fitting = tuple(t.name for t in there if t.name not in {*made, *refused})
    return Report(True, tuple(made), fitting, tuple(wrong))


async def _visible_topics(
    admin: AIOKafkaAdminClient, wanted: Sequence[Topic]
) -> dict[str, tuple[int, int]]:
    """The topics, once all that were made are shown: brokers learn of them later."""

    async def described_all() -> dict[str, tuple[int, int]]:
        described = await _described(admin)
        for topic in wanted:
            if topic.name not in described:
                raise Unavailable(
                    f"{topic.name}: the event log made it and does not show it"
                )
        return described

    return await retry(described_all, SHOWING)


async def _described(admin: AIOKafkaAdminClient) -> dict[str, tuple[int, int]]:
    """The partitions and the least number of copies of every topic there is."""
    found: dict[str, tuple[int, int]] = {}
    for topic in await admin.describe_topics():
        parts = topic["partitions"]
        if parts:
            copies = min(len(part["replicas"]) for part in parts)
            found[topic["topic"]] = (len(parts), copies)
    return found


async def _make(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> list[str]:
    """Create; one that somebody else created meanwhile is theirs, and checked."""
    brokers = len((await admin.describe_cluster())["brokers"])
    asked = [
        NewTopic(
            topic.name,
            topic.partitions,
            topic.replication or min(REPLICATION, brokers),
            topic_configs=topic.settings(),
        )
        for topic in topics
    ]
    answer = await admin.create_topics(asked)
    made = []
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        if not code:
            made.append(name)
        elif error is not TopicAlreadyExistsError:
            reason = message[0] if message and message[0] else error.__name__
            raise Unavailable(f"{name}: the event log refuses to make it: {reason}")
    return made


async def _settings(
    admin: AIOKafkaAdminClient, names: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, Mapping[str, str]] = {}
    for answer in await admin.describe_configs(asked):
        for code, message, _, name, entries in answer.resources:
            if code:
                reason = message or for_code(code).__name__
                raise Unavailable(f"{name}: its settings are not shown: {reason}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _contradictions(
    topic: Topic, partitions: int, replication: int, settings: Mapping[str, str]
) -> list[Contradiction]:
    found: list[Contradiction] = []

    def least(setting: str, value: int, needed: int | None) -> None:
        # Kafka writes "without limit" as -1.
        if needed is not None and 0 <= value < needed:
            told = f"at least {needed}"
            found.append(Contradiction(topic.name, setting, str(value), told))

    least("partitions", partitions, topic.partitions)
    least("replication", replication, topic.replication)
    cleanup = settings["cleanup.policy"]
    if cleanup != topic.cleanup:
        found.append(
            Contradiction(topic.name, "cleanup.policy", cleanup, topic.cleanup)
        )
    if not topic.compacted and "delete" in cleanup:
        least("retention.ms", int(settings["retention.ms"]), topic.keep_ms)
    least("max.message.bytes", int(settings["max.message.bytes"]), LARGEST_EVENT)
    return found


class TopicsCheck:
    """Whether the topics fit: asked until they do, and not again after that."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._fits = False

    async def __call__(self) -> None:
        """Raise WrongTopics, or Unavailable, until the topics fit."""
        if not self._fits:
            await check(self._server)
            self._fits = True
