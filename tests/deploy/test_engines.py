"""What docker-compose.yml tells the vendors' images, tried on the same real servers."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.embedded.engines import free_port
from deploy.engines import opa
from deploy.engines.kafka import JARS
from shared.contracts.topics import TOPICS, dead
from tests.deploy.compose import services
from tests.deploy.dockerfile import Image
from tests.waiting import until_now

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def properties(data: Path, port: int) -> str:
    """Kafka's environment as the image's start script turns it into properties."""
    environment = services()["kafka"]["environment"]
    moved = {
        "/var/lib/kafka/data": str(data),
        "9092": str(port),
        "9093": str(free_port()),
        "//kafka:": "//127.0.0.1:",
    }
    named = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith("KAFKA_") and name != "KAFKA_HEAP_OPTS"
    }
    text = "".join(f"{name}={value}\n" for name, value in named.items())
    for old, new in moved.items():
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def composed_kafka(
    servers: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A Kafka with the settings of docker-compose.yml; its address."""
    folder, port = tmp_path_factory.mktemp("kafka"), free_port()
    file = folder / "server.properties"
    file.write_text(properties(folder / "data", port))
    java = JARS.command("Kafka", "-Xmx512m")
    cluster = services()["kafka"]["environment"]["CLUSTER_ID"]
    tool = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(file)]
    subprocess.run(tool, check=True, capture_output=True, timeout=60)
    with (folder / "log").open("wb") as log:
        command = [*java, "kafka.Kafka", str(file)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"127.0.0.1:{port}"
    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    try:
        until_now(lambda: topics(client) is not None, "Kafka answers")
        yield address
    finally:
        process.terminate()
        process.wait(30)


def topics(client: AdminClient) -> set[str] | None:
    """The names of all topics; None while nobody answers."""
    try:
        return set(client.list_topics(timeout=2).topics)
    except KafkaException:
        return None


def test_the_topics_are_created_on_composes_kafka(
    composed_kafka: str, operator: Image
) -> None:
    """The one-shot creates every topic on the one node, and changes none again."""
    service = services()["topics"]
    environment = {**operator.environment, "CALLBOARD_KAFKA": composed_kafka}
    for _ in range(2):
        done = subprocess.run(
            service["command"],
            cwd=operator.code,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    names = topics(AdminClient({"bootstrap.servers": composed_kafka}))
    assert names is not None
    assert {*TOPICS, *map(dead, TOPICS)} <= names


def test_opas_health_check_follows_its_state(servers: None, tmp_path: Path) -> None:
    """The image has no shell: OPA queries itself, and fails without an answer."""
    program, *words = services()["opa"]["healthcheck"]["test"][1:]
    assert program == "/opa"
    engine = opa.start(tmp_path, tmp_path / "log")
    port = engine.address.rpartition(":")[2]
    words = [word.replace("8181", port) for word in words]
    command = [str(opa.PROGRAM.fetch()), *words]
    try:
        assert subprocess.run(command, check=False, timeout=20).returncode == 0
    finally:
        engine.stop()
    assert subprocess.run(command, check=False, timeout=20).returncode != 0
