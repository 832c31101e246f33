"""Apache Kafka: one KRaft node with its data and ports in a folder.

It is small on purpose: few threads, few partitions for internal topics, a short
rebalance delay. Topics are not created automatically unless `auto_create` is set:
`callboard topics` creates them with the settings that the services need.
"""

import base64
import subprocess
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.engines import processes
from deploy.engines.engine import Engine, answers
from deploy.engines.maven import Jars
from deploy.engines.security import ServerSecurity
from shared.kit.config.servers import Server

JARS = Jars(
    "kafka",
    "org.apache.kafka:kafka_2.13:4.1.1",
    java=17,
    # Kafka's own archive brings a logger, its jars do not.
    extra_artifacts=("org.slf4j:slf4j-simple:1.7.36",),
)
DISPLAY_NAME = "Apache Kafka"
HEAP = ("-Xms128m", "-Xmx384m")
#: Fast compilation with fewer optimizations, because a quick start matters more.
JVM = ("-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
FORMAT_SECONDS = 60
ANSWER_SECONDS = 1.0
NODE = 1
Setting = str | int | float | bool
SMALL_SETTINGS = {
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    "num.partitions": 4,
    "log.cleaner.dedupe.buffer.size": 4 << 20,
    "log.cleaner.backoff.ms": 5000,
    "offsets.topic.num.partitions": 4,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.num.partitions": 2,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 2,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 100,
    "log.retention.hours": 168,
    "log.segment.bytes": 64 << 20,
}


def start(
    folder: Path,
    log: Path,
    *,
    port: int | None = None,
    secure: ServerSecurity | None = None,
    auto_create: bool = False,
    advertised: int | None = None,
    detached: bool = False,
    train: Path | None = None,
) -> Engine:
    """Start it on the folder's data and port; it answers when this returns.

    Args:
        folder: Holds its data and configuration; it may be empty or not there.
        log: What it says is appended here.
        port: Where clients connect; by default the one it had, or a free one.
        secure: SASL/SCRAM-SHA-512 over TLS, with this user and certificate.
        auto_create: Whether topics are created automatically.
        advertised: The port that clients are told to use, if a proxy is before it.
        detached: It goes on when this process ends.
        train: When it ends, it writes the archive of its classes there.

    Raises:
        EngineFailed: if it does not start.
        CannotFetch: if its jars or a JDK cannot be had.
    """
    port = processes.port(folder, port)
    properties = {
        **_properties(folder, port, advertised or port),
        **SMALL_SETTINGS,
        "auto.create.topics.enable": str(auto_create).lower(),
        **(_secured(secure) if secure else {}),
    }
    file = processes.properties_file(folder / "server.properties", properties)
    if not (folder / "data" / "meta.properties").is_file():
        _format(JARS.command(DISPLAY_NAME, *JVM), folder, log, secure)
    java = JARS.command(DISPLAY_NAME, *HEAP, *JVM, train=train)
    address = f"127.0.0.1:{port}"
    engine = processes.start_engine(
        "broker",
        address,
        [*java, "kafka.Kafka", str(file)],
        log,
        folder=folder,
        secured=secure.server(address) if secure else None,
        detached=detached,
    )
    _wait(engine, port, log)
    return engine


def _properties(folder: Path, port: int, advertised: int) -> dict[str, object]:
    controller = processes.port(folder, name="controller")
    return {
        "process.roles": "broker,controller",
        "node.id": NODE,
        # In the configuration and not in the data, because the port may change.
        "controller.quorum.voters": f"{NODE}@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENT",
        "listeners": f"CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"CLIENT://127.0.0.1:{advertised}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": folder / "data",
    }


def _secured(guard: ServerSecurity) -> dict[str, object]:
    login = (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        f'username="{guard.user}" password="{guard.password}";'
    )
    pair = guard.key.with_name("kafka.pem")
    processes.secret_file(pair, guard.key.read_text() + guard.certificate.read_text())
    return {
        "listener.security.protocol.map": "CLIENT:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": login,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": pair,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": guard.ca,
    }


def new_cluster_id() -> str:
    """A random id in Kafka's format, without a leading `-`, which marks an option."""
    while True:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not cluster_id.startswith("-"):
            return cluster_id


def _format(
    java: list[str], folder: Path, log: Path, secure: ServerSecurity | None
) -> None:
    properties = str(folder / "server.properties")
    words = ["format", "-t", new_cluster_id(), "-c", properties]
    arguments = [*java, "kafka.tools.StorageTool"]
    if secure:
        # In a file, as every user can read a process' arguments.
        user = f"[name={secure.user},password={secure.password}]"
        words += ["--add-scram", f"SCRAM-SHA-512={user}"]
    file = processes.secret_file(folder / "format.arguments", "\n".join(words) + "\n")
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as out:
            subprocess.run(
                [*arguments, f"@{file}"],
                stdout=out,
                stderr=out,
                timeout=FORMAT_SECONDS,
                check=True,
            )
    finally:
        file.unlink()


def _wait(engine: Engine, port: int, log: Path) -> None:
    client: list[AdminClient] = []

    def ready() -> bool:
        if not answers(port):
            return False
        if not client:
            client.append(AdminClient(settings(engine.server), logger=None))
        try:
            return bool(client[0].list_topics(timeout=ANSWER_SECONDS).brokers)
        except KafkaException:
            return False

    processes.wait(engine.process, ready, DISPLAY_NAME, log)


def settings(server: Server) -> dict[str, Setting]:
    """The settings of confluent-kafka's clients for a server."""
    options: dict[str, Setting] = {
        "bootstrap.servers": server.address,
        "log_level": 0,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 200,
    }
    if server.user:
        options |= {
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": server.user,
            "sasl.password": server.password or "",
        }
    protocol = ("SASL_" if server.user else "") + (
        "SSL" if server.encrypted else "PLAINTEXT"
    )
    options["security.protocol"] = protocol
    if server.ca:
        options["ssl.ca.location"] = str(server.ca)
    return options
