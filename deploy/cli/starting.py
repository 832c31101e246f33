"""The steps of `callboard up`: prepare the example, start the supervisor, wait."""

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
from deploy.cli.configuration_warnings import open_owner_kinds
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
POLL_SECONDS = 0.05
#: Part of a service's state while it loads data; the rest of the text is its progress.
LOADING = "being loaded"
Progress = Callable[[str, float], None]


class CannotStart(RuntimeError):
    """The portal was not started; the message has the reason and advice."""


@dataclass(frozen=True, slots=True)
class StartOptions:
    """The options of `callboard up`."""

    data: Path
    port: int
    example: str
    config: Path | None
    #: `backing.EMBEDDED` or `backing.SERVERS`.
    engines: str = backing.EMBEDDED


def engines_form(data: Path, requested: str | None) -> str:
    """The requested form of engines, else that of the data folder.

    Raises:
        CannotStart: if the form does not exist.
    """
    forms = (backing.EMBEDDED, backing.SERVERS)
    form = requested or backing.form_of(RunData(data)) or backing.EMBEDDED
    if requested and requested not in forms:
        raise CannotStart(f"--engines is one of {', '.join(forms)}, not {requested!r}")
    return form if form in forms else backing.EMBEDDED


def config_file(options: StartOptions) -> Path:
    """The configuration file of the options, else the example's."""
    if options.config is not None:
        return Path(os.path.realpath(options.config))
    path = EXAMPLES / options.example / "app-config.yaml"
    if not path.is_file():
        raise CannotStart(
            f"There is no example {options.example!r}: --example is one of "
            f"{', '.join(EXAMPLE_NAMES)}"
        )
    return path


def config_warnings(options: StartOptions) -> list[str]:
    """Check the configuration; its unknown keys, and rules that give rights away.

    Raises:
        CannotStart: naming the problem.
    """
    data = RunData(options.data)
    data.prepare()
    # Not in this process' environment, because all children would inherit it.
    environ = {**os.environ, **data.environment()}
    if options.example == "golden" and options.config is None:
        golden = Path(os.environ.get("CALLBOARD_GOLDEN", ROOT.parent / "shared/golden"))
        if not (golden / "inputs").is_dir():
            raise CannotStart(
                f"The golden inputs are not at {golden}; set CALLBOARD_GOLDEN to the "
                "folder that holds inputs/"
            )
        os.environ["CALLBOARD_GOLDEN"] = str(golden.resolve())
        environ["CALLBOARD_GOLDEN"] = os.environ["CALLBOARD_GOLDEN"]
    try:
        config = load_config(config_file(options), environ, PortalConfig)
    except CallboardError as error:
        raise CannotStart(error.message) from error
    values = config.model_dump(by_alias=True)
    unknown = [item.key for item in unknown_keys(PortalConfig, values)]
    warned_values = open_owner_kinds(config.catalog, config.permission, config.auth)
    return [
        *(f"{key} means nothing here" for key in unknown),
        *(f"{key}: {message}" for key, message in warned_values),
    ]


def prepare(options: StartOptions, progress: Progress) -> RunData:
    """Fetch missing engines and, for the playhouse, make its Git host."""
    data = RunData(options.data)
    try:
        engines = backing.Backing.of(data, options.engines, os.environ)
        names = [
            engine
            for engine in engines.started()
            if engines.forms[engine] == backing.SERVERS
        ]
        if names:
            # Imported here, because it loads the drivers of all engines.
            importlib.import_module("deploy.engines.fetching").fetch(names, progress)
    except (
        backing.WrongEngines,
        importlib.import_module("deploy.engines.fetching").CannotFetch,
    ) as error:
        raise CannotStart(str(error)) from error
    if options.config is None and options.example == "playhouse":
        playhouse_git.load(
            options.data,
            address=f"http://127.0.0.1:{options.port}",
            secret=data.webhook_secret(),
            progress=lambda name, done, of: progress(f"Repository {name}", done / of),
        )
    return data


def start(options: StartOptions, data: RunData) -> subprocess.Popen[bytes]:
    """Start the supervisor in a session of its own."""
    if not _is_free(options.port):
        raise CannotStart(
            f"Port {options.port} is in use; choose another with --port (make: PORT=)"
        )
    command = [
        sys.executable,
        "-m",
        "deploy.embedded.supervisor",
        "--data",
        str(options.data),
        "--port",
        str(options.port),
        "--config",
        str(config_file(options)),
        "--engines",
        options.engines,
    ]
    data.write_starting(())
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
    options: StartOptions,
    data: RunData,
    process: subprocess.Popen[bytes],
    progress: Progress,
) -> Portal:
    """Wait until the portal is ready; raises CannotStart if it makes no progress."""
    portal = Portal(f"http://127.0.0.1:{options.port}", data.token())
    has_servers = options.engines == backing.SERVERS
    patience = ProgressTimeout(SERVERS_READY_SECONDS if has_servers else READY_SECONDS)
    while True:
        if process.poll() is not None:
            raise CannotStart(_last_log_line(data))
        engines, not_ready_checks = data.starting(), not_ready(portal)
        if not not_ready_checks:
            return portal
        loading = next(
            (reason for reason in not_ready_checks.values() if LOADING in reason), None
        )
        description = ", ".join(engines) if engines else loading or "services"
        progress(f"Starting: {description}", 0.5 if engines else 0.9)
        if patience.is_over((tuple(engines), tuple(sorted(not_ready_checks.items())))):
            process.send_signal(signal.SIGTERM)
            raise CannotStart(
                f"Nothing has moved for {patience.seconds:.0f} s: {not_ready_checks}; "
                f"see {data.logs}"
            )
        time.sleep(POLL_SECONDS)


class ProgressTimeout:
    """A timeout since the last progress, as a large catalog takes long to load."""

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self._clock = clock
        self._states: set[object] = set()
        self._last_progress = clock()

    def is_over(self, state: object) -> bool:
        """Whether no new state was seen for too long; earlier states are not new."""
        if state not in self._states:
            self._states.add(state)
            self._last_progress = self._clock()
        return self._clock() - self._last_progress > self.seconds


def not_ready(portal: Portal) -> dict[str, str]:
    """The services and dependencies that are not ready, each with its state."""
    try:
        response = portal.request("GET", "/api/status")
    except PortalError as error:
        return {"gateway": str(error)}
    reasons: dict[str, str] = {}
    for service in response["services"]:
        checks = service.get("checks") or {}
        failed = {name: state for name, state in checks.items() if state != "ok"}
        if not service["ready"]:
            name = str(service["name"])
            reasons |= {f"{name} {k}": str(v) for k, v in failed.items()} or {
                name: "away"
            }
    return reasons


def wait_loaded(portal: Portal, expected: int, progress: Progress) -> int:
    """Wait until the catalog has `expected` entities and search finds them."""

    def loaded() -> int:
        try:
            loaded_count = count_entities(portal)
        except PortalError:
            return 0
        progress("Loading the example organisation", min(loaded_count / expected, 1.0))
        return loaded_count if loaded_count >= expected else 0

    total = wait_until(loaded, LOADED_SECONDS)
    if not total:
        raise CannotStart("The example was not loaded in time; see the logs folder")
    wait_until(lambda: _is_searchable(portal), LOADED_SECONDS)
    return int(total)


def count_entities(portal: Portal) -> int:
    """The number of entities in the catalog."""
    response = portal.request("GET", "/api/catalog/entities/by-query?limit=0")
    return int(response["totalItems"])


def _is_searchable(portal: Portal) -> bool:
    try:
        response = portal.request("GET", "/api/search/query?term=&pageLimit=0")
    except PortalError:
        return False
    return int(response.get("numberOfResults") or 0) > 0


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


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _last_log_line(data: RunData) -> str:
    lines = (data.logs / "supervisor.log").read_text(errors="replace").splitlines()
    last = lines[-1] if lines else "nothing was said"
    return f"The supervisor ended: {last} (see {data.logs})"
