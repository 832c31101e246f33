"""`python -m deploy.engines`: fetch, start, stop and look at real servers by hand.

Started so, they outlive the command: their numbers are in DIR/engines.json, and what a
portal's environment needs to use them is in DIR/engines.env.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from deploy.engines import (
    documents,
    kafka,
    opa,
    opensearch,
    processes,
    security,
    toxiproxy,
)
from deploy.engines.engine import VARIABLES, Engine, EngineFailed
from deploy.engines.fetching import SOURCES, CannotFetch, fetch

STARTS: Mapping[str, Callable[..., Engine]] = {
    "broker": kafka.start,
    "documents": documents.start,
    "opensearch": opensearch.start,
    "opa": opa.start,
    "toxiproxy": toxiproxy.start,
}
#: toxiproxy is for those who break things: started when it is named.
USUAL = ("broker", "documents", "opensearch", "opa")
STOP_SECONDS = 15.0
app = typer.Typer(help=__doc__, no_args_is_help=True)
out = Console()
err = Console(stderr=True)
Data = Annotated[Path, typer.Option("--data", help="Folder that holds their state.")]
Names = Annotated[list[str] | None, typer.Argument(help="Which; by default all.")]
DEFAULT_DATA = Path(".callboard-engines")


@app.command("fetch")
def fetch_command(names: Names = None) -> None:
    """Bring every server's jars and binaries into the cache, and check them."""
    with _bar() as bar:
        task = bar.add_task("Looking", total=1.0)
        _fetch(_chosen(names, tuple(SOURCES)), bar, task)
    out.print("All servers are fetched and checked.")


@app.command()
def start(
    names: Names = None,
    data: Data = DEFAULT_DATA,
    secure: Annotated[
        bool, typer.Option(help="TLS, a user and a password for each.")
    ] = False,
    auto_create: Annotated[
        bool, typer.Option(help="Kafka makes a topic for whoever asks for it.")
    ] = False,
) -> None:
    """Start servers that go on when this command has ended."""
    chosen = _chosen(names, USUAL)
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    running = {name for name, found in _running_engines(data).items() if _alive(found)}
    guard = security.guard(data / "guard") if secure else None

    def begin(name: str) -> Engine:
        more: dict[str, Any] = {"detached": True}
        if guard and name in VARIABLES:
            more["secure"] = guard
        if name == "broker":
            more["auto_create"] = auto_create
        return STARTS[name](data / name, data / f"{name}.log", **more)

    with _bar() as bar, ThreadPoolExecutor(len(STARTS)) as pool:
        task = bar.add_task("Starting", total=1.0)
        _fetch(chosen, bar, task)
        bar.update(task, description=f"Starting {', '.join(chosen)}", completed=0.5)
        began = time.monotonic()
        futures = [pool.submit(begin, n) for n in chosen if n not in running]
        started, failed = list[Engine](), list[EngineFailed]()
        for future in futures:
            try:
                started.append(future.result())
            except EngineFailed as error:
                failed.append(error)
    seconds = time.monotonic() - began
    _keep(data, started)
    if started:
        out.print(f"Started {len(started)} together in {seconds:.1f} s.")
    for failure in failed:
        err.print(f"[red]Cannot start:[/] {failure}")
    _show(data)
    raise typer.Exit(1 if failed else 0)


@app.command()
def stop(names: Names = None, data: Data = DEFAULT_DATA) -> None:
    """Stop the servers of a folder; their data stays."""
    data = data.resolve()
    known = _running_engines(data)
    ending = [known[name] for name in _chosen(names, tuple(known)) if name in known]
    with ThreadPoolExecutor(len(STARTS)) as pool:
        stopped = sum(pool.map(_end, ending))
    out.print(f"Stopped {stopped}." if stopped else "Nothing was running.")


@app.command()
def status(data: Data = DEFAULT_DATA) -> None:
    """Show what runs; exit code 1 if something that was started does not."""
    data = data.resolve()
    _show(data)
    known = _running_engines(data).values()
    raise typer.Exit(0 if known and all(map(_alive, known)) else 1)


def _chosen(names: list[str] | None, usual: tuple[str, ...]) -> list[str]:
    unknown = set(names or ()) - SOURCES.keys()
    if unknown:
        known = ", ".join(SOURCES)
        err.print(f"[red]There is no {', '.join(sorted(unknown))}:[/] {known}")
        raise typer.Exit(2)
    return list(names or usual)


def _bar() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
    return Progress(*columns, TimeElapsedColumn(), console=err, transient=True)


def _fetch(names: list[str], bar: Progress, task: Any) -> None:
    def progress(what: str, share: float) -> None:
        bar.update(task, description=what, completed=share)
        if not err.is_terminal:
            err.print(what)

    try:
        fetch(names, progress)
    except CannotFetch as error:
        err.print(f"[red]Cannot fetch:[/] {error}")
        raise typer.Exit(1) from error


def _running_engines(data: Path) -> dict[str, dict[str, Any]]:
    try:
        found: dict[str, dict[str, Any]] = json.loads(
            (data / "engines.json").read_text("utf-8")
        )
    except (OSError, ValueError):
        return {}
    return found


def _keep(data: Path, started: list[Engine]) -> None:
    known = _running_engines(data)
    environment = _environment(data)
    for engine in started:
        pids = [p.pid for p in (*engine.beside, engine.process)]
        known[engine.name] = {
            "address": engine.address,
            "pids": {str(pid): _began(pid) for pid in pids},
        }
        environment |= _environment_of(engine)
    (data / "engines.json").write_text(json.dumps(known, indent=2) + "\n")
    lines = [f"{name}={value}" for name, value in sorted(environment.items())]
    processes.secret_file(data / "engines.env", "\n".join(lines) + "\n")


def _environment(data: Path) -> dict[str, str]:
    file = data / "engines.env"
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    return dict(line.split("=", 1) for line in lines)


def _environment_of(engine: Engine) -> dict[str, str]:
    """What a portal is told of an engine by its environment."""
    variable = VARIABLES.get(engine.name)
    if variable is None:
        return {}
    server = engine.server
    word = "TOKEN" if engine.name == "opa" else "PASSWORD"
    found = {
        variable: server.address,
        f"{variable}_USER": server.user,
        f"{variable}_{word}": server.password,
        f"{variable}_CA": str(server.ca) if server.ca else None,
    }
    return {name: value for name, value in found.items() if value}


def _show(data: Path) -> None:
    table = Table("engine", "address", "process", "state")
    for name, found in _running_engines(data).items():
        state = "[green]runs[/]" if _alive(found) else "[red]ended[/]"
        table.add_row(name, found["address"], ", ".join(found["pids"]), state)
    out.print(table)
    out.print(f"For a portal's environment: {data / 'engines.env'}", soft_wrap=True)


def _began(pid: int) -> str:
    """When a process began, so that its number is not taken for another's."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    return said.rpartition(")")[2].split()[19]


def _alive(found: Mapping[str, Any]) -> bool:
    return all(_is(int(pid), began) for pid, began in found["pids"].items())


def _is(pid: int, began: str) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return _began(pid) == began


def _end(found: Mapping[str, Any]) -> bool:
    """End an engine's processes; whether one was running."""
    pids = [int(pid) for pid, began in found["pids"].items() if _is(int(pid), began)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            if _is(pid, found["pids"][str(pid)]):
                os.kill(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not any(_is(pid, found["pids"][str(pid)]) for pid in pids):
                return bool(pids)
            time.sleep(processes.POLL_SECONDS)
    return bool(pids)


if __name__ == "__main__":
    app(prog_name="python -m deploy.engines")
