"""OPA: the policy server, with policies from a folder or a configuration file."""

import http.client
import json
import ssl
from pathlib import Path

from deploy.engines import processes
from deploy.engines.engine import Engine
from deploy.engines.golang import Program
from deploy.engines.security import ServerSecurity

MODULE = "github.com/open-policy-agent/opa"
PROGRAM = Program("opa", MODULE, MODULE, "v1.22.2")
POLICIES = Path(__file__).resolve().parents[1] / "policies"
ANSWER_SECONDS = 1.0
#: Clients with the token may do everything, others may only read the health.
GUARDED = """package system.authz

default allow := false

allow if input.identity == data.engine.token

allow if input.path == ["health"]
"""


def start(
    folder: Path,
    log: Path,
    *,
    port: int | None = None,
    secure: ServerSecurity | None = None,
    policies: Path | None = POLICIES,
    config: Path | None = None,
    detached: bool = False,
) -> Engine:
    """Start it at the folder's port; it answers when this returns.

    Args:
        folder: Holds its configuration; it may be empty or not there.
        log: What it says is appended here.
        port: Where clients connect; by default the one it had, or a free one.
        secure: TLS and a bearer token, which is the password of this guard.
        policies: The folder of policies; None: only those of `config`.
        config: OPA's own configuration file, for example with a bundle's address.
        detached: It goes on when this process ends.

    Raises:
        EngineFailed: if it does not start.
        CannotFetch: if it cannot be built.
    """
    port = processes.port(folder, port)
    command = [str(PROGRAM.fetch()), "run", "--server", f"--addr=127.0.0.1:{port}"]
    command += ["--log-level=error", "--disable-telemetry"]
    if config:
        command.append(f"--config-file={config}")
    if secure:
        command += _secured(folder, secure)
    if policies:
        command += ["--ignore=*_test.rego", str(policies)]
    address = f"http{'s' if secure else ''}://127.0.0.1:{port}"
    secured = secure.server(address, user=False) if secure else None
    engine = processes.start_engine(
        "opa", address, command, log, folder=folder, secured=secured, detached=detached
    )
    context = engine.server.context()
    processes.wait(engine.process, lambda: _ready(port, context), "OPA", log)
    return engine


def _secured(folder: Path, guard: ServerSecurity) -> list[str]:
    rules = folder / "authz.rego"
    rules.write_text(GUARDED)
    text = json.dumps({"token": guard.password})
    token = processes.secret_file(folder / "token.json", text)
    return [
        f"--tls-cert-file={guard.certificate}",
        f"--tls-private-key-file={guard.key}",
        "--authentication=token",
        "--authorization=basic",
        str(rules),
        f"engine:{token}",
    ]


def _ready(port: int, context: ssl.SSLContext | None) -> bool:
    host, seconds = "127.0.0.1", ANSWER_SECONDS
    connection = (
        http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
        if context
        else http.client.HTTPConnection(host, port, timeout=seconds)
    )
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
