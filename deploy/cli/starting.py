"""What `callboard up` does: the example's repositories, the supervisor, the waiting."""

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.cli.configuration import PortalConfig
from deploy.cli.portal import Portal, PortalError, wait_until
from deploy.embedded import backing
from deploy.embedded.rundata import RunData
from deploy.examples import playhouse_git
from shared.contracts.errors import CallboardError
from shared.kit.config.sections import load_config, unknown_keys

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "deploy" / "examples"
EXAMPLE_NAMES = ("playhouse", "golden", "empty")
READY_SECONDS = 60.0
SERVERS_READY_SECONDS = 180.0
LOADED_SECONDS = 90.0
STOP_SECONDS = 25.0
STEP_SECONDS = 0.05
#: What a service says that reads its state: how far it is changes while it does.
LOADING = "being loaded"
Progress = Callable[[str, float], None]


class CannotStart(RuntimeError):
    """The portal was not started; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class StartOptions:
    """What the user asked for."""

    data: Path
    port: int
    example: str
    config: Path | None
    #: `backing.EMBEDDED` or `backing.SERVERS`.
    engines: str = backing.EMBEDDED


def engines_form(data: Path, asked: str | None) -> str:
    """The form asked for, else the one that the data folder has.

    Raises:
        CannotStart: for one that does not exist.
    """
    forms = (backing.EMBEDDED, backing.SERVERS)
    form = asked or backing.form_of(RunData(data)) or backing.EMBEDDED
    if asked and asked not in forms:
        raise CannotStart(f"--engines is one of {', '.join(forms)}, not {asked!r}")
    return form if form in forms else backing.EMBEDDED


def config_file(wanted: StartOptions) -> Path:
    """The configuration to use: the given one, or the example's."""
    if wanted.config is not None:
        return wanted.config.resolve()
    found = EXAMPLES / wanted.example / "app-config.yaml"
    if not found.is_file():
        raise CannotStart(
            f"There is no example {wanted.example!r}: --example is one of "
            f"{', '.join(EXAMPLE_NAMES)}"
        )
    return found


def unknown_config_keys(wanted: StartOptions) -> list[str]:
    """Check the configuration; its keys that mean nothing.

    Raises:
        CannotStart: naming what is wrong with it.
    """
    data = RunData(wanted.data)
    data.prepare()
    # Not in the environment of this process: all that it starts would inherit it.
    environ = {**os.environ, **data.environment()}
    if wanted.example == "golden" and wanted.config is None:
        golden = Path(os.environ.get("CALLBOARD_GOLDEN", ROOT.parent / "shared/golden"))
        if not (golden / "inputs").is_dir():
            raise CannotStart(
                f"The golden inputs are not at {golden}; set CALLBOARD_GOLDEN to the "
                "folder that holds inputs/"
            )
        os.environ["CALLBOARD_GOLDEN"] = str(golden.resolve())
        environ["CALLBOARD_GOLDEN"] = os.environ["CALLBOARD_GOLDEN"]
    try:
        config = load_config(config_file(wanted), environ, PortalConfig)
    except CallboardError as error:
        raise CannotStart(error.message) from error
    given = config.model_dump(by_alias=True)
    return [unknown.key for unknown in unknown_keys(PortalConfig, given)]


def prepare(wanted: StartOptions, progress: Progress) -> RunData:
    """Make the data folder and, for the playhouse, its Git host."""
    data = RunData(wanted.data)
    try:
        found = backing.Backing.of(data, wanted.engines, os.environ)
        names = [n for n in found.started() if found.forms[n] == backing.SERVERS]
        if names:
            # Loads every engine's driver, which embedded ones do not need.
            importlib.import_module("deploy.engines.fetching").fetch(names, progress)
    except (
        backing.WrongEngines,
        importlib.import_module("deploy.engines.fetching").CannotFetch,
    ) as error:
        raise CannotStart(str(error)) from error
    if wanted.config is None and wanted.example == "playhouse":
        playhouse_git.load(
            wanted.data,
            address=f"http://127.0.0.1:{wanted.port}",
            secret=data.webhook_secret(),
            progress=lambda name, done, of: progress(f"Repository {name}", done / of),
        )
    return data


def start(wanted: StartOptions, data: RunData) -> subprocess.Popen[bytes]:
    """Start the supervisor in a session of its own."""
    if not _free(wanted.port):
        raise CannotStart(
            f"Port {wanted.port} is in use; choose another with --port (make: PORT=)"
        )
    command = [
        sys.executable,
        "-m",
        "deploy.embedded.supervisor",
        "--data",
        str(wanted.data),
        "--port",
        str(wanted.port),
        "--config",
        str(config_file(wanted)),
        "--engines",
        wanted.engines,
    ]
    data.tell_starting(())
    with (data.logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_ready(
    wanted: StartOptions,
    data: RunData,
    process: subprocess.Popen[bytes],
    progress: Progress,
) -> Portal:
    """The portal once its gateway is ready; CannotStart if it does not get there."""
    portal = Portal(f"http://127.0.0.1:{wanted.port}", data.token())
    servers = wanted.engines == backing.SERVERS
    patience = Patience(SERVERS_READY_SECONDS if servers else READY_SECONDS)
    while True:
        if process.poll() is not None:
            raise CannotStart(_why_ended(data))
        engines, waiting = data.starting(), not_ready(portal)
        if not waiting:
            return portal
        loading = next((w for w in waiting.values() if LOADING in w), None)
        awaited = ", ".join(engines) if engines else loading or "services"
        progress(f"Starting: {awaited}", 0.5 if engines else 0.9)
        if patience.is_over((tuple(engines), tuple(sorted(waiting.items())))):
            process.send_signal(signal.SIGTERM)
            raise CannotStart(
                f"Nothing has moved for {patience.seconds:.0f} s: {waiting}; "
                f"see {data.logs}"
            )
        time.sleep(STEP_SECONDS)


class Patience:
    """Waits as long as something moves: a large catalog takes its time to load."""

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self._clock = clock
        self._seen: set[object] = set()
        self._since = clock()

    def is_over(self, state: object) -> bool:
        """Whether there was no new state for too long; going back and forth is none."""
        if state not in self._seen:
            self._seen.add(state)
            self._since = self._clock()
        return self._clock() - self._since > self.seconds


def not_ready(portal: Portal) -> dict[str, str]:
    """What is not ready yet, as `service dependency` -> why; empty when all is."""
    try:
        found = portal.ask("GET", "/api/status")
    except PortalError as error:
        return {"gateway": str(error)}
    waiting: dict[str, str] = {}
    for service in found["services"]:
        checks = service.get("checks") or {}
        bad = {name: state for name, state in checks.items() if state != "ok"}
        if not service["ready"]:
            name = str(service["name"])
            waiting |= {f"{name} {k}": str(v) for k, v in bad.items()} or {name: "away"}
    return waiting


def wait_loaded(portal: Portal, expected: int, progress: Progress) -> int:
    """Wait until the catalog has `expected` entities and search knows them."""

    def loaded() -> int:
        try:
            count = count_entities(portal)
        except PortalError:
            return 0
        progress("Loading the example organisation", min(count / expected, 1.0))
        return count if count >= expected else 0

    found = wait_until(loaded, LOADED_SECONDS)
    if not found:
        raise CannotStart("The example was not loaded in time; see the logs folder")
    wait_until(lambda: _searchable(portal), LOADED_SECONDS)
    return int(found)


def count_entities(portal: Portal) -> int:
    """How many entities the catalog shows to the service token."""
    answer = portal.ask("GET", "/api/catalog/entities/by-query?limit=0")
    return int(answer["totalItems"])


def _searchable(portal: Portal) -> bool:
    try:
        found = portal.ask("GET", "/api/search/query?term=&pageLimit=0")
    except PortalError:
        return False
    return int(found.get("numberOfResults") or 0) > 0


def stop(data: RunData) -> bool:
    """Stop the portal of a data folder; False if none was running."""
    running = data.running()
    if running is None:
        return False
    pid = int(running["pids"]["supervisor"])
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while data.running() is not None:
        if time.monotonic() > deadline:
            raise CannotStart(
                f"The supervisor (process {pid}) does not end; see the logs"
            )
        time.sleep(0.05)
    return True


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _why_ended(data: RunData) -> str:
    lines = (data.logs / "supervisor.log").read_text(errors="replace").splitlines()
    last = lines[-1] if lines else "nothing was said"
    return f"The supervisor ended: {last} (see {data.logs})"
