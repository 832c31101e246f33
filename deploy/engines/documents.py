"""A second MongoDB wire server beside `nx-27017`: mongo-java-server over one H2 file.

It is not MongoDB: it has one node and no transactions. The services rely only on
behaviour that both servers share. The launcher commits before it answers, and adds a
login by SCRAM-SHA-256, which the library lacks.
"""

from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.engines import processes
from deploy.engines.engine import Engine, answers
from deploy.engines.maven import Jars
from deploy.engines.security import ServerSecurity

JARS = Jars(
    "documents",
    "de.bwaldvogel:mongo-java-server-h2-backend:1.47.0",
    java=17,
    launchers=("Documents.java", "Login.java"),
)
DISPLAY_NAME = "The second MongoDB server"
HEAP = ("-Xms64m", "-Xmx512m")
JVM = ("-XX:TieredStopAtLevel=1",)
ANSWER_MS = 1000


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
        secure: TLS and SCRAM-SHA-256, with this user and certificate.
        detached: It goes on when this process ends.
        train: When it ends, it writes the archive of its classes there.

    Raises:
        EngineFailed: if it does not start.
        CannotFetch: if its jars or a JDK cannot be had.
    """
    port = processes.port(folder, port)
    properties = {"file": str(folder / "documents.mv.db"), "port": str(port)}
    if secure:
        properties |= {
            "certificate": str(secure.certificate),
            "key": str(secure.key),
            "user": secure.user,
            "password": secure.password,
        }
    file = processes.properties_file(folder / "documents.properties", properties)
    java = JARS.command(DISPLAY_NAME, *HEAP, *JVM, train=train)
    address = f"mongodb://127.0.0.1:{port}"
    engine = processes.start_engine(
        "documents",
        address,
        [*java, "Documents", str(file)],
        log,
        folder=folder,
        secured=secure.server(address) if secure else None,
        detached=detached,
    )
    processes.wait(
        engine.process, lambda: answers(port) and _ready(engine), DISPLAY_NAME, log
    )
    return engine


def _ready(engine: Engine) -> bool:
    server = engine.server
    options: dict[str, Any] = {}
    if server.user:
        options = {
            "username": server.user,
            "password": server.password,
            "tls": True,
            "tlsCAFile": str(server.ca),
        }
    client: MongoClient[dict[str, object]] = MongoClient(
        server.address, serverSelectionTimeoutMS=ANSWER_MS, **options
    )
    try:
        client["admin"].command("listDatabases")
    except PyMongoError:
        return False
    finally:
        client.close()
    return True
