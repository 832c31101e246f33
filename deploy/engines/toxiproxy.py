"""toxiproxy: a proxy that slows down and cuts connections, for fault tests.

Its address is that of its HTTP API, by which tests create and control proxies.
"""

import http.client
from pathlib import Path

from deploy.engines import processes
from deploy.engines.engine import Engine
from deploy.engines.golang import Program

MODULE = "github.com/Shopify/toxiproxy/v2"
PROGRAM = Program("toxiproxy", MODULE, f"{MODULE}/cmd/server", "v2.12.0")
ANSWER_SECONDS = 1.0


def start(
    folder: Path, log: Path, *, port: int | None = None, detached: bool = False
) -> Engine:
    """Start it at the folder's port, without proxies; it answers when this returns.

    Raises:
        EngineFailed: if it does not start.
        CannotFetch: if it cannot be built.
    """
    port = processes.port(folder, port)
    command = [str(PROGRAM.fetch()), "-host", "127.0.0.1", "-port", str(port)]
    engine = processes.start_engine(
        "toxiproxy",
        f"http://127.0.0.1:{port}",
        command,
        log,
        folder=folder,
        detached=detached,
        environment={"LOG_LEVEL": "error"},
    )
    processes.wait(engine.process, lambda: _ready(port), "toxiproxy", log)
    return engine


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/version")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
